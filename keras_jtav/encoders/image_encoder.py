"""What all image encoders share: augmentation, scaling, backbone, last dense layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import layers

from keras_jtav.encoders.image_weights import load_backbone
from keras_jtav.encoders.pixel_scaling import PixelScaling
from keras_jtav.encoders.random_view import RandomView
from keras_jtav.features.spec import FeatureSpec

MIN_IMAGE_SIZE = 32


@dataclass(frozen=True)
class Backbone:
    """The part of an image encoder that pretrained weights are for.

    Args:
        name: Its key in ``ENCODERS["image"]``.
        build: Height and width in pixels to a functional model from scaled pixels
            ``(batch, size, size, 3)`` to pooled features ``(batch, channels)``.
        pixels: Mode of ``PixelScaling``.
        load_imagenet: Gives that model ImageNet's weights, or raises an ``OSError``
            that says where to get them; ``None`` where there are none.
    """

    name: str
    build: Callable[[int], keras.Model]
    pixels: str
    load_imagenet: Callable[[keras.Model], None] | None = None


def build_image_encoder(
    backbone: Backbone,
    spec: FeatureSpec,
    *,
    weights: str = "imagenet",
    dim: int = 300,
    dropout: float = 0.2,
    augment: bool = True,
) -> keras.Model:
    """Build an image encoder; its last dense layer is ``v`` (Sec. 3.1.3).

    With pretrained weights the backbone starts frozen, and ``open_backbone`` opens it
    for fine-tuning. Without, everything trains from the start.

    Choice: ``v`` goes through tanh, like the text's recurrent units, so that no
    modality outweighs the others in a product. Before it every feature is brought to
    mean 0 and deviation 1 over the batch: the scale is the backbone's own (before
    training a mean magnitude of .05 in DenseNet121, 8 in SqueezeNet), and that of its
    channels differs as much.

    Args:
        backbone: The network.
        spec: Sizes of the features; ``image_size`` is used. With ``image_features`` the
            backbone and what is before it are left out.
        weights: ``imagenet``, ``none`` or the path of a file (see ``load_backbone``).
        dim: Size of ``v``.
        dropout: Share of backbone features dropped in training.
        augment: Whether pictures are mirrored, shifted, scaled and brightened at random
            in training.

    Returns:
        Uint8 ``(batch, size, size, 3)`` red, green, blue, or float ``(batch,
        image_features)``, to float ``(batch, dim)``.

    Raises:
        ValueError: A picture size below 32, or a file that does not fit.
        OSError: A file of weights that is not there and cannot be fetched.

    Source:
        JTAV, Sec. 3.1.3.
    """
    pretrained = weights != "none"
    _check(backbone, spec, weights)
    image = keras.Input(spec.image_shape, dtype=spec.image_dtype, name="image")
    x = image
    if not spec.image_features:
        network = backbone.build(spec.image_size)
        if weights == "imagenet":
            backbone.load_imagenet(network)
        elif pretrained:
            load_backbone(network, weights)
        network.trainable = not pretrained
        if augment:
            x = RandomView(name="random_view")(x)
        x = PixelScaling(backbone.pixels, name="pixel_scaling")(x)
        x = network(x)
    x = layers.BatchNormalization(
        momentum=0.9, center=False, scale=False, name="feature_normalization"
    )(x)
    x = layers.Dropout(dropout, name="feature_dropout")(x)
    v = layers.Dense(dim, activation="tanh", name="v")(x)
    return keras.Model(image, v, name=backbone.name)


def open_backbone(backbone: keras.Model) -> None:
    """Let a pretrained backbone learn; compile the model around it again afterwards.

    Batch normalisation stays frozen, which in Keras means inference mode: the
    pretrained statistics never move. (Calling the backbone with ``training=False``
    while the graph is built would not do: ``fit`` replaces it by ``True``.)

    Args:
        backbone: What ``backbone_of`` returned.
    """
    backbone.trainable = True
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False


def frozen_encoder(model: keras.Model) -> keras.Model | None:
    """Return the image encoder inside a model if its backbone has yet to learn."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.Model) and any(
            part.name == "backbone" and not part.trainable for part in layer.layers
        ):
            return layer
    return None


def backbone_of(model: keras.Model) -> keras.Model:
    """Return the backbone inside an image encoder."""
    return model.get_layer("backbone")


def backbone_features(model: keras.Model) -> keras.Model:
    """Return the part before the last dense layer, which shares the weights.

    Returns:
        Uint8 ``(batch, size, size, 3)`` to pooled features ``(batch, channels)``.
    """
    features = model.get_layer("feature_normalization").input
    return keras.Model(model.input, features, name=f"{model.name}_features")


def with_features(encoder: keras.Model) -> keras.Model:
    """Return an image encoder that also gives the features below its last dense layer.

    Choice: as they are before dropout. A map that starts at a closed form rests on
    directions of little variance too, which drown in what dropout adds.

    Returns:
        Model from the encoder's input to ``v`` and the normalised features, float
        ``(batch, channels)``; it shares the encoder's weights. An encoder without such
        a layer gives ``v`` twice.
    """
    layers_by_name = {layer.name: layer for layer in encoder.layers}
    features = layers_by_name.get("feature_normalization", encoder).output
    return keras.Model(encoder.input, [encoder.output, features], name=encoder.name)


def _check(backbone: Backbone, spec: FeatureSpec, weights: str) -> None:
    if spec.image_size < MIN_IMAGE_SIZE:
        raise ValueError(
            f"`image_size` must be at least {MIN_IMAGE_SIZE} pixels; received "
            f"{spec.image_size}."
        )
    if weights == "imagenet" and backbone.load_imagenet is None:
        raise ValueError(
            f"{backbone.name!r} has no ImageNet weights. Use weights='none' or a file."
        )
