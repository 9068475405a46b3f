from pathlib import Path

import pytest

from keras_jtav.data.post import Post


def test_missing_names_absent_and_empty_parts():
    post = Post("p1", {"lyrics": "", "caption": "la"}, image=Path("p1.png"))
    assert post.missing == ("lyrics", "audio")
    whole = Post("p2", {"lyrics": "la", "caption": "la"}, Path("a"), Path("b"))
    assert whole.missing == ()


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"group": "g", "song": "s", "audio": Path("a.wav")}, "g"),
        ({"song": "s", "audio": Path("a.wav")}, "s"),
        ({"audio": Path("a.wav")}, "a.wav"),
        ({}, "p1"),
    ],
)
def test_group_key_is_the_first_that_is_known(fields, key):
    assert Post("p1", {"caption": "la"}, **fields).group_key == key


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": ""}, "A post needs an `id`"),
        ({"texts": {"title": "la"}}, "may have lyrics, caption; received 'title'"),
        ({"texts": {"caption": ""}}, "'p1' has no text, no audio and no image"),
        ({"label": 2}, "'p1': `label` must be 0 or 1; received 2"),
        ({"split": "dev"}, "`split` must be train, validation, test or empty"),
    ],
)
def test_post_refuses(fields, message):
    with pytest.raises(ValueError, match=message):
        Post(**{"id": "p1", "texts": {"caption": "la"}, **fields})
