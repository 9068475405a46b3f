"""Pretrained weights that rows of a table start from."""

from __future__ import annotations

from dataclasses import replace

from keras_jtav.experiments import Experiment

# What the released tagger heard: mel spectrograms up to 6,000 Hz, 43 ms every 21 ms.
RELEASED_CONVNET = (
    "features.spectrogram=mel",
    "features.mel_fmax_hz=6000",
    "features.mel_window_samples=940",
    "features.hop_samples=470",
)


def with_released_convnet(experiment: Experiment, weights: str) -> Experiment:
    """Return Table 1 whose convnet row starts from the authors' music tagger.

    Args:
        experiment: What ``table1`` of ``experiments.py`` returned.
        weights: File of the weights, as ``build_convnet`` reads it.

    Raises:
        ValueError: A table without that row.
    """
    if "convnet" not in experiment.rows:
        raise ValueError(
            "--convnet-weights belongs to --experiment table1, the only table with a "
            "row of that name."
        )
    rows = dict(experiment.rows)
    rows["convnet"] += (*RELEASED_CONVNET, f"audio.weights={weights}")
    return replace(experiment, rows=rows)


def with_image_weights(experiment: Experiment, weights: str) -> Experiment:
    """Return a table whose rows keep their networks of pictures, with these weights.

    A row that names a network drops what the base config says of another.

    Args:
        experiment: What ``find_experiment`` returned.
        weights: ``imagenet``, ``none`` or the path of a file.

    Raises:
        ValueError: A file, and rows of several networks.
    """
    networks = {
        setting.removeprefix("image=")
        for settings in experiment.rows.values()
        for setting in settings
        if setting.startswith("image=")
    }
    if networks and weights not in ("imagenet", "none"):
        raise ValueError(
            f"The table has rows of {', '.join(sorted(networks))}, and {weights} holds "
            "the weights of one network. Leave --image-weights out, and Keras fetches "
            "ImageNet's for each, or takes the files that are in ~/.keras/models."
        )
    rows = {
        name: (*settings, f"image.weights={weights}")
        if any(setting.startswith("image=") for setting in settings)
        else settings
        for name, settings in experiment.rows.items()
    }
    return replace(experiment, rows=rows)
