from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from keras_jtav.data.media import MediaStore
from keras_jtav.data.post import Post
from keras_jtav.evaluation.simple_features import SimpleFeatures
from keras_jtav.options import DataOptions, FeatureOptions
from keras_jtav.reporting import RetrievalReport


@pytest.fixture
def posts(tmp_path):
    """Return a post of each of four songs; the first has a picture of 7100 x 7100."""
    Image.new("L", (7100, 7100), 90).save(tmp_path / "large.png")
    words = ("sun", "rain", "snow", "wind")
    posts = [
        Post(word, {"caption": word, "lyrics": f"{word} {word}"}, song=word)
        for word in words
    ]
    large = Post("sun", posts[0].texts, image=tmp_path / "large.png", song="sun")
    return [large, *posts[1:]]


def test_the_sheet_of_queries_has_pictures_within_the_limits_of_the_run(
    posts, tmp_path
):
    data = DataOptions(max_image_pixels=7100 * 7100)
    prepared = SimpleNamespace(
        posts=dict.fromkeys(("train", "validation", "test"), posts),
        modalities=("text", "image"),
        ready=None,
        store=MediaStore(None, FeatureOptions(), data, tmp_path, ("text", "image")),
        split="dagger",
    )
    judge = SimpleNamespace(
        matches=lambda split: np.eye(4, dtype=bool),
        scores=lambda split: np.eye(4),
        song_rows=lambda split: range(4),
    )
    measures = {"image": (lambda path: np.ones(2), 2)}
    report = RetrievalReport(
        judge, prepared, [], "model", SimpleFeatures(posts, measures)
    )
    (sheet,) = report.draw({}, tmp_path)
    with Image.open(sheet) as drawn:
        pixels = np.asarray(drawn.convert("RGB")).reshape(-1, 3)
    assert (pixels == 90).all(axis=1).sum() > 10_000
