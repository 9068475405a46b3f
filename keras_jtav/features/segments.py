"""Equal segments of a recording of any length."""

import tensorflow as tf


def cut_segments(waveform: tf.Tensor, segment_samples: int) -> tf.Tensor:
    """Cut a recording into segments that cover all of it.

    Segments start at 0, S, 2 S, ...; the last one is moved back to end with the file,
    so that it holds no padding. Only a file shorter than one segment is padded, with
    zeros at its end.

    Args:
        waveform: float32 (samples,).
        segment_samples: S, the length of a segment.

    Returns:
        float32 (segments, segment_samples), segments = max(1, ceil(samples / S)).

    Raises:
        ValueError: ``segment_samples`` below 1.

    Example:
        >>> cut_segments(tf.range(5.0), 3).numpy().tolist()
        [[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]]
        >>> cut_segments(tf.range(2.0), 3).numpy().tolist()
        [[0.0, 1.0, 0.0]]
    """
    if segment_samples < 1:
        raise ValueError(
            f"`segment_samples` must be at least 1; received {segment_samples}."
        )
    missing = tf.maximum(0, segment_samples - tf.size(waveform))
    padded = tf.pad(waveform, [[0, missing]])
    before_last = (tf.size(padded) - 1) // segment_samples * segment_samples
    whole = tf.reshape(padded[:before_last], [-1, segment_samples])
    return tf.concat([whole, padded[None, -segment_samples:]], axis=0)
