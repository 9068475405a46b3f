import pytest

from keras_jtav.config import Config
from keras_jtav.model import check_config


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "text=lstm",
            "one of att_bigru, bigru, doc2vec, lyrics_han, vector; received 'lstm'",
        ),
        ("text.unit=3", "Unknown key `text.unit`. Valid keys of 'att_bigru': units"),
        ("image.weight=none", "Unknown key `image.weight`"),
        ("fusion.head=8", "Unknown key `fusion.head`. Valid keys of 'cmf_ap'"),
        ("matching.units=3", "`matching=jtav` takes no arguments; received units"),
        ("head=deep", "`head` must be one of dense"),
        ("head.unit=3", "Unknown key `head.unit`. Valid keys of 'dense': units"),
    ],
)
def test_an_unknown_part_or_argument_is_named(setting, message):
    with pytest.raises(ValueError, match=message):
        check_config(Config().override([setting]))


def test_parts_of_absent_modalities_are_not_checked():
    check_config(Config().override(["modalities=text", "image.nonsense=1"]))
