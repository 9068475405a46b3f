"""Eq. 3 as it is printed: the reference of the benchmark and of the tests."""

import tensorflow as tf


def outer_product(m, n):
    """``C = m n^T``, ``(batch, m_dim, n_dim)``."""
    return m[:, :, None] * n[:, None, :]


def materialised(layer, m, n):
    """Both poolings of ``C``, with the weights of a ``CrossModalFusion``."""
    matrix = outer_product(m, n)
    rows = pooled(layer.row_pooling, matrix)
    columns = pooled(layer.column_pooling, tf.transpose(matrix, (0, 2, 1)))
    return tf.concat([rows, columns], axis=-1)


def pooled(pooling, matrix):
    """``sigma(W_hat C alpha + b_hat)`` with ``alpha = softmax(u . tanh(W C + b))``."""
    latent = tf.tanh(tf.einsum("bij,ik->bjk", matrix, pooling.kernel) + pooling.bias)
    alpha = tf.nn.softmax(tf.einsum("bjk,kh->bjh", latent, pooling.context), axis=1)
    gated = tf.einsum("bij,bjh->bhi", matrix, alpha)
    gated = tf.reshape(gated, (tf.shape(matrix)[0], -1))
    return pooling.activation(gated @ pooling.output_kernel + pooling.output_bias)
