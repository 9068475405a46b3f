import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from keras_jtav.data.post import Post
from keras_jtav.evaluation.classification import majority_baseline
from keras_jtav.evaluation.figures import (
    drawable,
    save_figure,
    training_figure,
    wrap,
)
from keras_jtav.evaluation.figures_retrieval import query_figure, rank_figure
from keras_jtav.evaluation.figures_sentiment import sentiment_figure

LABELS = [0, 0, 0, 1, 1]
PROBABILITIES = [0.1, 0.4, 0.8, 0.6, 0.9]


def texts(figure):
    """Return all that is written in a figure and its parts."""
    axes = [axes for part in (figure, *figure.subfigs) for axes in part.axes]
    return [text.get_text() for ax in axes for text in ax.texts]


@pytest.fixture
def songs():
    return [
        Post(f"s{i}", {"lyrics": f"song number {i}"}, song=f"s{i}") for i in range(8)
    ]


def queries(tmp_path, number=4):
    Image.new("RGB", (30, 20), "green").save(tmp_path / "a.png")
    captions = ["so happy", "", "Очень длинная подпись " * 9, "$x^2$ and $y 日"]
    return [
        Post(f"q{i}", {"caption": captions[i]}, image=tmp_path / "a.png")
        for i in range(number)
    ]


def test_a_saved_figure_is_a_png_of_its_size_and_leaves_nothing_else(tmp_path):
    path = save_figure(training_figure({"loss": [2, 1]}), tmp_path / "new" / "a.png")
    save_figure(training_figure({"loss": [2, 1]}), path)
    assert [found.name for found in path.parent.iterdir()] == ["a.png"]
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.size == (5.0 * 130, 3.6 * 130)


def test_a_failed_save_leaves_the_old_picture(tmp_path, monkeypatch):
    path = save_figure(training_figure({"loss": [2, 1]}), tmp_path / "a.png")
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("disk full")

    figure = training_figure({"loss": [3]})
    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        save_figure(figure, path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_training_figure_marks_the_best_epoch():
    history = {"loss": [3, 2, 1], "val_loss": [3, 2, 2], "val_rank": [9.0, 4.0, 6.0]}
    title = training_figure(history, "val_rank", higher_is_better=False).axes[1]
    assert title.get_title("left") == "Validation rank: best 4.000 in epoch 2"
    title = training_figure(history, "val_rank").axes[1]
    assert title.get_title("left") == "Validation rank: best 9.000 in epoch 1"
    history = {"loss": [3, 2, 1], "val_loss": [3, 1, 2], "val_auc": [0.5, 1.0, 1.0]}
    title = training_figure(history, "val_auc").axes[1]
    assert title.get_title("left") == "Validation auc: best 1.000 in epoch 2"
    history["val_loss"] = [3, 2, 1]
    title = training_figure(history, "val_auc").axes[1]
    assert title.get_title("left") == "Validation auc: best 1.000 in epoch 3"
    del history["val_loss"]
    title = training_figure(history, "val_auc").axes[1]
    assert title.get_title("left") == "Validation auc: best 1.000 in epoch 2"


@pytest.mark.parametrize(
    ("merits", "when"),
    [([0.5, 0.4, 0.4], "before training"), ([0.5, 0.5, 0.5], "in epoch 1")],
)
def test_training_figure_counts_no_epoch_for_the_start(merits, when):
    history = {"loss": [None, 2, 1], "val_mrr": merits}
    curves = training_figure(history, "val_mrr").axes
    assert curves[1].get_title("left") == f"Validation mrr: best 0.500 {when}"
    assert curves[1].lines[0].get_xdata().tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("history", "metric", "message"),
    [({}, "", "epoch of 'loss'; it has nothing"), ({"loss": [1]}, "a", "'a'; .* loss")],
)
def test_a_history_without_the_curve_is_an_error(history, metric, message):
    with pytest.raises(ValueError, match=message):
        training_figure(history, metric)


