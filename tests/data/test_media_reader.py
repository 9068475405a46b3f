from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
from PIL import Image

from keras_jtav.data.media_file import DecodeError
from keras_jtav.data.media_reader import MediaReader
from keras_jtav.features.preprocessor import Preprocessor
from keras_jtav.features.vocabulary import Vocabulary
from keras_jtav.options import DataOptions, FeatureOptions

RATE_HZ = 22_050
FEATURES = FeatureOptions(
    words=4,
    spectrogram="cqt",
    clip_seconds=0.5,
    hop_samples=512,
    bins=8,
    image_size=16,
)


@pytest.fixture(scope="module")
def reader():
    vocabulary = Vocabulary(["la"], np.zeros((3, 2), "float32"))
    return MediaReader(Preprocessor(FEATURES, vocabulary), DataOptions())


@pytest.fixture(scope="module", params=["audio", "image"])
def files(request, tmp_path_factory):
    """A modality and some files of it, each of another length or size."""
    folder, draw = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    paths = []
    for number in range(5):
        if request.param == "audio":
            paths.append(folder / f"{number}.wav")
            samples = draw.normal(0, 0.1, round((number / 3 + 0.2) * RATE_HZ))
            soundfile.write(paths[-1], samples, RATE_HZ)
        else:
            paths.append(folder / f"{number}.png")
            pixels = draw.integers(0, 256, (10 + number, 40 - 5 * number, 3), np.uint8)
            Image.fromarray(pixels).save(paths[-1])
    return request.param, paths


@pytest.fixture(scope="module")
def streamed(reader, files):
    modality, paths = files
    features = {}
    for path, (found, fault) in zip(paths, reader.stream(modality, paths), strict=True):
        assert fault == b""
        features[path] = found
    return features


def test_a_file_alone_has_the_bits_of_a_stream(reader, files, streamed):
    modality, paths = files
    for path in (*paths[::-1], paths[0], *paths):
        np.testing.assert_array_equal(reader.read(modality, path), streamed[path])


def test_a_bad_file_leaves_the_next_alone(reader, files, streamed, tmp_path):
    modality, paths = files
    bad = tmp_path / paths[0].name
    bad.write_bytes(b"<html>404</html>")
    for path in paths[:2]:
        with pytest.raises(DecodeError):
            reader.read(modality, bad)
        np.testing.assert_array_equal(reader.read(modality, path), streamed[path])


def test_threads_get_the_features_of_their_own_files(reader, files, streamed):
    modality, paths = files
    many = paths * 8
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda path: reader.read(modality, path), many)
        for path, features in zip(many, found, strict=True):
            np.testing.assert_array_equal(features, streamed[path])
