import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_jtav.layers import OverSegments, bidirectional_gru, set_cudnn


def test_last_forward_and_first_backward_state(rng):
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    whole = bidirectional_gru(4, return_sequences=True)
    last = bidirectional_gru(4, return_sequences=False)
    whole.build(x.shape)
    last.build(x.shape)
    last.set_weights(whole.get_weights())
    states = np.asarray(whole(x))
    expected = np.concatenate([states[:, -1, :4], states[:, 0, 4:]], axis=-1)
    np.testing.assert_allclose(last(x), expected, atol=1e-6)


def test_the_kernel_is_chosen_in_every_nested_gru():
    inner = keras.Sequential(
        [keras.Input((5, 3)), bidirectional_gru(4, return_sequences=False)]
    )
    clips = keras.Input((None, 5, 3))
    mask = keras.Input((None,), dtype="bool")
    model = keras.Model([clips, mask], OverSegments(inner)(clips, mask))
    rnn = inner.layers[0]
    set_cudnn(model, False)
    assert (rnn.forward_layer.use_cudnn, rnn.backward_layer.use_cudnn) == (False, False)
    set_cudnn(model, "auto")
    assert rnn.forward_layer.use_cudnn == rnn.backward_layer.use_cudnn == "auto"


@pytest.mark.parametrize(("use_cudnn", "is_written"), [("auto", True), (False, False)])
def test_beside_a_gpu_keras_writes_its_kernels_unless_told(
    monkeypatch, use_cudnn, is_written
):
    model = keras.Sequential(
        [keras.Input((5, 3)), bidirectional_gru(4, return_sequences=True)]
    )
    set_cudnn(model, use_cudnn)
    gpu = tf.config.LogicalDevice("/device:GPU:0", "GPU")
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda *_, **__: [gpu])
    graph = tf.function(model).get_concrete_function(tf.zeros((2, 5, 3))).graph
    operations = {operation.type for operation in graph.get_operations()}
    assert any("Cudnn" in name for name in operations) == is_written
