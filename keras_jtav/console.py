"""What a run shows while it works and when it is done."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import keras
from tqdm import tqdm

from keras_jtav.config import FeatureOptions
from keras_jtav.data.post import Post, Rejection
from keras_jtav.data.ready_features import ReadyFeatures
from keras_jtav.data.summary import summarize
from keras_jtav.features.vocabulary import Vocabulary

MAX_REJECTIONS_SHOWN = 5


def progress(items: Iterable, total: int, title: str) -> Iterable:
    """Show how far an iteration is and how long it will still take."""
    return tqdm(items, title, total, disable=total == 0, mininterval=_interval())


def table_progress(
    jobs: Sequence[tuple[str, int]],
    title: str,
    num_runs: int,
    took: Iterable[tuple[str, float]] = (),
) -> Iterator[tuple[str, int]]:
    """Yield the rows and runs of a table; show which one it is and the time left.

    Rows differ in cost, so the time left is estimated from what each row took before; a
    row that was not run yet counts as the mean of those that were.

    Args:
        jobs: Row and run of what is still to do.
        title: What the table is called.
        num_runs: Runs of every row.
        took: Row and seconds of what was done before.
    """
    seconds: dict[str, list[float]] = {}
    for row, value in took:
        seconds.setdefault(row, []).append(value)
    form = "{desc} {percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt}, {elapsed}{postfix}"
    with tqdm(
        total=len(jobs), desc=title, bar_format=form, disable=not jobs, leave=False
    ) as bar:
        for number, (row, run) in enumerate(jobs):
            left = time_left([row for row, _ in jobs[number:]], seconds)
            bar.set_postfix_str(f"{left} left; {row}, run {run + 1} of {num_runs}")
            start = time.monotonic()
            yield row, run
            seconds.setdefault(row, []).append(time.monotonic() - start)
            bar.update()


def time_left(rows: Sequence[str], seconds: Mapping[str, Sequence[float]]) -> str:
    """Return how long rows will take, from the seconds that rows took before.

    Example:
        >>> time_left(["A", "B"], {"A": [50, 70], "C": [200]})
        '03:10'
        >>> time_left(["A"], {})
        '?'
    """
    means = {row: sum(values) / len(values) for row, values in seconds.items()}
    if not means:
        return "?"
    unknown = sum(means.values()) / len(means)
    return tqdm.format_interval(round(sum(means.get(row, unknown) for row in rows)))


def say(line: str = "") -> None:
    """Print one line at once."""
    print(line, flush=True)


def show_data(
    posts: Mapping[str, list[Post]],
    rejections: list[Rejection],
    class_names: tuple[str, str],
    task: str,
) -> None:
    """Print sizes, what is missing, and the rows that were left out."""
    counts = summarize(posts, rejections, class_names, task)
    sizes = dict(counts["data"])
    say(
        f"data       {sizes.pop('posts')} posts, {sizes.pop('songs')} songs; "
        + _list(sizes)
    )
    for name in ("classes", "songs", "missing"):
        if name in counts:
            say(name.ljust(11) + _list(counts[name]))
    show_rejections(rejections)


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.items())


def show_rejections(rejections: Sequence[Rejection]) -> None:
    """Print how many rows were left out, and the first of them."""
    if rejections:
        say(f"rejected   {len(rejections)} rows, all of them in rejected.csv:")
    for rejection in rejections[:MAX_REJECTIONS_SHOWN]:
        say(f"           {rejection}")


def show_words(
    options: FeatureOptions, vocabulary: Vocabulary, ready: ReadyFeatures | None
) -> None:
    """Print where the word vectors come from."""
    dim = vocabulary.matrix.shape[1] - options.lsa_dim
    size = f"{len(vocabulary.words)} words, {dim} dimensions"
    origin = options.fasttext or "trained on the training texts with fastText"
    if ready is not None:
        origin = "vectors of the data set"
    lsa = f"; {options.lsa_dim} of latent semantics" if options.lsa_dim else ""
    say(f"words      {size}, {origin}{lsa}")


def show_table(rows: Mapping[str, Mapping[str, float]], title: str) -> None:
    """Print one line of metrics a row.

    Args:
        rows: ``{name: {metric: value}}``; the last has all metrics. Values that are no
            numbers are left out.
        title: Printed over the names.
    """
    *_, all_metrics = rows.values()
    metrics = [m for m, value in all_metrics.items() if isinstance(value, int | float)]
    width = max(len(name) for name in (title, *rows)) + 2
    say(
        title.ljust(width)
        + "".join(name.rjust(max(10, len(name) + 2)) for name in metrics)
    )
    for name, values in rows.items():
        shown = {m: f"{values[m]:.3f}" if m in values else "" for m in metrics}
        cells = [text.rjust(max(10, len(m) + 2)) for m, text in shown.items()]
        say((name.ljust(width) + "".join(cells)).rstrip())


def show_export(version: Path | None, task: str) -> None:
    """Print where the export is and the three lines of Python that load it."""
    if version is None:
        say("SavedModel none: the data set has features, and an export eats raw media")
        return
    say(f"SavedModel {version}")
    endpoint, inputs = {
        "sentiment": ("serving_default", ("image", "audio", "lyrics", "caption")),
        "retrieval": ("encode_query", ("image", "caption")),
    }[task]
    call = ", ".join(f"{name}=tf.constant([{name}])" for name in inputs)
    say("use it, with the bytes of files and with texts; empty is missing:")
    say("    import tensorflow as tf")
    say(f"    model = tf.saved_model.load({str(version)!r})")
    say(f"    model.signatures[{endpoint!r}]({call})")


class TrainingProgress(keras.callbacks.Callback):
    """A bar over all steps of a phase, with the last epoch's metrics beside it.

    Args:
        phase: Its name.
        epochs: Its number of epochs.
    """

    def __init__(self, phase: str, epochs: int) -> None:
        super().__init__()
        self._phase = phase
        self._epochs = epochs
        self._bar: tqdm | None = None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Open the bar where the run begins or goes on."""
        if self._bar is None:
            steps = self.params["steps"]
            self._bar = tqdm(
                desc=self._phase,
                total=steps * self._epochs,
                initial=steps * epoch,
                mininterval=_interval(),
            )

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Move the bar by one step."""
        self._bar.update()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Show the epoch's metrics."""
        shown = ("loss", "val_loss", "val_auc", "val_mrr", "val_R@10")
        metrics = {name: f"{logs[name]:.3f}" for name in shown if name in logs}
        self._bar.set_postfix(epoch=f"{epoch + 1}/{self._epochs}", **metrics)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Close the bar."""
        self._bar.close()


def _interval() -> float:
    """Return the seconds between two updates: fewer where output goes to a file."""
    return 0.2 if sys.stderr.isatty() else 10.0
