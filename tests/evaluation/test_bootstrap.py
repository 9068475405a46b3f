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


def test_clusters_are_drawn_whole():
    """The same draws, put together one cluster after the other."""
    generator = np.random.default_rng(3)
    clusters = generator.integers(7, size=40).astype(str)
    values = generator.normal(size=40)
    names = np.unique(clusters)
    draws = np.random.default_rng(5).integers(len(names), size=(200, len(names)))
    medians = []
    for drawn in draws:
        sample = []
        for name in names[drawn]:
            sample += [v for v, c in zip(values, clusters, strict=True) if c == name]
        medians.append(np.median(sample))
    expected = np.quantile(medians, [0.05, 0.95])
    low, high = bootstrap_interval(
        values, np.median, num_samples=200, level=0.9, seed=5, clusters=clusters
    )
    assert (low, high) == pytest.approx(tuple(expected))


def test_repeated_rows_do_not_narrow_the_interval():
    songs = np.random.default_rng(0).normal(size=50)
    single = bootstrap_interval(songs, num_samples=4000)
    repeated = np.repeat(songs, 5)
    clusters = np.repeat(np.arange(50), 5)
    assert bootstrap_interval(
        repeated, num_samples=4000, clusters=clusters
    ) == pytest.approx(single)
    low, high = bootstrap_interval(repeated, num_samples=4000)
    assert high - low < 0.55 * (single[1] - single[0])  # 1 / sqrt(5) = 0.45


def test_several_statistics_share_the_draws():
    values = np.random.default_rng(0).normal(size=20)
    low, high = bootstrap_interval(values, lambda x: [np.mean(x), np.median(x)])
    for column, statistic in enumerate((np.mean, np.median)):
        expected = bootstrap_interval(values, statistic)
        assert (low[column], high[column]) == pytest.approx(expected)


def test_clusters_must_name_every_row():
    with pytest.raises(ValueError, match=r"each of 3 rows; received shape \(2,\)"):
        bootstrap_interval([1, 2, 3], clusters=["a", "b"])


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
