import keras
import numpy as np
import pytest

from keras_jtav.encoders import applications
from keras_jtav.encoders.applications import (
    DENSENET121,
    RESNET101,
    VGG19,
    build_densenet121,
    build_resnet101,
    build_vgg19,
)
from keras_jtav.encoders.image_encoder import backbone_of

BUILDERS = {
    "densenet121": (DENSENET121, build_densenet121, 1024),
    "vgg19": (VGG19, build_vgg19, 512),
    "resnet101": (RESNET101, build_resnet101, 2048),
}


@pytest.fixture(params=BUILDERS)
def name(request):
    keras.backend.clear_session()
    return request.param


@pytest.mark.slow
def test_old_files_round_trip(
    name, make_spec, pictures, write_old_keras, randomize, tmp_path
):
    """A file in the published layout, with the top, gives each layer its arrays."""
    backbone, build, channels = BUILDERS[name]
    source = randomize(backbone.build(32))
    assert source.output_shape == (None, channels)
    arrays = {layer.name: layer.get_weights() for layer in source.layers}
    arrays["predictions"] = [np.zeros((channels, 10)), np.zeros(10)]
    path = write_old_keras(tmp_path / "old.h5", arrays)

    model = build(make_spec(), weights=str(path), dim=6)
    for mine, theirs in zip(
        backbone_of(model).get_weights(), source.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    assert model(pictures).shape == (4, 6)
    assert [weight.path for weight in model.trainable_weights] == [
        "v/kernel",
        "v/bias",
    ]
    if name == "densenet121":
        model.save(tmp_path / "encoder.keras")
        loaded = keras.saving.load_model(tmp_path / "encoder.keras")
        np.testing.assert_array_equal(loaded(pictures), model(pictures))


def test_a_failed_download_names_the_file_and_its_place(name, monkeypatch, tmp_path):
    def unreachable(**kwargs):
        raise Exception(f"URL fetch failure on somewhere/{name}.h5: no network")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    backbone = applications._application(unreachable, name, "caffe")
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten()])
    file = f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    with pytest.raises(OSError, match=f"URL fetch failure.*{file}.*{tmp_path}") as info:
        backbone.load_imagenet(model)
    assert "--image-weights FILE" in str(info.value)


def test_imagenet_weights_are_those_that_keras_loads():
    def network(weights, **kwargs):
        model = keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Flatten(),
                keras.layers.Dense(
                    2, kernel_initializer="ones" if weights else "zeros"
                ),
            ]
        )
        assert weights in (None, "imagenet")
        return model

    backbone = applications._application(network, "any", "caffe")
    model = backbone.build(8)
    backbone.load_imagenet(model)
    np.testing.assert_array_equal(model.layers[-1].kernel, np.ones((192, 2)))
