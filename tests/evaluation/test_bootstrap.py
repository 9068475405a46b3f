import numpy as np
import pytest

from keras_jtav.evaluation.bootstrap import bootstrap_interval


def test_interval_of_a_mean_is_the_normal_one():
    values = np.random.default_rng(0).normal(10, 2, size=400)
    low, high = bootstrap_interval(values, num_samples=4000)
    # 1.96 * 2 / sqrt(400) = 0.196 on both sides
    error = 1.96 * values.std() / 20
    assert low == pytest.approx(values.mean() - error, abs=0.02)
    assert high == pytest.approx(values.mean() + error, abs=0.02)


def test_equal_values_have_no_width():
    assert bootstrap_interval([3, 3, 3], np.median) == (3, 3)


def test_seed_decides_and_level_widens():
    values = np.arange(30)
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)
    narrow, wide = (bootstrap_interval(values, level=level) for level in (0.5, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_rows_are_drawn_together():
    pairs = np.stack([np.arange(5), np.arange(5)], axis=1)
    assert bootstrap_interval(pairs, lambda rows: np.ptp(rows[:, 0] - rows[:, 1])) == (
        0,
        0,
    )


@pytest.mark.parametrize(
    ("values", "level", "message"),
    [
        ([], 0.95, r"at least one row; received shape \(0,\)"),
        ([1], 1.5, "received 1.5"),
    ],
)
def test_wrong_arguments_are_errors(values, level, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(values, level=level)
