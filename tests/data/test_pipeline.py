import itertools

import numpy as np
import pytest
import soundfile
from PIL import Image

from keras_jtav.data.media import MediaStore
from keras_jtav.data.pairs import BatchPlan
from keras_jtav.data.pipeline import PostFeatures
from keras_jtav.data.post import Post
from keras_jtav.features.preprocessor import Preprocessor
from keras_jtav.features.vocabulary import Vocabulary
from keras_jtav.options import DataOptions, FeatureOptions

RATE_HZ = 22_050
FEATURES = FeatureOptions(
    words=5,
    supporting_words=2,
    spectrogram="mel",
    clip_seconds=0.5,
    hop_samples=512,
    bins=8,
    image_size=16,
)
WORDS = ["la", "so", "happy", "sad", "song"]
TABLE = np.arange(14, dtype="float32").reshape(7, 2) * (np.arange(7) > 0)[:, None]
NAMES = (
    "words",
    "supporting_words",
    "spectrogram",
    "segment_mask",
    "image",
    "image_mask",
)
FRAMES, BINS, SIZE = 22, 8, 16


@pytest.fixture(scope="module")
def posts(tmp_path_factory):
    """Four songs, two posts each; recordings of 0 to 3 segments; one without any."""
    folder = tmp_path_factory.mktemp("media")
    draw = np.random.default_rng(0)
    recordings = [None, *(folder / f"{n}.wav" for n in (1, 2, 3))]
    for path, segments in zip(recordings[1:], (1, 2, 3), strict=True):
        samples = draw.normal(0, 0.1, segments * RATE_HZ // 2)
        soundfile.write(path, samples, RATE_HZ)
    made = []
    for n in range(8):
        picture = folder / f"{n}.png"
        Image.fromarray(draw.integers(0, 256, (12, 20, 3), np.uint8)).save(picture)
        lyrics = {"lyrics": "la la so happy"} if n != 2 else {}
        caption = {"caption": ("sad song", "so")[n % 2]} if n != 3 else {}
        made.append(
            Post(
                f"p{n}",
                lyrics | caption,
                audio=recordings[n // 2],
                image=None if n == 5 else picture,
                label=n % 2,
                song=f"s{n // 2}",
            )
        )
    return made


@pytest.fixture(scope="module")
def make_features(posts, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    preprocessor = Preprocessor(FEATURES, Vocabulary(WORDS, TABLE))

    def make(task, posts=posts, modalities=("text", "audio", "image")):
        data = DataOptions()
        store = MediaStore(preprocessor, FEATURES, data, cache, modalities)
        assert store.prepare(posts, lambda items, total, title: items) == []
        spec = preprocessor.spec
        return PostFeatures(posts, store, preprocessor, spec, task), store

    return make


def arrays(dataset, count=None):
    return list(itertools.islice(dataset.as_numpy_iterator(), count))


def test_encoding_gives_every_post_once_with_all_segments(posts, make_features):
    features, store = make_features("sentiment")
    batches = arrays(features.encoding(NAMES, batch_size=3))
    assert [len(batch["words"]) for batch in batches] == [3, 3, 2]
    assert [batch["segment_mask"].shape[1] for batch in batches] == [1, 2, 3]
    rows = [
        {name: array[row] for name, array in batch.items()}
        for batch in batches
        for row in range(len(batch["words"]))
    ]
    for post, row in zip(posts, rows, strict=True):
        segments = 0 if post.audio is None else int(post.audio.stem)
        assert row["segment_mask"].sum() == segments
        assert row["segment_mask"][:segments].all()
        assert not row["spectrogram"][segments:].any()
        if segments:
            expected = store.spectrogram(post.audio)
            np.testing.assert_array_equal(row["spectrogram"][:segments], expected)
        assert row["image_mask"] == (post.image is not None)
        if post.image is not None:
            np.testing.assert_array_equal(row["image"], store.image(post.image))


def test_missing_parts_are_zeros_and_false_masks(make_features):
    only = [Post("t", {"caption": "so sad"}, label=0)]
    features, _ = make_features("sentiment", only)
    (batch,) = arrays(features.encoding(NAMES, batch_size=4))
    assert batch["spectrogram"].shape == (1, 1, FRAMES, BINS)
    assert batch["segment_mask"].tolist() == [[False]]
    assert batch["image"].shape == (1, SIZE, SIZE, 3)
    assert batch["image_mask"].tolist() == [False]
    assert not batch["spectrogram"].any()
    assert not batch["image"].any()
    # The longer text, here the caption, is the protagonist.
    assert batch["words"][0, :, 0].tolist() == [3, 5, 0, 0, 0]
    assert not batch["supporting_words"].any()


def test_media_outside_the_modalities_count_as_missing(posts, make_features):
    features, _ = make_features("sentiment", posts, ("text", "image"))
    (batch,) = arrays(features.encoding(NAMES, batch_size=8))
    assert not batch["segment_mask"].any()
    assert batch["image_mask"].sum() == 7


def test_only_the_rows_and_names_asked_for_are_given(posts, make_features):
    features, store = make_features("retrieval")
    rows = np.array([6, 0])
    dataset = features.encoding(("image", "image_mask"), 8, rows)
    (batch,) = arrays(dataset)
    assert set(batch) == {"image", "image_mask"}
    expected = [store.image(posts[row].image) for row in rows]
    np.testing.assert_array_equal(batch["image"], expected)


def test_retrieval_never_swaps_lyrics_and_caption(make_features):
    only = [Post("t", {"lyrics": "la", "caption": "so sad song"}, song="s")]
    for task, words in (("retrieval", [2]), ("sentiment", [3, 5, 6])):
        features, _ = make_features(task, only)
        (batch,) = arrays(features.encoding(("words",), 1))
        assert batch["words"][0, : len(words), 0].tolist() == words
        assert not batch["words"][0, len(words) :].any()


def test_training_takes_the_drawn_segment(posts, make_features):
    features, store = make_features("sentiment")
    plan = BatchPlan(posts, 4, 0, seed=1)
    drawn = set()
    batches = arrays(features.training(plan, NAMES), 20 * plan.steps_per_epoch)
    planned = [batch for epoch in range(20) for batch in plan.epoch(epoch)]
    for (batch, labels), plan_batch in zip(batches, planned, strict=True):
        assert batch["spectrogram"].shape == (4, 1, FRAMES, BINS)
        assert labels.tolist() == [posts[row].label for row in plan_batch.queries]
        for row, query in enumerate(plan_batch.queries):
            audio = posts[query].audio
            assert batch["segment_mask"][row, 0] == (audio is not None)
            if audio is None:
                assert not batch["spectrogram"][row].any()
                continue
            segments = store.spectrogram(audio)
            number = int(plan_batch.draws[row, 0] * len(segments))
            np.testing.assert_array_equal(
                batch["spectrogram"][row, 0], segments[number]
            )
            drawn.add((audio.stem, number))
    assert drawn == {("1", 0), ("2", 0), ("2", 1), ("3", 0), ("3", 1), ("3", 2)}


def test_training_equals_encoding_where_files_have_one_segment(posts, make_features):
    posts = [post for post in posts if post.audio is None or post.audio.stem == "1"]
    features, _ = make_features("sentiment", posts)
    plan = BatchPlan(posts, len(posts), 0, seed=0)
    ((batch, _),) = arrays(features.training(plan, NAMES), 1)
    order = next(plan.epoch(0)).queries
    (expected,) = arrays(features.encoding(NAMES, len(posts), order))
    assert batch.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(batch[name], array, err_msg=name)
        assert batch[name].dtype == array.dtype


def test_retrieval_gives_songs_an_axis_of_candidates(posts, make_features):
    features, store = make_features("retrieval")
    plan = BatchPlan(posts, 4, 2, seed=3)
    batch, labels = arrays(features.training(plan, (*NAMES, "song_keys")), 1)[0]
    shapes = {name: array.shape for name, array in batch.items()}
    assert shapes == {
        "words": (4, 3, 5, 1),
        "supporting_words": (4, 2, 1),
        "spectrogram": (4, 3, 1, FRAMES, BINS),
        "segment_mask": (4, 3, 1),
        "image": (4, SIZE, SIZE, 3),
        "image_mask": (4,),
        "song_keys": (4, 3, 2),
    }
    assert labels.tolist() == [[1, 0, 0]] * 4
    planned = next(plan.epoch(0))
    np.testing.assert_array_equal(batch["song_keys"], plan.keys[planned.songs])
    encoded = arrays(features.encoding(("words", "supporting_words"), 8))[0]
    np.testing.assert_array_equal(batch["words"], encoded["words"][planned.songs])
    captions = encoded["supporting_words"][planned.queries]
    np.testing.assert_array_equal(batch["supporting_words"], captions)
    for row, column in np.ndindex(4, 3):
        audio = posts[planned.songs[row, column]].audio
        assert batch["segment_mask"][row, column, 0] == (audio is not None)
        if audio is not None:
            segments = store.spectrogram(audio)
            number = int(planned.draws[row, column] * len(segments))
            found = batch["spectrogram"][row, column, 0]
            np.testing.assert_array_equal(found, segments[number])


@pytest.mark.parametrize(("task", "negatives"), [("sentiment", 0), ("retrieval", 1)])
def test_the_stream_from_an_epoch_is_the_tail_of_the_whole(
    posts, make_features, task, negatives
):
    features, _ = make_features(task)
    plan = BatchPlan(posts, 3, negatives, seed=5)  # 2 of 8 posts wait
    steps = plan.steps_per_epoch
    whole = arrays(features.training(plan, NAMES), 5 * steps)
    tail = arrays(features.training(plan, NAMES, epoch=3), 2 * steps)
    for (one, labels), (other, other_labels) in zip(
        tail, whole[3 * steps :], strict=True
    ):
        np.testing.assert_array_equal(labels, other_labels)
        for name in NAMES:
            np.testing.assert_array_equal(one[name], other[name])
    assert (whole[0][0]["image"] != tail[0][0]["image"]).any()
