"""Named settings, as data: presets are lists of overrides of the paper's defaults."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keras_jtav.config import Config, look_up
from keras_jtav.options import TASK_SPLITS

PRESETS: dict[str, tuple[str, ...]] = {
    # Sec. 4.1, as `Config` has it.
    "paper": (),
    # Trains from scratch on two CPU cores within minutes. Beside what the paper's
    # encoders learn stands what needs no learning (word_mean, statistics, those inside
    # small_cnn), and the weights are held small: a few hundred posts teach no more.
    "small": (
        "features.words=60",
        "features.embedding_dim=64",
        "features.clip_seconds=3.0",
        "features.image_size=64",
        "text.units=32",
        "text.attention_units=32",
        "text.trainable_vectors=true",
        "text.dropout=0.4",
        "text.word_mean=true",
        "audio.filters=[8,16]",
        "audio.units=24",
        "audio.dim=48",
        "audio.momentum=0.8",
        "audio.dropout=0.4",
        "audio.statistics=true",
        "image=small_cnn",
        "image.dropout=0.5",
        "fusion.attention_units=32",
        "fusion.units=64",
        "fusion.residual=true",
        "train.epochs=0",
        "train.patience=0",
        "train.weight_decay=10",
    ),
}
SMALL_TASK_SETTINGS: dict[str, tuple[str, ...]] = {
    "sentiment": ("train.steps=600", "train.modality_dropout=0.3"),
    "retrieval": (
        "features.lsa_dim=256",
        "tower_units=128",
        "train.steps=300",
        "train.patience=4",
        "train.batch_size=64",
        "train.modality_dropout=0.5",
        "train.canonical_start=true",
    ),
}


def preset_config(task: str, preset: str = "paper") -> Config:
    """Return the config of a task under a preset.

    Args:
        task: ``sentiment`` or ``retrieval``.
        preset: ``small`` or ``paper``.

    Raises:
        ValueError: An unknown name; the message lists the valid ones.

    Example:
        >>> preset_config("retrieval", "small").data.split
        'dagger'
    """
    settings = [f"task={task}", f"data.split={look_up('task', task, TASK_SPLITS)}"]
    settings += look_up("preset", preset, PRESETS)
    if preset == "small":
        settings += SMALL_TASK_SETTINGS[task]
    return Config().override(settings)


@dataclass(frozen=True)
class Experiment:
    """A table: one of the paper's, or one of ours.

    Args:
        task: The task it is about.
        rows: What each row differs in from the base config, by the row's name.
        same_view: Whether all rows see the same parts of a post, so that one baseline
            stands for all.
    """

    task: str
    rows: Mapping[str, tuple[str, ...]]
    same_view: bool = False


_TEXT, _AUDIO, _IMAGE = "modalities=text", "modalities=audio", "modalities=image"
_SUBSETS = {
    "text+audio": "modalities=text,audio",
    "text+image": "modalities=text,image",
    "audio+image": "modalities=audio,image",
    "all": "modalities=text,audio,image",
}
_IMAGE2SONG = ("matching=image2song", "features.tags=200")
# Choosing an encoder by name drops the preset's arguments; these fit these two as well.
_HAN_ARGUMENTS = ("units", "attention_units", "trainable_vectors", "dropout")
_CONVNET_ARGUMENTS = ("momentum", "dropout")
# As wide as what CMF-AP returns.
_HIDDEN_LAYER = {"paper": "fusion.hidden=[128]", "small": "fusion.hidden=[64]"}
# Eq. 3 multiplies a vector by a mean over the other one's coordinates, of vectors of
# unit length about .01. Weights that are held small cannot make up for it.
_LENGTH = {"paper": (), "small": ("fusion.normalize=rms",)}
# The judge gets the features themselves: nothing is learned before it.
_AS_THEY_ARE = ("fusion=early", "fusion.normalize=false", "train.epochs=1")
_IMAGE_ROWS: dict[str, dict[str, tuple[str, ...]]] = {
    "paper": {
        "F-VGG": (_IMAGE, "image=vgg19"),
        "F-ResNet": (_IMAGE, "image=resnet101"),
        "F-DenseNet": (_IMAGE, "image=densenet121"),
    },
    "small": {"image encoder": (_IMAGE,)},
}


def table1(preset: str) -> Experiment:
    """Return Table 1, and under it the small preset's own fusion.

    doc2vec (which needs gensim) and MFCC are judged as they are: ``early`` passes them
    on. The small preset has one row of pictures, of the encoder that the base config
    names. CMF-AP is the paper's; presets give it sizes and a length of vectors only.

    Args:
        preset: ``small`` or ``paper``.
    """
    han = _kept(preset, "text", _HAN_ARGUMENTS)
    convnet = _kept(preset, "audio", _CONVNET_ARGUMENTS)
    singles = {
        "doc2vec": (
            *(_TEXT, "text=doc2vec", "features.document_dim=100"),
            *_AS_THEY_ARE,
        ),
        "lyricsHAN": (_TEXT, "text=lyrics_han", *han),
        "BiGRU": (_TEXT, "text.gate=false"),
        "attBiGRU": (_TEXT,),
        "MFCC": (_AUDIO, "audio=mfcc", "features.spectrogram=mel", *_AS_THEY_ARE),
        "convnet": (_AUDIO, "audio=convnet", *convnet, "features.spectrogram=mel"),
        "DCRNN-MelS": (_AUDIO, "features.spectrogram=mel"),
        "DCRNN-CQT": (_AUDIO,),
        **_IMAGE_ROWS[preset],
    }
    cmf_ap, fused = _cmf_ap(preset), {}
    for name, modalities in _SUBSETS.items():
        fused[f"early {name}"] = ("fusion=early", modalities)
        fused[f"CMF-AP {name}"] = (*cmf_ap, modalities)
    ours = {"CMF-AP + residual all": _residual(preset)}
    return Experiment("sentiment", {**singles, **fused, **ours})


def _kept(preset: str, part: str, arguments: tuple[str, ...]) -> list[str]:
    """Return what a preset says of some arguments of a part."""
    keys = tuple(f"{part}.{argument}=" for argument in arguments)
    settings = look_up("preset", preset, PRESETS)
    return [setting for setting in settings if setting.startswith(keys)]


def _cmf_ap(preset: str) -> tuple[str, ...]:
    """Return the paper's fusion, on vectors of the length that a preset needs."""
    return (*_sized_cmf_ap(preset), *_LENGTH[preset])


