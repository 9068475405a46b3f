"""Settings: one frozen tree that names every part of a run and nothing else.

The defaults are the paper's (Sec. 4.1). A preset, a JSON file and dotted overrides
(``text.units=64``) only name what differs. Standard library only, so that the command
line can answer ``--help`` without loading TensorFlow.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_jtav.options import DataOptions, FeatureOptions, TrainOptions

SAMPLE_RATE_HZ = 22_050
MODALITIES = ("text", "audio", "image")
TASKS = ("sentiment", "retrieval")
SPECTROGRAMS = ("cqt", "mel")
SPLITS = ("random", "dagger", "section")
MATCHINGS = ("jtav", "image2song")
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")
STRATEGIES = ("single", "mirrored", "data_parallel")


@dataclass(frozen=True)
class Component:
    """A part chosen by name, with the constructor arguments that differ from its own.

    Args:
        name: A key of the dict it is looked up in (``ENCODERS``, ``FUSIONS``, ...).
        kwargs: Arguments of that entry; what is absent keeps the entry's own default.
    """

    name: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Config:
    """Everything that decides a run.

    Args:
        task: ``sentiment`` or ``retrieval``.
        dataset: A source of posts and its arguments.
        modalities: Which of text, audio and image the model sees.
        text: Encoder of words.
        audio: Encoder of spectrograms.
        image: Encoder of pictures.
        fusion: How the vectors of the modalities become one.
        head: Layers between the unified vector and the logit.
        tower_units: Retrieval only: size of a query's and a song's own vector, whose
            dot product is added to the logit of the pair. 0 is the paper's model.
        matching: Retrieval only: how a query is matched with a song.
        data: How posts are split and checked.
        features: Sizes of what the encoders see.
        train: How the network is trained.

    Raises:
        ValueError: A value outside its choices.

    Example:
        >>> config = Config().override(["text.units=64", "train.epochs=3"])
        >>> config.text.kwargs, config.train.epochs
        ({'units': 64}, 3)
        >>> Config.from_json(config.to_json()) == config
        True
    """

    task: str = "sentiment"
    dataset: Component = Component("synthetic")
    modalities: tuple[str, ...] = MODALITIES
    text: Component = Component("att_bigru")
    audio: Component = Component("dcrnn")
    image: Component = Component("densenet121")
    fusion: Component = Component("cmf_ap")
    head: Component = Component("dense")
    tower_units: int = 0
    matching: Component = Component("jtav")
    data: DataOptions = field(default_factory=DataOptions)
    features: FeatureOptions = field(default_factory=FeatureOptions)
    train: TrainOptions = field(default_factory=TrainOptions)

    def __post_init__(self) -> None:
        _one_of("task", self.task, TASKS)
        _one_of("matching", self.matching.name, MATCHINGS)
        _one_of("data.split", self.data.split, SPLITS)
        _one_of("features.spectrogram", self.features.spectrogram, SPECTROGRAMS)
        _one_of("train.precision", self.train.precision, PRECISIONS)
        _one_of("train.strategy", self.train.strategy, STRATEGIES)
        for modality in self.modalities:
            _one_of("modalities", modality, MODALITIES)
        for part in self.data.texts:
            _one_of("data.texts", part, DataOptions.texts)
        if not self.modalities or len(set(self.modalities)) < len(self.modalities):
            raise ValueError(
                f"`modalities` must name at least one of {', '.join(MODALITIES)}, each "
                f"once; received {list(self.modalities)}."
            )
        if len(self.data.fractions) != 3 or abs(sum(self.data.fractions) - 1) > 1e-6:
            raise ValueError(
                "`data.fractions` must be three shares (train, validation, test) that "
                f"sum to 1; received {list(self.data.fractions)}."
            )

    @property
    def split_seed(self) -> int:
        """What decides how posts are split."""
        return self.train.seed if self.data.split_seed < 0 else self.data.split_seed

    def override(self, assignments: Iterable[str]) -> Config:
        """Return a copy with dotted ``key=value`` assignments applied in order.

        Args:
            assignments: Such as ``train.epochs=5`` or ``fusion.heads=8``; values are
                read as JSON where they parse as JSON, else as text.

        Raises:
            ValueError: An unknown key (the message lists the valid ones) or a value of
                another type.
        """
        config = self
        for assignment in assignments:
            key, equals, text = assignment.partition("=")
            if not equals or not key:
                raise ValueError(
                    f"--set takes KEY=VALUE, such as text.units=64; received "
                    f"{assignment!r}."
                )
            config = _assign(config, key.strip(), key.strip().split("."), text.strip())
        return config

    def to_json(self) -> str:
        """Return the tree as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2, default=dict)

    @classmethod
    def from_json(cls, text: str) -> Config:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: A key that is not a field.
        """
        return _from_dict(cls, json.loads(text), "config")

    @classmethod
    def load(cls, path: str | Path) -> Config:
        """Read a JSON file that ``to_json`` wrote."""
        return cls.from_json(Path(path).read_text(encoding="utf-8"))


def check_kwargs(
    key: str, component: Component, builder: Callable, given: Iterable[str] = ()
) -> None:
    """Refuse arguments that a component's builder does not take.

    Args:
        key: Where the component stands in the config, for the message.
        component: The component.
        builder: What will be called with ``component.kwargs``.
        given: Parameters that the caller fills itself.

    Raises:
        ValueError: An unknown argument; the message lists the valid ones.
    """
    valid = [
        name for name in inspect.signature(builder).parameters if name not in given
    ]
    for name in component.kwargs:
        if name not in valid:
            raise ValueError(
                f"Unknown key `{key}.{name}`. Valid keys of {component.name!r}: "
                f"{', '.join(valid) or 'none'}. Another component is chosen with "
                f"{key}=NAME."
            )


def look_up(key: str, name: str, entries: Mapping[str, Any]) -> Any:
    """Return ``entries[name]``, or raise a ``ValueError`` that lists the names."""
    _one_of(key, name, entries)
    return entries[name]


def _one_of(key: str, value: str, valid: Iterable[str]) -> None:
    if value not in valid:
        raise ValueError(
            f"`{key}` must be one of {', '.join(valid)}; received {value!r}."
        )


def _assign(node: Any, full_key: str, path: list[str], text: str) -> Any:
    """Return a copy of ``node`` with the value at ``path`` replaced."""
    name, rest = path[0], path[1:]
    if isinstance(node, Component):
        if rest:
            raise ValueError(f"Unknown key `{full_key}`: arguments have no parts.")
        return Component(node.name, {**node.kwargs, name: _parse(text)})
    fields = {f.name: getattr(node, f.name) for f in dataclasses.fields(node)}
    if name not in fields:
        prefix = full_key.removesuffix(".".join(path))
        valid = ", ".join(prefix + field_name for field_name in fields)
        raise ValueError(f"Unknown key `{full_key}`. Valid keys: {valid}.")
    current = fields[name]
    if isinstance(current, Component) and not rest:
        value: Any = Component(text)
    elif isinstance(current, Component) or (rest and dataclasses.is_dataclass(current)):
        value = _assign(current, full_key, rest, text)
    elif dataclasses.is_dataclass(current) or rest:
        raise ValueError(f"`{full_key}` is no single setting; name one inside it.")
    else:
        value = _coerce(full_key, _parse(text, current), current)
    return dataclasses.replace(node, **{name: value})


def _parse(text: str, current: Any = None) -> Any:
    if isinstance(current, tuple) and not text.startswith("["):
        return [_parse(part) for part in text.split(",") if part]
    for read in (json.loads, float):
        try:
            return read(text)
        except ValueError:
            continue
    return {"True": True, "False": False}.get(text, text)


def _coerce(key: str, value: Any, current: Any) -> Any:
    """Return ``value`` as the type of ``current``, or say what was expected."""
    if isinstance(current, tuple) and isinstance(value, list):
        return tuple(value)
    if isinstance(current, float) and type(value) is int:
        return float(value)
    if isinstance(current, str) and not isinstance(value, str):
        value = str(value)
    if type(value) is not type(current):
        raise ValueError(
            f"`{key}` takes a value of type {type(current).__name__}; received "
            f"{value!r}."
        )
    return value


def _from_dict(cls: type, values: Mapping[str, Any], key: str) -> Any:
    defaults = {f.name: f for f in dataclasses.fields(cls)}
    unknown = sorted(set(values) - set(defaults))
    if unknown:
        raise ValueError(
            f"Unknown key `{key}.{unknown[0]}`. Valid keys: {', '.join(defaults)}."
        )
    template = None if cls is Component else cls()
    arguments = {}
    for name, value in values.items():
        current = getattr(template, name, None)
        if dataclasses.is_dataclass(current):
            value = _from_dict(type(current), value, f"{key}.{name}")
        elif template is not None:
            value = _coerce(f"{key}.{name}", value, current)
        arguments[name] = value
    return cls(**arguments)
