from itertools import combinations

import keras
import numpy as np
import pytest

from keras_jtav.config import MODALITIES
from keras_jtav.fusion import FUSIONS, build_cmf_ap, build_early

DIMS = {"text": 6, "audio": 5, "image": 4}
SUBSETS = [subset for size in (1, 2, 3) for subset in combinations(MODALITIES, size)]


def vectors(modalities, rows=3):
    rng = np.random.default_rng(8)
    return {m: rng.normal(size=(rows, DIMS[m])).astype("float32") for m in modalities}


@pytest.mark.parametrize("subset", SUBSETS, ids="+".join)
@pytest.mark.parametrize("name", FUSIONS)
def test_every_subset_builds_trains_saves_and_loads(name, subset, tmp_path):
    model = FUSIONS[name]({m: DIMS[m] for m in subset})
    batch = vectors(subset)
    assert model(batch).shape == model.compute_output_shape(
        {m: (3, DIMS[m]) for m in subset}
    )
    if model.trainable_variables:
        model.compile("sgd", "mse", run_eagerly=True)
        before = model.get_weights()
        target = np.ones(model(batch).shape, "float32")
        model.fit(batch, target, verbose=0)
        for old, new in zip(before, model.get_weights(), strict=True):
            assert np.any(old != new)
    model.save(tmp_path / "fusion.keras")
    loaded = keras.saving.load_model(tmp_path / "fusion.keras")
    np.testing.assert_allclose(loaded(batch), model(batch), atol=1e-6)


@pytest.mark.parametrize("name", FUSIONS)
def test_the_batch_and_the_order_of_the_dict_do_not_matter(name):
    model = FUSIONS[name]({m: DIMS[m] for m in reversed(MODALITIES)})
    batch = vectors(MODALITIES)
    expected = np.asarray(model(batch))
    order = [2, 0, 1]
    shuffled = {m: batch[m][order] for m in reversed(MODALITIES)}
    np.testing.assert_allclose(model(shuffled), expected[order], atol=1e-6)
    alone = {m: vector[:1] for m, vector in batch.items()}
    np.testing.assert_allclose(model(alone), expected[:1], atol=1e-6)


@pytest.mark.parametrize("name", FUSIONS)
def test_length_counts_only_without_normalisation(name):
    batch = vectors(MODALITIES)
    longer = {**batch, "audio": 3 * batch["audio"]}
    for normalize in (True, "rms", False):
        model = FUSIONS[name](DIMS, normalize=normalize)
        same = np.allclose(model(batch), model(longer), atol=1e-6)
        assert same is bool(normalize)


def test_vectors_come_to_unit_length_or_to_coordinates_of_about_one():
    batch = vectors(MODALITIES)
    batch["text"][0] = 0
    for normalize, size in ((True, lambda m: 1), ("rms", DIMS.get)):
        u = np.split(build_early(DIMS, normalize=normalize)(batch), [6, 11], axis=1)
        for modality, unit in zip(MODALITIES, u, strict=True):
            expected = np.full(3, size(modality), "float64")
            expected[:1] *= modality != "text"  # the zero vector has no direction
            np.testing.assert_allclose((unit**2).sum(axis=1), expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"true, false or rms; received 'unit'\."):
        build_early(DIMS, normalize="unit")


def test_early_fusion_is_the_vectors_side_by_side():
    batch = vectors(MODALITIES)
    dims = {m: DIMS[m] for m in reversed(MODALITIES)}
    u = build_early(dims, normalize=False)(batch)
    expected = np.concatenate([batch[m] for m in MODALITIES], axis=1)
    np.testing.assert_array_equal(u, expected)
    assert build_early(DIMS, hidden=(7, 3))(batch).shape == (3, 3)


def test_pairs_are_those_of_the_paper_in_its_order():
    names = [layer.name for layer in build_cmf_ap(DIMS).layers]
    pairs = [name for name in names if "_" in name and "unit" not in name]
    assert pairs == ["text_image", "text_audio", "audio_image"]
    join = build_cmf_ap(DIMS).get_layer("join")
    assert join.output.shape == (None, (6 + 4) + (6 + 5) + (5 + 4))


def test_what_cmf_ap_hands_on_at_first_is_small_with_unit_length_only():
    keras.utils.set_random_seed(2)
    rng = np.random.default_rng(2)
    batch = {m: rng.normal(size=(50, 100)).astype("float32") for m in MODALITIES}
    sizes = {}
    for normalize in (True, "rms"):
        fusion = build_cmf_ap(dict.fromkeys(MODALITIES, 100), normalize=normalize)
        joined = keras.Model(fusion.inputs, fusion.get_layer("join").output)(batch)
        sizes[normalize] = float(np.sqrt(np.mean(np.square(joined))))
    assert sizes[True] < 0.003 < 0.03 < sizes["rms"], sizes


@pytest.mark.parametrize("name", FUSIONS)
@pytest.mark.parametrize("dims", [{}, {"text": 3, "smell": 4}])
def test_unknown_modalities_are_refused(name, dims):
    with pytest.raises(ValueError, match="one to three of text, audio, image"):
        FUSIONS[name](dims)


def xor_posts(seed, posts=1000):
    """The sign of each modality says nothing alone; their product is the label."""
    rng = np.random.default_rng(seed)
    patterns = np.random.default_rng(99).normal(size=(2, 16))
    signs = rng.choice([-1, 1], (2, posts))
    text, image = signs[:, :, None] * patterns[:, None] + rng.normal(
        size=(2, posts, 16)
    )
    return {"text": text, "image": image}, (signs.prod(axis=0) > 0).astype(int)


@pytest.mark.parametrize("name", FUSIONS)
def test_early_fusion_alone_cannot_learn_xor(name):
    keras.utils.set_random_seed(0)
    inputs = {m: keras.Input((16,), name=m) for m in ("text", "image")}
    encoded = {
        m: keras.layers.Dense(16, activation="tanh")(x) for m, x in inputs.items()
    }
    u = FUSIONS[name]({"text": 16, "image": 16})(encoded)
    model = keras.Model(inputs, keras.layers.Dense(1)(u))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, jit_compile=False)
    model.fit(*xor_posts(seed=1), epochs=3, batch_size=50, verbose=0)
    posts, labels = xor_posts(seed=2)
    answers = model.predict_on_batch(posts)[:, 0] > 0
    accuracy = np.mean(answers == labels)
    assert accuracy < 0.6 if name == "early" else accuracy > 0.95


def test_a_bottleneck_needs_two_exchanges():
    with pytest.raises(ValueError, match="`exchanges` must be at least 2; received 1"):
        FUSIONS["bottleneck"](DIMS, exchanges=1)
