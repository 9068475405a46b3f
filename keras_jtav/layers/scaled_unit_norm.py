"""Vectors of unit length, times a learned scale: the sides of a dot product."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_jtav")
class ScaledUnitNorm(keras.layers.Layer):
    """Divides each vector by its length and multiplies it by one learned scale.

    A dot product of two unit vectors lies in [-1, 1], too narrow for a softmax over
    many candidates; the learned scale (an inverse temperature) on one side widens it.
    It is kept as its logarithm. The zero vector stays zero. Always float32: squares of
    float16 overflow at 256, and what keeps 0 / 0 away underflows.

    Choice: the scale has a lower bound. While the vectors still say nothing, a smaller
    scale lowers a softmax's loss; without the bound it falls to 0 within a few hundred
    steps, and with it every gradient.

    Args:
        learn_scale: Whether to multiply by the learned scale at all.
        initial_scale: Its first value.
        min_scale: Its lowest value, above 0.
        max_scale: Its highest value.

    Input:
        float (batch, dim).

    Output:
        float (batch, dim).

    Raises:
        ValueError: An initial scale outside the lowest and highest, or a lowest one
            that is not above 0.

    Source:
        Radford et al. 2021, Learning Transferable Visual Models From Natural Language
        Supervision, Sec. 2.5 (a learned temperature, clipped at 100).

    Example:
        >>> import numpy as np
        >>> vectors = np.array([[3, 4]], "float32")
        >>> np.asarray(ScaledUnitNorm(initial_scale=10.0)(vectors)).round(4).tolist()
        [[6.0, 8.0]]
    """

    def __init__(
        self,
        learn_scale=True,
        initial_scale=10.0,
        min_scale=5.0,
        max_scale=100.0,
        **kwargs,
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        if not 0 < min_scale <= initial_scale <= max_scale:
            raise ValueError(
                "`initial_scale` must lie between `min_scale`, above 0, and "
                f"`max_scale`; received {initial_scale}, {min_scale} and {max_scale}. "
                "Use 10, 5 and 100."
            )
        self.learn_scale = learn_scale
        self.initial_scale = initial_scale
        self.min_scale = min_scale
        self.max_scale = max_scale

    def build(self, vectors_shape):
        """Create the logarithm of the scale."""
        if self.learn_scale:
            self.log_scale = self.add_weight(
                name="log_scale",
                shape=(),
                initializer=keras.initializers.Constant(math.log(self.initial_scale)),
            )

    def call(self, vectors):
        """Return the vectors at their new length."""
        unit = ops.normalize(vectors, axis=-1)
        if not self.learn_scale:
            return unit
        return unit * ops.clip(ops.exp(self.log_scale), self.min_scale, self.max_scale)

    def compute_output_shape(self, vectors_shape):
        """Return (batch, dim)."""
        return vectors_shape

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "learn_scale": self.learn_scale,
            "initial_scale": self.initial_scale,
            "min_scale": self.min_scale,
            "max_scale": self.max_scale,
        }
