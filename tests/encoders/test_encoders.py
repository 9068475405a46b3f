import inspect

import keras
import numpy as np
import pytest

from keras_jtav.config import MODALITIES, Component, check_kwargs
from keras_jtav.encoders import ENCODERS

NAMES = {
    "text": ["att_bigru", "bigru", "lyrics_han", "vector"],
    "audio": ["convnet", "dcrnn", "mfcc", "vector"],
    "image": ["densenet121", "resnet101", "small_cnn", "squeezenet", "vector", "vgg19"],
}
LIGHT = [
    *[("text", name) for name in NAMES["text"]],
    *[("audio", name) for name in NAMES["audio"]],
]


def test_every_modality_has_its_encoders():
    names = {**NAMES, "text": sorted([*NAMES["text"], "doc2vec"])}  # has its own tests
    assert {key: sorted(entries) for key, entries in ENCODERS.items()} == names
    assert set(ENCODERS) == set(MODALITIES)


@pytest.mark.parametrize(
    ("modality", "name"), [(m, n) for m, names in NAMES.items() for n in names]
)
def test_every_argument_has_a_default_that_a_config_can_replace(modality, name):
    build = ENCODERS[modality][name]
    first, *rest = inspect.signature(build).parameters.values()
    assert first.name == "spec"
    for parameter in rest:
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.default is not parameter.empty
        component = Component(name, {parameter.name: parameter.default})
        check_kwargs(modality, component, build, given=("spec",))


@pytest.mark.parametrize("name", [n for n in NAMES["image"] if n != "vector"])
def test_image_encoders_share_their_arguments(name):
    assert set(inspect.signature(ENCODERS["image"][name]).parameters) == {
        "spec",
        "weights",
        "dim",
        "dropout",
        "augment",
    }
    with pytest.raises(ValueError, match=r"Unknown key `image\.depth`.*weights"):
        check_kwargs(
            "image",
            Component(name, {"depth": 1}),
            ENCODERS["image"][name],
            given=("spec",),
        )


@pytest.mark.parametrize(("modality", "name"), [*LIGHT, ("image", "small_cnn")])
def test_every_encoder_gives_one_vector(modality, name, make_spec):
    spec = make_spec(frames=64, bins=48)
    model = ENCODERS[modality][name](spec)
    inputs = {
        "words": np.ones((2, 4, 1), "int32"),
        "supporting_words": np.ones((2, 2, 1), "int32"),
    }
    if modality == "audio":
        inputs = np.zeros((2, 64, 48), "float32")
    elif modality == "image":
        inputs = np.zeros((2, 32, 32, 3), "uint8")
    output = model(inputs)
    assert isinstance(model, keras.Model)
    assert output.shape == (2, model.output_shape[-1])
