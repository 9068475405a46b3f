"""Named settings, as data: presets are lists of overrides of the paper's defaults."""

from __future__ import annotations

from keras_jtav.config import Config, look_up

PRESETS: dict[str, tuple[str, ...]] = {
    # Sec. 4.1, as `Config` has it.
    "paper": (),
    # Trains from scratch on two CPU cores within minutes.
    "small": (
        "features.words=60",
        "features.embedding_dim=64",
        "features.clip_seconds=3.0",
        "features.image_size=64",
        "text.units=32",
        "text.attention_units=32",
        "text.trainable_vectors=true",
        "text.dropout=0.4",
        "audio.filters=[8,16]",
        "audio.units=24",
        "audio.dim=48",
        "audio.momentum=0.8",
        "audio.dropout=0.4",
        "image=small_cnn",
        "fusion.attention_units=32",
        "fusion.units=64",
        "train.epochs=20",
        "train.patience=8",
    ),
}
TASK_SETTINGS: dict[str, tuple[str, ...]] = {
    "sentiment": (),
    "retrieval": ("data.split=dagger",),
}
SMALL_TASK_SETTINGS: dict[str, tuple[str, ...]] = {
    "sentiment": (),
    "retrieval": ("tower_units=64", "train.epochs=12"),
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
    settings = [f"task={task}", *look_up("task", task, TASK_SETTINGS)]
    settings += look_up("preset", preset, PRESETS)
    if preset == "small":
        settings += SMALL_TASK_SETTINGS[task]
    return Config().override(settings)
