"""A linear map of the outer product of vectors, with a low-rank weight tensor."""

import keras
from keras import ops

START = 0.1  # what a vector of unit length counts beside the 1, in one factor


@keras.saving.register_keras_serializable(package="keras_jtav")
class LowRankProduct(keras.layers.Layer):
    """Computes ``h = sum_r prod_i (W_i^r [1; z_i]) + b`` with factors of each vector.

    That is ``OuterProduct`` followed by a linear map whose weight tensor is the sum of
    ``rank`` outer products of factors; neither the product nor the tensor is made.

    Choice: the factors' column of the appended 1 starts at a constant, and the others
    small, so that ``h`` is about 1 plus a linear map of each vector, and products grow
    with training. Where both start at random, ``h`` starts as random products, which
    on few posts are learned by heart; where both are small, a product of three starts
    near 0 and learns slowly.

    Args:
        units: Size of ``h``.
        rank: Terms of the sum.

    Input:
        A list of float (batch, dim_i).

    Output:
        float (batch, units).

    Raises:
        ValueError: A rank below 1.

    Source:
        Liu et al. 2018, Efficient Low-rank Multimodal Fusion with Modality-Specific
        Factors (low-rank fusion).

    Example:
        >>> import numpy as np
        >>> x, y = np.ones((2, 8), "float32"), np.ones((2, 5), "float32")
        >>> tuple(LowRankProduct(units=3, rank=2)([x, y]).shape)
        (2, 3)
    """

    def __init__(self, units, rank=4, **kwargs):
        super().__init__(**kwargs)
        if rank < 1:
            raise ValueError(f"`rank` must be at least 1; received {rank}. Use 4.")
        self.units = units
        self.rank = rank

    def build(self, vectors_shape):
        """Create the factors: one matrix and one column of the 1 for each vector."""
        one = self.rank ** (-1 / len(vectors_shape))  # `rank` products of it sum to 1
        self.factors = [
            self.add_weight(
                name=f"factor_{index}",
                shape=(self.rank, shape[-1], self.units),
                initializer=keras.initializers.RandomNormal(stddev=START * one),
            )
            for index, shape in enumerate(vectors_shape)
        ]
        self.factor_biases = [
            self.add_weight(
                name=f"factor_bias_{index}",
                shape=(self.rank, self.units),
                initializer=keras.initializers.Constant(one),
            )
            for index in range(len(vectors_shape))
        ]
        self.bias = self.add_weight(
            name="bias", shape=(self.units,), initializer="zeros"
        )

    def call(self, vectors):
        """Return the sum over ranks of the products over vectors."""
        product = 1.0
        for vector, factor, bias in zip(
            vectors, self.factors, self.factor_biases, strict=True
        ):
            product *= ops.einsum("bd,rdu->bru", vector, factor) + bias
        return ops.sum(product, axis=1) + self.bias

    def compute_output_shape(self, vectors_shape):
        """Return (batch, units)."""
        return (vectors_shape[0][0], self.units)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "units": self.units, "rank": self.rank}