def test_sentiment_figure_shows_counts_shares_and_area(tmp_path):
    majority = majority_baseline(LABELS, LABELS)
    names = ("living $nature", "man-made")
    figure = sentiment_figure(
        LABELS, PROBABILITIES, 0.5, majority, names, {"guess": [0.5] * 5}
    )
    # predicted 0 0 1 1 1
    assert texts(figure) == ["2", "67%", "1", "33%", "0", "0%", "2", "100%"]
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    # .6 loses to .8, all other pairs are right: 5 of 6
    assert legend[0] == "this model, AUC 0.833"
    assert "guess, AUC 0.500" in legend
    title = figure.axes[1].get_title("left")
    # F1 .8 for both classes; majority: 3/5 * (2 * .6 / 1.6)
    assert title == "Threshold 0.50, weighted F1 0.800\nmajority guess 0.450"
    save_figure(figure, tmp_path / "a.png")


def test_the_strongest_baselines_are_drawn_in_whatever_order_they_come():
    majority = majority_baseline(LABELS, LABELS)
    others = {"guess": np.full(len(LABELS), 0.5), "wrong": -np.array(LABELS)}
    others |= {f"right {count}": np.array(LABELS) for count in range(3)}
    others = {name: (1 + scores) / 2 for name, scores in others.items()}
    figure = sentiment_figure(LABELS, PROBABILITIES, 0.5, majority, baselines=others)
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    drawn = [name.split(",")[0] for name in legend[1:5]]
    assert drawn == ["right 0", "right 1", "right 2", "guess"]


@pytest.mark.parametrize("num_songs", [1, 2, 8, 21, 130])
def test_rank_figure_counts_every_query_once(num_songs, tmp_path):
    scores = np.random.default_rng(0).normal(size=(num_songs, num_songs))
    is_match = np.eye(num_songs, dtype=bool)
    figure = rank_figure(scores, is_match, {"nothing": 0 * scores})
    bars = figure.axes[0].patches
    assert sum(bar.get_height() for bar in bars) == num_songs
    lines = {line.get_label(): line for line in figure.axes[1].lines}
    assert list(lines) == ["this model", "nothing", "chance"]
    expected = lines["chance"].get_xdata() / num_songs
    assert lines["nothing"].get_ydata() == pytest.approx(expected)
    save_figure(figure, tmp_path / "a.png")


def test_query_figure_marks_the_true_song_even_below_the_best(songs, tmp_path):
    posts = queries(tmp_path, 2)
    scores = np.tile(np.arange(8.0)[::-1], (2, 1))  # song 0 is best
    is_match = np.eye(8, dtype=bool)[[1, 6]]
    figure = query_figure(posts, songs, scores, is_match)
    assert texts(figure)[:7] == [
        "rank 2 of 8",
        "so happy",
        "1",
        "song number 0",
        "2",
        "song number 1",
        "3",
    ]
    second = texts(figure.subfigs[1])
    assert second[:2] == ["rank 7 of 8", "no caption"]
    assert second[-2:] == ["7", "song number 6"]
    marked = [
        text.get_text()
        for card in figure.subfigs
        for text in card.axes[1].texts
        if text.get_weight() == "bold"
    ]
    assert marked == ["rank 2 of 8", "song number 1", "rank 7 of 8", "song number 6"]


def test_query_figure_spreads_over_ranks_and_draws_any_caption(songs, tmp_path):
    posts = queries(tmp_path, 4)
    posts[1] = Post("q1", {"caption": "blind"})
    scores = np.tile(np.arange(8.0)[::-1], (4, 1))
    is_match = np.eye(8, dtype=bool)[[7, 3, 0, 5]]
    figure = query_figure(posts, songs, scores, is_match, num_queries=3)
    ranks = [card.axes[1].texts[0].get_text() for card in figure.subfigs if card.axes]
    assert ranks == ["rank 1 of 8", "rank 6 of 8", "rank 8 of 8"]
    figure = query_figure(posts, songs, scores, is_match)
    assert "$x^2$ and $y □" in texts(figure)
    save_figure(figure, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as picture:
        colours = np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)
    assert [0, 128, 0] in colours.tolist()  # the query's picture


def test_text_is_wrapped_by_its_width():
    narrow, wide = (wrap("i" * 40 + "W" * 40, 9, room, 1) for room in (100, 200))
    assert len(narrow) < len(wide)
    assert len(wrap("W" * 80, 9, 100, 1)) < len(wrap("i" * 80, 9, 100, 1))
    assert wrap("short", 9, 100, 1) == "short"
    assert wrap("", 9, 100, 1) == ""
    assert wrap("a b c", 9, 0.1, 2).count("\n") == 1
    assert drawable(" two\n lines\t") == "two lines"
