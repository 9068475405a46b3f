"""Products of matrices that round the same in every graph and process."""

import tensorflow as tf


def multiply(rows, matrix):
    """Return ``rows @ matrix``, never by oneDNN.

    TensorFlow may hand float32 products and convolutions to oneDNN, which adds the
    terms in an order that depends on the CPU, and on what the process has computed
    before: features made by two processes, or by a SavedModel, would differ in their
    last bits. Its graph passes do not know ``BatchMatMulV3``. Products in a stack may
    round otherwise than each on its own.

    Args:
        rows: float (..., rows, inner).
        matrix: float (..., inner, columns), of the same type.

    Returns:
        float (..., rows, columns).

    Example:
        >>> multiply(tf.constant([[1.0, 2.0]]), tf.constant([[3.0], [4.0]])).numpy()
        array([[11.]], dtype=float32)
    """
    rows = tf.convert_to_tensor(rows)
    return tf.raw_ops.BatchMatMulV3(
        x=rows, y=tf.convert_to_tensor(matrix, rows.dtype), Tout=rows.dtype
    )
