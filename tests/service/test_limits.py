import dataclasses

import pytest

from keras_jtav.service.limits import Limits


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Limits)])
def test_every_bound_is_above_0(name):
    with pytest.raises(ValueError, match=f"`{name}` must be above 0; received 0"):
        Limits(**{name: 0})


def test_sums():
    limits = Limits(max_body_mb=0.5, at_work=2, waiting=3)
    assert limits.max_body_bytes == 524_288
    assert limits.max_requests == 5
