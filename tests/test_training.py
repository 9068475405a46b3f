import gc
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_jtav.data.pairs import BatchPlan
from keras_jtav.data.post import Post
from keras_jtav.options import TrainOptions
from keras_jtav.training import release_models, seed_everything, train
from keras_jtav.training_state import Validation

NUM_POSTS, DIM = 40, 6
POSTS = [Post(f"p{n:02d}", {"caption": "la"}, label=n % 2) for n in range(NUM_POSTS)]


class ArrayFeatures:
    """Stands in for ``PostFeatures``: the same batches, from an array."""

    def __init__(self):
        random = np.random.default_rng(0)
        self.x = random.normal(size=(NUM_POSTS, DIM)).astype("float32")
        self.y = (self.x[:, 0] * self.x[:, 1] > 0).astype("float32")

    def training(self, plan, names, epoch=0):
        def rows():
            number = epoch
            while True:
                for batch in plan.epoch(number):
                    yield {names[0]: self.x[batch.queries]}, self.y[batch.queries]
                number += 1

        shapes = tf.TensorSpec((None, DIM)), tf.TensorSpec((None,))
        return tf.data.Dataset.from_generator(
            rows, output_signature=({names[0]: shapes[0]}, shapes[1])
        )


class Stop(Exception):
    pass


class StopAt(keras.callbacks.Callback):
    """Kills a run in the middle of an epoch."""

    def __init__(self, epoch, batch):
        super().__init__()
        self.at, self.epoch = (epoch, batch), 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.at:
            raise Stop


def make_model(precision="float32", units=8):
    """Return a model whose dropout and batch norm have states of their own."""
    seed_everything(5)
    keras.config.set_dtype_policy(precision)
    try:
        x = keras.Input((DIM,), name="x")
        hidden = keras.layers.Dense(units, activation="tanh")(x)
        hidden = keras.layers.BatchNormalization(momentum=0.8)(hidden)
        hidden = keras.layers.Dropout(0.3, seed=1)(hidden)
        logit = keras.layers.Dense(1, dtype="float32")(hidden)
        return keras.Model({"x": x}, keras.ops.squeeze(logit, -1))
    finally:
        keras.config.set_dtype_policy("float32")


def run(
    folder,
    epochs=6,
    stop=None,
    patience=99,
    measure=None,
    validation=None,
    start=None,
    judge_start=False,
    units=8,
    **options,
):
    model = make_model(options.get("precision", "float32"), units)
    features = ArrayFeatures()

    def loss():
        logits = model.predict_on_batch({"x": features.x})
        return {"loss": np.logaddexp(0, logits * (1 - 2 * features.y)).mean()}

    history = train(
        model,
        TrainOptions(
            epochs=epochs,
            batch_size=8,
            learning_rate=0.03,
            patience=patience,
            **options,
        ),
        features,
        BatchPlan(POSTS, 8, 0, seed=2),
        validation or Validation(measure or loss, "loss", higher_is_better=False),
        folder,
        [StopAt(*stop)] if stop else [],
        start=start,
        judge_start=judge_start,
    )
    return history, model.get_weights()


