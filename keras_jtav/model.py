"""Assembly: a config and the sizes of its features become Keras models."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial

import keras
import numpy as np

from keras_jtav.config import Component, Config, check_kwargs, look_up
from keras_jtav.encoders import ENCODERS
from keras_jtav.features.spec import FeatureSpec
from keras_jtav.fusion import FUSIONS
from keras_jtav.layers import WordVectors
from keras_jtav.tasks import TASKS
from keras_jtav.tasks.heads import HEADS
from keras_jtav.tasks.image2song import build_image2song


@keras.saving.register_keras_serializable(package="keras_jtav")
class PairModel(keras.Model):
    """What retrieval trains: a functional model that is saved as what it is built from.

    Keras's own description of a model forgets that models inside of it share layers, as
    both sides of a pair share the tables of words, and could not be loaded.

    Args:
        inputs: As of ``keras.Model``.
        outputs: As of ``keras.Model``.
        built_from: JSON text of the config, the spec and the precision.
    """

    def __init__(self, inputs, outputs, built_from, **kwargs):
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)
        self.built_from = built_from

    def get_config(self):
        """Return what it was built from."""
        return {"name": self.name, "built_from": self.built_from}

    @classmethod
    def from_config(cls, config):
        """Build it again; its weights are loaded by Keras."""
        given = json.loads(config["built_from"])
        described = without_files(Config.from_json(json.dumps(given["config"])))
        spec = FeatureSpec.from_dict(given["spec"])
        return build_model(described, spec, precision=given["precision"])["train"]


def build_model(
    config: Config,
    spec: FeatureSpec | None = None,
    word_vectors: np.ndarray | None = None,
    precision: str = "float32",
) -> dict[str, keras.Model]:
    """Build the functional Keras models of a config; they share their weights.

    Args:
        config: What to build.
        spec: Sizes of the features; by default those of ``config.features`` with one
            row for each of ``config.features.vocabulary_size`` words.
        word_vectors: Float ``(spec.embedding_rows, spec.embedding_dim)`` table of the
            text encoder; random without it.
        precision: What heavy layers compute in: ``float32``, ``mixed_float16`` or
            ``mixed_bfloat16``. Inputs, weights and logits are float32 in any case.

    Returns:
        Sentiment: ``train`` (features to logit) and ``encode`` (features to ``u``).
        Retrieval: ``train`` (queries and their candidates to logits),
        ``encode_query``, ``encode_song``, ``score`` and, with lyrics,
        ``encode_text``.

    Raises:
        ValueError: An unknown component, or an argument it does not take.
    """
    check_config(config)
    spec = spec or FeatureSpec.from_options(config.features)
    keras.utils.set_random_seed(config.train.seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        models = _assemble(config, spec, word_vectors)
        if config.task == "retrieval":
            given = {"config": json.loads(config.to_json()), "spec": asdict(spec)}
            built_from = json.dumps({**given, "precision": precision})
            train = models["train"]
            models["train"] = PairModel(
                train.input, train.output, built_from, name=train.name
            )
        return models
    finally:
        keras.config.set_dtype_policy(before)


def without_files(config: Config) -> Config:
    """Return the config of a model whose weights come from elsewhere.

    Its encoders neither read nor fetch a file of pretrained weights.
    """
    settings = []
    for modality in config.modalities:
        builder = ENCODERS[modality][getattr(config, modality).name]
        if "weights" in inspect.signature(builder).parameters:
            settings.append(f"{modality}.weights=none")
    return config.override(settings)


def _assemble(
    config: Config, spec: FeatureSpec, word_vectors: np.ndarray | None
) -> dict[str, keras.Model]:
    """Build the models in the global precision."""
    encoders = {}
    for modality in config.modalities:
        component = getattr(config, modality)
        builder = ENCODERS[modality][component.name]
        encoders[modality] = builder(spec, **component.kwargs)
    if word_vectors is not None and "text" in encoders:
        for layer in encoders["text"].layers:
            if isinstance(layer, WordVectors):  # doc2vec has none
                layer.set_weights([word_vectors[:, : spec.embedding_dim]])
    candidates = 1 + config.train.negatives
    if config.task == "retrieval" and config.matching.name == "image2song":
        settings = config.matching.kwargs
        return build_image2song(encoders, spec, candidates=candidates, **settings)
    fuse = partial(FUSIONS[config.fusion.name], **config.fusion.kwargs)
    head = partial(HEADS[config.head.name], **config.head.kwargs)
    arguments: dict = {
        "modality_dropout": config.train.modality_dropout,
        "seed": config.train.seed,
    }
    if config.task == "retrieval":
        arguments |= {
            "has_lyrics": "lyrics" in config.data.texts,
            "candidates": candidates,
            "tower_units": config.tower_units,
            "contrastive_weight": config.train.contrastive_weight,
        }
    models = TASKS[config.task](encoders, fuse, head, spec, **arguments)
    if word_vectors is not None and spec.lsa_dim:
        _set_latent_semantics(models, word_vectors[:, spec.embedding_dim :])
    return models


def _set_latent_semantics(models: Mapping[str, keras.Model], table: np.ndarray) -> None:
    for model in models.values():
        for layer in model.layers:
            if layer.name == "latent_semantics":
                layer.set_weights([table])


def resolved(config: Config) -> Config:
    """Return the config with every argument of its components written out.

    What a run leaves behind must not change its meaning with a later default.

    Example:
        >>> resolved(Config()).fusion.kwargs["heads"]
        1
    """
    builders = {m: ENCODERS[m][getattr(config, m).name] for m in config.modalities}
    if config.matching.name == "image2song":
        builders["matching"] = build_image2song
    else:
        builders["fusion"] = FUSIONS[config.fusion.name]
        builders["head"] = HEADS[config.head.name]
    components = {}
    for key, builder in builders.items():
        component = getattr(config, key)
        defaults = {
            name: parameter.default
            for name, parameter in inspect.signature(builder).parameters.items()
            if parameter.default is not inspect.Parameter.empty
        }
        arguments = json.loads(json.dumps({**defaults, **component.kwargs}))
        components[key] = Component(component.name, arguments)
    return replace(config, **components)


def check_weights(config: Config) -> None:
    """Raise what reading pretrained weights would raise, before anything is trained.

    Raises:
        OSError: A file of weights that is not there and cannot be fetched.
        ValueError: A file that cannot be read into its encoder.
    """
    spec = FeatureSpec.from_options(config.features)
    for modality in config.modalities:
        component = getattr(config, modality)
        builder = ENCODERS[modality][component.name]
        parameter = inspect.signature(builder).parameters.get("weights")
        default = "none" if parameter is None else parameter.default
        if component.kwargs.get("weights", default) != "none":
            builder(spec, **component.kwargs)


def check_config(config: Config) -> None:
    """Refuse unknown components and arguments that theirs do not take.

    Raises:
        ValueError: The message lists the valid names.
    """
    for modality in config.modalities:
        component = getattr(config, modality)
        builder = look_up(modality, component.name, ENCODERS[modality])
        check_kwargs(modality, component, builder, given=("spec",))
    reads_documents = "text" in config.modalities and config.text.name == "doc2vec"
    if config.task == "retrieval" and reads_documents:
        raise ValueError(
            "`text=doc2vec` has one vector for all texts of a post, and retrieval "
            "reads lyrics and caption apart. Use another text encoder."
        )
    if config.matching.name == "image2song":
        given = ("encoders", "spec", "candidates")
        check_kwargs("matching", config.matching, build_image2song, given)
    elif config.matching.kwargs:
        raise ValueError(
            "`matching=jtav` takes no arguments; received "
            f"{', '.join(config.matching.kwargs)}. Its parts are `fusion`, `head` and "
            "`tower_units`."
        )
    fusion = look_up("fusion", config.fusion.name, FUSIONS)
    check_kwargs("fusion", config.fusion, fusion, given=("dims",))
    head = look_up("head", config.head.name, HEADS)
    check_kwargs("head", config.head, head, given=("dim",))
