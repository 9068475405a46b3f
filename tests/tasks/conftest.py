import numpy as np
import pytest

from keras_jtav.features.spec import FeatureSpec


@pytest.fixture(scope="session")
def spec():
    return FeatureSpec(
        words=6,
        supporting_words=3,
        pieces=2,
        embedding_rows=20,
        embedding_dim=8,
        frames=40,
        bins=24,
        image_size=32,
    )


@pytest.fixture(scope="session")
def make_features(spec):
    """Return a function that makes seeded features of any number of posts."""

    def make(posts, segments=2, seed=0):
        random = np.random.default_rng(seed)
        size = spec.image_size
        shape = (posts, segments, spec.frames, spec.bins)
        return {
            "words": random.integers(2, 20, (posts, spec.words, spec.pieces), "int32"),
            "supporting_words": random.integers(
                2, 20, (posts, spec.supporting_words, spec.pieces), "int32"
            ),
            "spectrogram": random.random(shape, "float32"),
            "segment_mask": np.ones((posts, segments), bool),
            "image": random.integers(0, 256, (posts, size, size, 3)).astype("uint8"),
            "image_mask": np.ones(posts, bool),
        }

    return make


SMALL = (
    "text.units=4",
    "text.attention_units=4",
    "audio.filters=[4,4]",
    "audio.units=6",
    "audio.dim=8",
    "image=small_cnn",
    "image.dim=6",
    "image.augment=false",
    "fusion.attention_units=4",
    "fusion.units=7",
    "head.units=5",
)


@pytest.fixture(scope="session")
def small_settings():
    return SMALL
