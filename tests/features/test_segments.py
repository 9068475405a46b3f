import pytest
import tensorflow as tf

from keras_jtav.features.segments import cut_segments


def by_loop(waveform, size):
    """The rule, without arrays."""
    if len(waveform) <= size:
        return [waveform + [0.0] * (size - len(waveform))]
    segments, start = [], 0
    while start < len(waveform):
        start = min(start, len(waveform) - size)
        segments.append(waveform[start : start + size])
        start += size
    return segments


@pytest.mark.parametrize("num_samples", [0, 1, 4, 5, 6, 9, 10, 11, 15, 16])
def test_equals_a_loop_inside_tf_data(num_samples):
    waveform = [float(sample + 1) for sample in range(num_samples)]
    dataset = tf.data.Dataset.from_generator(
        lambda: [waveform], output_signature=tf.TensorSpec((None,))
    )
    dataset = dataset.map(lambda x: cut_segments(x, 5))
    assert dataset.element_spec.shape.as_list() == [None, 5]
    segments = dataset.get_single_element().numpy()
    assert segments.dtype == "float32"
    assert segments.tolist() == by_loop(waveform, 5)


def test_every_sample_is_covered():
    segments = cut_segments(tf.range(23.0), 5)
    assert len(segments) == 5
    assert set(segments.numpy().ravel()) == set(range(23))


def test_errors():
    with pytest.raises(
        ValueError, match="`segment_samples` must be at least 1; received"
    ):
        cut_segments(tf.zeros([3]), 0)