@pytest.mark.parametrize("stop", [(0, 1), (1, 0), (3, 4), (5, 2)])
def test_a_killed_run_ends_as_an_undisturbed_one(tmp_path, stop):
    expected, weights = run(tmp_path / "undisturbed")
    with pytest.raises(Stop):
        run(tmp_path / "killed", stop=stop)
    resumed, resumed_weights = run(tmp_path / "killed")
    assert len(resumed) == len(expected) == 6
    for one, other in zip(resumed, expected, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-5)
        assert one["val_loss"] == pytest.approx(other["val_loss"], rel=1e-5)
    for one, other in zip(resumed_weights, weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_killed_run_in_float16_keeps_the_scale_of_its_loss(tmp_path):
    options = {"epochs": 3, "precision": "mixed_float16"}
    _, weights = run(tmp_path / "undisturbed", **options)
    with pytest.raises(Stop):
        run(tmp_path / "killed", stop=(1, 2), **options)
    _, resumed = run(tmp_path / "killed", **options)
    for one, other in zip(resumed, weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_nothing_is_compiled_once_operations_are_deterministic(tmp_path):
    with pytest.raises(ValueError, match="Train in a new process, or leave --jit out"):
        run(tmp_path, jit=True)  # `make_model` made them so


def test_two_runs_of_one_seed_are_equal(tmp_path):
    one, weights = run(tmp_path / "one", epochs=3)
    other, other_weights = run(tmp_path / "other", epochs=3)
    assert one == other
    for first, second in zip(weights, other_weights, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("cards", "threads"), [([], "1"), (["GPU"], "0")])
def test_a_seed_leaves_one_thread_between_operations_but_not_beside_a_gpu(
    cards, threads
):
    # AddN adds three gradients in an order that depends on which of them is still read.
    # Beside a GPU one thread may wait for itself; 0 is TensorFlow's own number.
    code = (
        "import tensorflow as tf; "
        "from keras_jtav.training import seed_everything; "
        f"tf.config.list_physical_devices = lambda kind: {cards}; "
        "seed_everything(0); "
        "print(tf.config.threading.get_inter_op_parallelism_threads())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.split() == [threads], ran.stderr


def test_training_learns(tmp_path):
    history, _ = run(tmp_path, epochs=25)
    assert min(epoch["val_loss"] for epoch in history) < 0.55 < history[0]["val_loss"]


def test_training_stops_and_goes_back_to_the_best_epoch(tmp_path):
    losses = iter([3.0, 1.0, 2.0, 2.0, 2.0, 9.9])
    history, weights = run(tmp_path, patience=3, measure=lambda: {"loss": next(losses)})
    assert [epoch["val_loss"] for epoch in history] == [3.0, 1.0, 2.0, 2.0, 2.0]
    state = json.loads((tmp_path / "checkpoints/train/state.json").read_text())
    assert state["best_entry"] == 1
    losses = iter([3.0, 1.0, 2.0])
    short, best = run(
        tmp_path / "short", patience=1, measure=lambda: {"loss": next(losses)}
    )
    assert len(short) == 3
    for one, other in zip(weights, best, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("losses", "best"),
    [([1.0, 3.0, 2.0], 0), ([1.0, 3.0, 1.0], 2), ([1.0, 0.5, 2.0], 1)],
)
def test_a_judged_start_is_kept_unless_an_epoch_is_as_good(tmp_path, losses, best):
    said = iter(losses)
    starts = []
    options = {"epochs": 2, "judge_start": True, "start": lambda: starts.append(1)}
    history, weights = run(tmp_path, measure=lambda: {"loss": next(said)}, **options)
    assert [entry["val_loss"] for entry in history] == losses
    assert [entry["loss"] is None for entry in history] == [True, False, False]
    state = json.loads((tmp_path / "checkpoints/train/state.json").read_text())
    assert state["best_entry"] == best
    untrained = make_model().get_weights()
    same = [np.array_equal(a, b) for a, b in zip(weights, untrained, strict=True)]
    assert all(same) == (best == 0)
    again, _ = run(tmp_path, **options)  # complete: neither started nor trained again
    assert again == history
    assert starts == [1]


@pytest.mark.parametrize("stop", [(0, 1), (2, 3)])
def test_a_killed_run_goes_on_from_the_start_that_was_judged(tmp_path, stop):
    options = {"epochs": 4, "judge_start": True}
    expected, weights = run(tmp_path / "undisturbed", **options)
    with pytest.raises(Stop):
        run(tmp_path / "killed", stop=stop, **options)
    resumed, resumed_weights = run(tmp_path / "killed", start=pytest.fail, **options)
    assert len(resumed) == len(expected) == 5
    for one, other in zip(resumed_weights, weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_lower_loss_decides_between_equal_epochs(tmp_path):
    said = [(0.8, 0.9), (1.0, 0.7), (1.0, 0.4), (1.0, 0.5), (0.9, 0.1)]
    measured = iter([{"auc": auc, "loss": loss} for auc, loss in said])
    validation = Validation(lambda: next(measured), "auc", True, tie_breaker="loss")
    for epochs in (2, 5):  # the second call goes on from what the first left
        state = tmp_path / "checkpoints/train/state.json"
        if epochs == 5:
            left = json.loads(state.read_text())
            state.write_text(json.dumps({**left, "finished": False}))
        run(tmp_path, epochs=epochs, validation=validation)
    assert json.loads(state.read_text())["best_entry"] == 2


def test_a_finished_run_is_not_trained_again(tmp_path):
    history, weights = run(tmp_path, epochs=3)

    def never():
        raise AssertionError("an epoch was trained")

    again, same_weights = run(tmp_path, epochs=3, measure=never)
    assert again == history
    for one, other in zip(weights, same_weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_the_last_and_the_best_weights_are_kept(tmp_path):
    run(tmp_path, epochs=5)
    files = {p.name for p in (tmp_path / "checkpoints/train").iterdir()}
    assert "state.json" in files
    assert len(files) in (2, 3)


def test_weights_of_another_version_are_not_gone_on_with(tmp_path):
    with pytest.raises(Stop):
        run(tmp_path, stop=(2, 1))
    with pytest.raises(ValueError, match="of another model: it was written by another"):
        run(tmp_path, units=9)


def test_weight_decay_shrinks_kernels_and_spares_biases_and_scales(tmp_path):
    _, free = run(tmp_path / "free", epochs=1)
    _, decayed = run(tmp_path / "decayed", epochs=1, weight_decay=1 / 0.03)
    names = [weight.path for weight in make_model().weights]
    # A decay of one over the learning rate takes all of a weight in the first step, so
    # that only what the next few steps added is left.
    for name, one, other in zip(names, free, decayed, strict=True):
        if name.endswith("kernel"):
            assert np.abs(other).max() < 0.05 < np.abs(one).max()
        if name.endswith("gamma"):
            assert np.abs(other).min() > 0.5


@pytest.mark.parametrize(
    ("given", "resolved"),
    [
        ({"epochs": 5, "patience": 2}, (5, 2)),
        ({"epochs": 0, "steps": 90}, (9, 8)),
        ({"epochs": 0, "steps": 3, "patience": 0}, (1, 1)),
        ({"epochs": 30, "patience": 0}, (30, 10)),
    ],
)
def test_epochs_and_patience_follow_from_the_steps(given, resolved):
    options = TrainOptions(**given).for_steps(10)
    assert (options.epochs, options.patience) == resolved


@pytest.fixture
def _only_new_objects():
    """Hide from the garbage collector what earlier tests left, maybe millions."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_only_new_objects")
def test_graphs_of_released_models_are_gone():
    def graphs():
        return sum(issubclass(type(value), tf.Graph) for value in gc.get_objects())

    before = graphs()
    x = keras.Input((DIM,))
    model = keras.Model(x, keras.layers.Dense(1)(x))
    model.compile("adam", "mse")
    model.train_on_batch(np.ones((2, DIM)), np.ones((2, 1)))
    del x, model
    assert graphs() > before
    release_models()
    assert graphs() <= before