def _residual(preset: str) -> tuple[str, ...]:
    """Return the small preset's own fusion, with a preset's sizes."""
    return (*_sized_cmf_ap(preset), "fusion.residual=true")


def _sized_cmf_ap(preset: str) -> tuple[str, ...]:
    """Return CMF-AP with a preset's sizes and no other argument."""
    return ("fusion=cmf_ap", *_kept(preset, "fusion", ("attention_units", "units")))


def _retrieval_systems(split: str) -> Experiment:
    """Return the systems of Figs. 5 and 6 on one kind of split.

    I is the image and C the caption of the query; L are the lyrics and S the sound of
    the song. image2song sees what I+L sees.
    """
    systems = {
        "I+L": ("text,image", "lyrics"),
        "I+C+L": ("text,image", "lyrics,caption"),
        "I+S": ("audio,image", "lyrics,caption"),
        "I+C+S": ("text,audio,image", "caption"),
        "JTAV": ("text,audio,image", "lyrics,caption"),
    }
    rows = {
        name: (f"data.split={split}", f"modalities={modalities}", f"data.texts={texts}")
        for name, (modalities, texts) in systems.items()
    }
    rows = {"image2song": (*rows["I+L"], *_IMAGE2SONG), **rows}
    return Experiment("retrieval", rows)


def figure5(preset: str) -> Experiment:
    """Return Fig. 5: songs of the test split are unseen in training."""
    return _retrieval_systems("dagger")


def figure6(preset: str) -> Experiment:
    """Return Fig. 6: one query of every song is held out for the test split."""
    return _retrieval_systems("section")


def fusions(preset: str) -> Experiment:
    """Return the bake-off of fusions, the paper's and others, for sentiment.

    Args:
        preset: ``small`` or ``paper``. All fusions keep its sizes, and no other of its
            arguments.
    """
    units = _kept(preset, "fusion", ("units",))
    cmf_ap = _cmf_ap(preset)
    heads, bias = "fusion.heads=8", "fusion.positional_bias=true"
    rows = {
        "early": ("fusion=early",),
        "early + hidden layer": ("fusion=early", _HIDDEN_LAYER[preset]),
        "CMF-AP": cmf_ap,
        "CMF-AP + 8 heads": (*cmf_ap, heads),
        "CMF-AP + positional bias": (*cmf_ap, bias),
        "CMF-AP + 8 heads + positional bias": (*cmf_ap, heads, bias),
        "CMF-AP + residual": _residual(preset),
        "tensor fusion": ("fusion=tensor_fusion", *units),
        "low-rank": ("fusion=low_rank", *units),
        "gated": ("fusion=gated", *units),
        "bottleneck": ("fusion=bottleneck", *units),
    }
    return Experiment("sentiment", rows)


def retrieval_fusions(preset: str) -> Experiment:
    """Return the bake-off for retrieval: each fusion alone, and beside the towers.

    The towers' dot product is bilinear in what they read, and their in-batch loss comes
    with them.
    """
    rows = {}
    for name, settings in fusions(preset).rows.items():
        rows[name] = (*settings, "tower_units=0")
        rows[f"{name} + bilinear"] = (*settings, "tower_units=128")
    return Experiment("retrieval", rows, same_view=True)


def xor(preset: str) -> Experiment:
    """Return what shows an interaction: synthetic posts whose label is an XOR.

    Neither sound nor picture tells the label, nor does a sum of what each of them says.
    """
    rows = fusions(preset).rows
    variant = "dataset.variant=xor"
    return Experiment(
        "sentiment", {name: (variant, *rows[name]) for name in ("early", "CMF-AP")}
    )


EXPERIMENTS: dict[str, dict[str, Callable[[str], Experiment]]] = {
    "table1": {"sentiment": table1},
    "figure5": {"retrieval": figure5},
    "figure6": {"retrieval": figure6},
    "fusions": {"sentiment": fusions, "retrieval": retrieval_fusions},
    "xor": {"sentiment": xor},
}


def find_experiment(name: str, task: str, preset: str) -> Experiment:
    """Return the rows of a table.

    Args:
        name: A key of ``EXPERIMENTS``.
        task: What the rows are to do.
        preset: ``small`` or ``paper``.

    Raises:
        ValueError: An unknown name, or a task that the table is not about.

    Example:
        >>> list(find_experiment("xor", "sentiment", "small").rows)
        ['early', 'CMF-AP']
    """
    tasks = look_up("experiment", name, EXPERIMENTS)
    if task not in tasks:
        raise ValueError(
            f"{name} is about {' and '.join(tasks)}, not {task}. Give --task "
            f"{next(iter(tasks))}."
        )
    return tasks[task](preset)
