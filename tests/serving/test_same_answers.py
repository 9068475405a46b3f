"""A trained network and its SavedModel answer alike, on its own posts and real ones."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from keras_jtav.config import Component
from keras_jtav.data import load_posts
from keras_jtav.data.pairs import unify_songs
from keras_jtav.data.pipeline import PostFeatures
from keras_jtav.data.tuxpaint import STAMPS_FOLDER
from keras_jtav.judging import JUDGES
from keras_jtav.model import build_model
from keras_jtav.preparation import prepare, silent
from keras_jtav.transfer import train_phases

pytestmark = pytest.mark.slow
PARTS = ("image", "audio", "lyrics", "caption")


@pytest.fixture(scope="module")
def trained(finished_run):
    """The data of a finished run, and its network with the weights that it kept."""
    config, result = finished_run
    prepared = prepare(config, silent)
    models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
    train_phases(config, models, prepared, None, result.folder, lambda *phase: [])
    return config, prepared, models


def logits_of_network(trained, posts):
    """Return what the network says in Python; in retrieval of the posts' own songs."""
    config, prepared, models = trained
    prepared.store.prepare(posts, silent)
    arguments = (posts, prepared.store, prepared.preprocessor, prepared.spec)
    features = {"test": PostFeatures(*arguments, config.task)}
    judge = JUDGES[config.task](
        models, replace(prepared, posts={"test": posts}, features=features)
    )
    if config.task == "sentiment":
        probability = judge.probabilities("test")
        return np.log(probability / (1 - probability))
    return judge.scores("test")[judge.matches("test")]


def test_posts_of_the_run_and_some_that_lack_a_part(trained, predictor):
    posts = list(trained[1].posts["test"])
    posts[0] = replace(posts[0], image=None)
    posts[1] = replace(posts[1], texts={"lyrics": posts[1].texts["lyrics"]})
    if trained[0].task == "sentiment":
        posts[2] = replace(posts[2], audio=None)
    answer, faults = predictor.call_on_posts("serving_default", posts, PARTS)
    assert not faults
    expected = logits_of_network(trained, posts)
    np.testing.assert_allclose(answer["logit"], expected, atol=1e-4)


@pytest.mark.skipif(
    not Path(STAMPS_FOLDER).exists(),
    reason=f"tuxpaint-stamps-default is not installed: no {STAMPS_FOLDER}",
)
def test_real_posts_and_their_raw_files(trained, predictor):
    config, _, _ = trained
    context = {"task": config.task, "split": config.data.split, "split_seed": 0}
    posts = load_posts(Component("tuxpaint", {}), context).posts
    posts = unify_songs(posts) if config.task == "retrieval" else posts
    posts = [post for post in posts if post.image and post.image.suffix == ".png"]
    posts = [post for post in posts if post.audio][::40]
    assert len(posts) >= 8
    expected = logits_of_network(trained, posts)
    answer, faults = predictor.call_on_posts("serving_default", posts, PARTS)
    assert not faults
    np.testing.assert_allclose(answer["logit"], expected, atol=1e-4)

    raw = {
        "image": [post.image.read_bytes() for post in posts],
        "audio": [as_wav(post.audio) for post in posts],
        **{n: [post.texts.get(n, "") for post in posts] for n in PARTS[2:]},
    }
    tensors = {name: tf.constant(values) for name, values in raw.items()}
    answer = predictor.saved_model.signatures["serving_default"](**tensors)
    assert answer["image_ok"].numpy().all()
    assert answer["audio_ok"].numpy().all()
    np.testing.assert_allclose(answer["logit"], expected, atol=1e-4)


def as_wav(path):
    """Return the bytes of a WAV file with the rate and the channels of a recording."""
    samples, rate = soundfile.read(path, dtype="float32")
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()
