"""The contract that every layer keeps."""

import keras
import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture
def check_contract(tmp_path):
    """Hold a layer to STYLE 12: shape, dtype, config, file, training step, tf.data."""

    def check(layer, dtype="float32", **inputs):
        inputs = tf.nest.map_structure(tf.convert_to_tensor, inputs)
        symbols = {
            name: [as_input(x, f"{name}_{i}") for i, x in enumerate(value)]
            if isinstance(value, list)
            else as_input(value, name)
            for name, value in inputs.items()
        }
        outputs = layer(**symbols)
        model = keras.Model(symbols, outputs)
        expected = layer(**inputs)
        for symbol, value in zip(
            tf.nest.flatten(outputs), tf.nest.flatten(expected), strict=True
        ):
            assert symbol.shape[1:] == value.shape[1:]
            assert symbol.dtype == value.dtype == dtype

        twin = type(layer).from_config(layer.get_config())
        assert twin.get_config() == layer.get_config()

        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        # tf.data takes a list for one array, and a tuple for several.
        dataset = tf.data.Dataset.from_tensors(swap(list, tuple, inputs))
        mapped = next(iter(dataset.map(lambda x: model(swap(tuple, list, x)))))
        for other in (model(inputs), loaded(inputs), mapped):
            tf.nest.map_structure(
                lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5),
                tf.nest.flatten(other),
                tf.nest.flatten(expected),
            )

        if layer.trainable_variables:
            features = [
                keras.layers.Flatten()(output) for output in tf.nest.flatten(outputs)
            ]
            joint = (
                keras.layers.Concatenate()(features)
                if len(features) > 1
                else features[0]
            )
            trained = keras.Model(symbols, keras.layers.Dense(1)(joint))
            trained.compile("sgd", "mse")
            before = layer.get_weights()
            batch = len(tf.nest.flatten(inputs)[0])
            trained.fit(inputs, np.arange(batch, dtype="float32"), verbose=0)
            for variable, old, new in zip(
                layer.weights, before, layer.get_weights(), strict=True
            ):
                assert np.all(np.isfinite(new)), variable.path
                assert np.any(new != old) or not variable.trainable, variable.path

    return check


def swap(old, new, inputs):
    return {k: new(v) if isinstance(v, old) else v for k, v in inputs.items()}


def as_input(array, name):
    return keras.Input(array.shape[1:], dtype=array.dtype, name=name)


@pytest.fixture
def rng():
    return np.random.default_rng(7)
