"""Songs in clusters, made from the embedded ones, for indexes of any size."""

import numpy as np

from keras_jtav.data.pairs import first_rows_of_songs
from keras_jtav.experiments import preset_config
from keras_jtav.predict import encode_songs
from keras_jtav.preparation import load_table

PORTION = 16_384


def pictures(count):
    """Return the bytes and captions of real posts."""
    posts = load_table(preset_config("retrieval", "small")).posts
    posts = [post for post in posts if post.image is not None][:count]
    captions = [post.texts.get("caption", "").encode() for post in posts]
    images = [post.image.read_bytes() for post in posts]
    return list(zip(images, captions, strict=True))


def real_songs(predictor):
    """Return encodings of the 600 embedded songs."""
    posts = load_table(preset_config("retrieval", "small")).posts
    posts = [posts[row] for row in first_rows_of_songs(posts)]
    return encode_songs(predictor, posts)[0]


def portions(real, num_songs, seed=0):
    """Yield ids and encodings of songs in clusters of two levels around real ones.

    A cluster is a real song, with about twenty smaller ones about it (an artist, an
    album); how many songs each has falls with its number as Zipf's law says.
    """
    rng = np.random.default_rng(seed)
    towers = real["song_tower"]
    parent = np.repeat(np.arange(len(towers)), 20)
    centres = unit(towers[parent] + jitter(rng, towers[parent].shape, 0.5))
    weights = 1 / (1 + rng.permutation(len(centres))) ** 0.7
    spread = rng.uniform(0.2, 0.6, len(centres))
    for start in range(0, num_songs, PORTION):
        count = min(PORTION, num_songs - start)
        cluster = rng.choice(len(centres), count, p=weights / weights.sum())
        noise = jitter(rng, (count, towers.shape[1]), spread[cluster, None])
        songs = {name: array[parent[cluster]] for name, array in real.items()}
        songs["song_tower"] = unit(centres[cluster] + noise)
        songs["audio_vector"] = songs["audio_vector"] * rng.uniform(
            0.8, 1.2, songs["audio_vector"].shape
        ).astype("float32")
        songs["words"] = shuffled(rng, songs["words"])
        yield [f"song{n:07d}" for n in range(start, start + count)], songs


def shuffled(rng, words):
    """Return lyrics with their words in another order."""
    order = np.argsort(rng.random(words.shape[:2]), axis=1)
    return np.take_along_axis(words, order[..., None], axis=1)


def jitter(rng, shape, length):
    """Return vectors of about the given length."""
    return (length * rng.normal(size=shape) / shape[-1] ** 0.5).astype("float32")


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
