import numpy as np
import pytest

from keras_jtav.service.fields import STRING, Field
from keras_jtav.service.limits import Limits


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3,), "must be float32 (rows, 2, any); received the shape (3,)"),
        ((3, 2), "received the shape (3, 2)"),
        ((3, 5, 1), "received the shape (3, 5, 1)"),
        ((3, 2, -1), "received the shape (3, 2, -1)"),
        ((0, 2, 1), "must have 1 to 4 rows; received 0"),
        ((5, 2, 1), "must have 1 to 4 rows; received 5"),
    ],
)
def test_shapes_are_checked_before_anything_is_read(refused, shape, message):
    field = Field("x", np.dtype("float32"), (None, 2, None))
    limits = Limits(max_rows=4)
    field.check_shape((4, 2, 9), "here", limits)
    said, _ = refused(field.check_shape, shape, "here", limits)
    assert said.startswith("`here` must ")
    assert message in said


def test_media_are_told_from_texts():
    assert Field("audio", STRING, (None,)).is_media
    assert not Field("lyrics", STRING, (None,)).is_media
    assert not Field("image", np.dtype("float32"), (None,)).is_media
