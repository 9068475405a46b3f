"""One densely connected CNN-BN-MP sub-block of the audio encoder (Eq. 2)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_jtav")
class DenseCNNBlock(keras.layers.Layer):
    """Three CNN-BN-MP in a row, and a fourth that also sees the first.

    ``A1 = f(A)``, ``A2 = f(A1)``, ``A3 = f(A2)``, output ``f(A1 (+) A3)``, each ``f`` a
    convolution, a batch normalisation and a max pooling of its own.

    Choice: the concatenation needs A1 and A3 of one height and width, so the second and
    third pooling keep the size (3 x 3, stride 1) and the first and fourth shrink it. A
    ReLU stands before each pooling. All padding is ``same``: no input is too short.

    Args:
        filters: Filters of each convolution.
        kernel_size: Height and width of the convolutions.
        pool: Factors (frames, bins) by which the first and the fourth pooling shrink.
        momentum: Of the batch normalisation's averages. With few steps an epoch .99 is
            slow and .8 works better.

    Input:
        float (batch, frames, bins, channels).

    Output:
        float (batch, frames / pool[0]^2, bins / pool[1]^2, filters), rounded up.

    Source:
        JTAV Eq. 2, after Huang et al. 2017 (DenseNet).

    Example:
        >>> DenseCNNBlock(filters=8).compute_output_shape((None, 216, 96, 1))
        (None, 54, 24, 8)
    """

    def __init__(self, filters, kernel_size=3, pool=(2, 2), momentum=0.99, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.pool = tuple(pool)
        self.momentum = momentum
        same = (1, 1)
        self.stages = [self._stage(strides) for strides in (pool, same, same, pool)]

    def _stage(self, strides):
        """Return the layers of one CNN-BN-MP."""
        window = strides if max(strides) > 1 else (3, 3)
        dtype = self.dtype_policy
        return keras.Sequential(
            [
                # A bias would be undone by the batch normalisation.
                keras.layers.Conv2D(
                    self.filters,
                    self.kernel_size,
                    padding="same",
                    use_bias=False,
                    dtype=dtype,
                ),
                keras.layers.BatchNormalization(momentum=self.momentum, dtype=dtype),
                keras.layers.ReLU(dtype=dtype),
                keras.layers.MaxPooling2D(
                    window, strides=strides, padding="same", dtype=dtype
                ),
            ]
        )

    def build(self, inputs_shape):
        """Build the four stages for the channels that each of them sees."""
        first, second, third, last = self.stages
        first.build(inputs_shape)
        shape = first.compute_output_shape(inputs_shape)
        second.build(shape)
        third.build(shape)
        last.build((*shape[:-1], 2 * self.filters))

    def call(self, inputs, training=None):
        """Return ``A_T`` of Eq. 2."""
        first, second, third, last = self.stages
        a1 = first(inputs, training=training)
        a2 = second(a1, training=training)
        a3 = third(a2, training=training)
        return last(ops.concatenate([a1, a3], axis=-1), training=training)

    def compute_output_shape(self, inputs_shape):
        """Return (batch, frames, bins, filters) after two poolings that shrink."""
        batch, frames, bins, _ = inputs_shape
        frames, bins = (
            size and -(-size // factor**2)
            for size, factor in zip((frames, bins), self.pool, strict=True)
        )
        return (batch, frames, bins, self.filters)

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "pool": self.pool,
            "momentum": self.momentum,
        }
