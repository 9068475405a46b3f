import keras
import numpy as np
import pytest
from keras import layers

from keras_jtav.encoders.image_weights import load_backbone, squeezenet_weights


def tiny(names=("conv1", "fire2_norm", "last"), filters=4):
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(filters, 3, name=names[0])(image)
    x = layers.BatchNormalization(name=names[1])(x)
    x = layers.ReLU()(x)
    x = layers.Conv2D(2, 1, name=names[2])(x)
    return keras.Model(image, layers.GlobalAveragePooling2D()(x), name="backbone")


@pytest.fixture
def source(randomize):
    return randomize(tiny())


def by_layer(model):
    return {layer.name: layer.get_weights() for layer in model.layers}


def check_equal(model, source):
    for mine, theirs in zip(model.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_old_weights_by_name_in_any_order(source, write_old_keras, tmp_path):
    arrays = by_layer(source)
    arrays["fire2/norm"] = arrays.pop("fire2_norm")
    arrays = dict(reversed(arrays.items())) | {"top": [np.zeros(3)]}
    model = tiny()
    load_backbone(model, write_old_keras(tmp_path / "old.h5", arrays))
    check_equal(model, source)


def test_old_weights_of_other_names_in_order(source, write_old_keras, tmp_path):
    model = tiny(names=("a", "b", "c"))
    path = write_old_keras(tmp_path / "old.h5", by_layer(source))
    load_backbone(model, path)
    check_equal(model, source)


def test_whole_old_model(source, tmp_path):
    import h5py

    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights")
        names = [name for name, arrays in by_layer(source).items() if arrays]
        # Long lists of names are spread over numbered attributes.
        group.attrs["layer_names0"] = [name.encode() for name in names[:2]]
        group.attrs["layer_names1"] = [name.encode() for name in names[2:]]
        for name in names:
            part = group.create_group(name)
            arrays = by_layer(source)[name]
            part.attrs["weight_names"] = [f"w{i}" for i in range(len(arrays))]
            for i, array in enumerate(arrays):
                part[f"w{i}"] = array
    model = tiny()
    load_backbone(model, path)
    check_equal(model, source)


def test_keras_3_weights(source, tmp_path):
    source.save_weights(tmp_path / "new.weights.h5")
    model = tiny()
    load_backbone(model, str(tmp_path / "new.weights.h5"))
    check_equal(model, source)


def test_keras_3_model_with_the_backbone_inside(source, tmp_path):
    image = keras.Input((8, 8, 3))
    outer = keras.Model(image, layers.Dense(1)(source(image)))
    outer.save(tmp_path / "outer.keras")
    model = tiny()
    load_backbone(model, tmp_path / "outer.keras")
    check_equal(model, source)


def test_a_missing_layer_is_named_and_counted(source, write_old_keras, tmp_path):
    arrays = by_layer(source)
    del arrays["fire2_norm"]
    path = write_old_keras(tmp_path / "old.h5", arrays)
    with pytest.raises(
        ValueError, match=r"2 of 3 layers are in it; the first missing .* 'fire2_norm'"
    ):
        load_backbone(tiny(), path)


def test_a_layer_of_another_shape_changes_nothing(source, write_old_keras, tmp_path):
    path = write_old_keras(tmp_path / "old.h5", by_layer(source))
    model = tiny(filters=5)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"'conv1' needs .*5\).*the file has .*4\)"):
        load_backbone(model, path)
    for mine, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, old)


def test_keras_3_weights_of_another_network(tmp_path):
    tiny(filters=5).save_weights(tmp_path / "new.weights.h5")
    with pytest.raises(ValueError, match="does not hold the weights of 'backbone'"):
        load_backbone(tiny(), tmp_path / "new.weights.h5")


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="takes `imagenet`, `none` or an exist"):
        load_backbone(tiny(), tmp_path / "absent.h5")


def test_other_kinds_of_files(tmp_path):
    path = tmp_path / "weights.npz"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"\.weights\.h5 and \.keras files; received"):
        load_backbone(tiny(), path)


def test_broken_files(tmp_path, source, write_old_keras):
    whole = write_old_keras(tmp_path / "old.h5", by_layer(source))
    cut = tmp_path / "cut.h5"
    cut.write_bytes(whole.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"cut\.h5 is not a readable HDF5 file"):
        load_backbone(tiny(), cut)
    model_file = tmp_path / "model.keras"
    model_file.write_bytes(b"PK no zip")
    with pytest.raises(ValueError, match=r"model\.keras is not a readable Keras model"):
        load_backbone(tiny(), model_file)


def test_code_inside_a_model_file_is_not_run(tmp_path):
    image = keras.Input((8, 8, 3))
    model = keras.Model(image, layers.Lambda(lambda x: x + 1)(image))
    model.save(tmp_path / "lambda.keras")
    with pytest.raises(ValueError, match=r"not a readable Keras model.*Lambda"):
        load_backbone(tiny(), tmp_path / "lambda.keras")


def test_squeezenet_file_is_found_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_JTAV_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="fetch_squeezenet"):
        squeezenet_weights()
    path = tmp_path / "weights" / "squeezenet_weights_tf_dim_ordering_tf_kernels.h5"
    path.parent.mkdir()
    path.touch()
    assert squeezenet_weights() == path
