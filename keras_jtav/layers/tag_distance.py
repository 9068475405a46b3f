"""From the distance of two points of the tag space to a logit."""

import math

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_jtav")
class TagDistance(keras.layers.Layer):
    """Maps the mean squared error of two points to ``bias - scale * error``.

    Scale (kept as its logarithm, so that it stays positive) and bias are learned: a
    logit that is never above 0 would give no pair more than .5. They leave the order of
    the songs as it is.

    Choice: the scale starts at the number of tags, the bias at 0. Always float32.

    Input:
        Two float (batch, tags).

    Output:
        Logits, float (batch,).

    Source:
        Li et al. 2017, Image2song (the song of the smallest mean squared error).

    Example:
        >>> points = ops.convert_to_tensor([[1.0, 0.0]])
        >>> ops.convert_to_numpy(TagDistance()(points, points + 1)).tolist()
        [-2.0]
    """

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})

    def build(self, first_shape, second_shape):
        """Create scale and bias."""
        self.log_scale = self.add_weight(
            name="gamma",  # weight decay leaves scales of this name alone
            shape=(),
            initializer=keras.initializers.Constant(math.log(first_shape[-1])),
        )
        self.bias = self.add_weight(name="bias", shape=(), initializer="zeros")

    def call(self, first, second):
        """Return the logits."""
        error = ops.mean(ops.square(first - second), axis=-1)
        return self.bias - ops.exp(self.log_scale) * error

    def compute_output_shape(self, first_shape, second_shape):
        """Return (batch,)."""
        return first_shape[:1]
