import keras
import numpy as np
import tensorflow as tf

from keras_jtav.attribution import gradients
from keras_jtav.attribution.gradients import (
    class_activation_map,
    hook,
    integrated_gradients,
)


def test_a_linear_function_gives_weight_times_input():
    weights = tf.constant([[1.0, -2.0], [0.0, 4.0]])
    end = np.array([[3.0, 1.0], [5.0, 0.5]], "float32")
    effect = integrated_gradients(
        lambda x: tf.reduce_sum(x * weights, axis=(1, 2)), end, steps=3
    )
    np.testing.assert_allclose(effect, [[3, -2], [0, 2]], atol=1e-6)


def test_the_sum_is_what_the_way_adds():
    def curved(x):
        return tf.reduce_sum(tf.tanh(3 * x), axis=1) * tf.exp(x[:, 0])

    end = np.array([0.7, -0.4], "float32")
    effect = integrated_gradients(curved, end)
    ends = curved(tf.constant(np.stack([end, 0 * end])))
    assert abs(effect.sum() - float(ends[0] - ends[1])) < 1e-3


def test_many_numbers_go_in_parts_and_give_the_same(monkeypatch):
    points = []

    def curved(x):
        points.append(len(x))
        return tf.reduce_sum(tf.tanh(3 * x), axis=1) * tf.exp(x[:, 0])

    end = np.array([0.7, -0.4, 0.1], "float32")
    expected = integrated_gradients(curved, end, steps=5)
    monkeypatch.setattr(gradients, "MOST_NUMBERS_AT_ONCE", 7)
    effect = integrated_gradients(curved, end, steps=5)
    monkeypatch.setattr(gradients, "MOST_NUMBERS_AT_ONCE", 2)
    one_by_one = integrated_gradients(curved, end, steps=5)
    assert points == [5] + [2, 2, 1] + 5 * [1]
    np.testing.assert_allclose(effect, expected, rtol=1e-6)
    np.testing.assert_allclose(one_by_one, expected, rtol=1e-6)


def test_what_is_not_read_adds_nothing():
    effect = integrated_gradients(lambda x: x[:, 0] * 2, np.ones(2, "float32"))
    np.testing.assert_allclose(effect, [2, 0], atol=1e-6)
    effect = integrated_gradients(lambda x: tf.zeros(len(x)), np.ones(2, "float32"))
    np.testing.assert_array_equal(effect, [0, 0])


def test_a_hook_sees_and_changes_outputs_and_is_gone_afterwards():
    layer = keras.layers.Dense(1, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((2,)), layer])
    x = np.array([[1.0, 2.0]], "float32")
    seen = []

    def double(inputs, output):
        seen.append(np.asarray(inputs).tolist())
        return 2 * output

    with hook(layer, double):
        assert float(model(x)[0, 0]) == 6
    assert seen == [[[1.0, 2.0]]]
    assert float(model(x)[0, 0]) == 3


def test_a_class_activation_map_by_hand():
    inputs = keras.Input((2, 2, 2))
    layer = keras.layers.Activation("linear")
    pooled = keras.layers.GlobalAveragePooling2D()(layer(inputs))
    # The logit is 4 times the first channel's mean less 8 times the second's.
    logit = 4 * pooled[:, 0] - 8 * pooled[:, 1]
    model = keras.Model(inputs, logit)
    x = np.zeros((1, 2, 2, 2), "float32")
    x[0, 0, 0] = (5, 0)
    x[0, 1, 1] = (1, 3)
    heat = class_activation_map(lambda: model(x), layer)
    np.testing.assert_allclose(heat, [[5, 0], [0, 0]], atol=1e-6)  # 1 - 6 is below 0
