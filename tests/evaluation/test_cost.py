import keras
import pytest

from keras_jtav.evaluation import cost
from keras_jtav.fusion import FUSIONS


class TimedModel:
    """Takes a known time for every call."""

    def __init__(self, seconds, monkeypatch):
        self.inputs = [keras.Input((3,), name="text"), keras.Input((2,), name="audio")]
        self._seconds = iter(seconds)
        self._now = 0.0
        monkeypatch.setattr(cost.time, "perf_counter", lambda: self._now)

    def predict_on_batch(self, batch):
        assert {name: x.shape for name, x in batch.items()} == {
            "text": (64, 3),
            "audio": (64, 2),
        }
        self._now += next(self._seconds)


def test_the_median_call_counts_and_the_first_ones_do_not(monkeypatch):
    warm_up = [50.0] * cost.WARM_UP
    model = TimedModel([*warm_up, 0.64, 0.128, 9.0], monkeypatch)
    # Median of the timed calls: 0.64 s for 64 posts.
    assert cost.milliseconds_per_post(model, repeats=3) == pytest.approx(10)


@pytest.mark.parametrize("host", ["train", "score"])
def test_the_fusion_is_found_inside_a_model(host):
    dims = {"text": 4, "image": 3}
    inputs = {name: keras.Input((dim,), name=name) for name, dim in dims.items()}
    unified = FUSIONS["early"](dims, hidden=[5])(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(unified))
    models = {"train": keras.Model(inputs, model(inputs)), host: model}
    measured = cost.fusion_cost(models)
    assert measured["fusion_parameters"] == 7 * 5 + 5
    assert measured["milliseconds"] > 0


def test_a_system_without_a_fusion_has_no_cost_of_one():
    inputs = keras.Input((4,))
    models = {"train": keras.Model(inputs, keras.layers.Dense(1)(inputs))}
    assert cost.fusion_cost(models) == {}
