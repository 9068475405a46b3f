"""The outer product of vectors with an appended 1 (tensor fusion)."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_jtav")
class OuterProduct(keras.layers.Layer):
    """Multiplies every coordinate of each ``[1; z]`` with every one of the others.

    The 1 keeps the vectors themselves, and for three vectors the products of two,
    beside the products of all: the result has ``prod(dim_i + 1)`` coordinates.

    Input:
        A list of float (batch, dim_i).

    Output:
        float (batch, prod(dim_i + 1)); the last vector's coordinates run fastest.

    Source:
        Zadeh et al. 2017, Tensor Fusion Network for Multimodal Sentiment Analysis
        (tensor fusion layer).

    Example:
        >>> import numpy as np
        >>> x, y = np.array([[2.0]]), np.array([[3.0, 5.0]])
        >>> np.asarray(OuterProduct()([x, y])).tolist()
        [[1.0, 3.0, 5.0, 2.0, 6.0, 10.0]]
    """

    def call(self, vectors):
        """Return the product of all vectors, flattened."""
        product = None
        for vector in vectors:
            with_one = ops.concatenate([ops.ones_like(vector[:, :1]), vector], axis=-1)
            if product is None:
                product = with_one
                continue
            product = product[:, :, None] * with_one[:, None, :]
            product = ops.reshape(product, (-1, math.prod(product.shape[1:])))
        return product  # (batch, prod(dim_i + 1))

    def compute_output_shape(self, vectors_shape):
        """Return (batch, prod(dim_i + 1))."""
        return (vectors_shape[0][0], math.prod(s[-1] + 1 for s in vectors_shape))
