"""One side of a pair as one vector: a linear map of each modality, summed."""

import keras
from keras import ops

from keras_jtav.layers.absent_vectors import hide_modalities
from keras_jtav.layers.scaled_unit_norm import ScaledUnitNorm


@keras.saving.register_keras_serializable(package="keras_jtav")
class Tower(keras.layers.Layer):
    """Standardises the vectors of a side, maps them and adds them up.

    Two towers whose vectors are compared by a dot product are a bilinear match, the
    term that stands beside CMF-AP in retrieval. Not part of the paper.

    Choice: vectors are standardised over the batch (in use: by running statistics), so
    that all count alike and items do not all move to one direction, the easiest way to
    a lower loss while they cannot be told apart. A missing vector counts as the mean.

    Always float32: towers are a small part of the work, and start at a closed form.

    Args:
        units: Size of the result.
        rate: Probability that a present modality of a row is hidden in training.
        seed: Of the draws.
        learn_scale: Whether the result's length is learned; else it is 1.

    Input:
        ``vectors``, a list of float (batch, dim_i), and ``masks``, a list of bool
        (batch,), False = missing, one for each vector.

    Output:
        float (batch, units).

    Source:
        Radford et al. 2021 (towers of unit vectors with a learned scale).

    Example:
        >>> import numpy as np
        >>> vectors, masks = [np.ones((2, 3)), np.ones((2, 4))], [np.ones(2, bool)] * 2
        >>> tuple(Tower(units=5)(vectors, masks).shape)
        (2, 5)
    """

    def __init__(self, units, rate=0.0, seed=None, learn_scale=False, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.units = units
        self.rate = rate
        self.seed = seed
        self.learn_scale = learn_scale
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.norm = ScaledUnitNorm(learn_scale, dtype=self.dtype_policy, name="norm")

    def build(self, vectors_shape, masks_shape):
        """Create the statistics and the map of each vector."""
        self.standards, self.kernels = [], []
        for index, shape in enumerate(vectors_shape):
            standard = keras.layers.BatchNormalization(
                momentum=0.9,
                center=False,
                scale=False,
                dtype=self.dtype_policy,
                name=f"standard_{index}",
            )
            standard.build(shape)
            self.standards.append(standard)
            self.kernels.append(
                self.add_weight(
                    name=f"kernel_{index}",
                    shape=(shape[-1], self.units),
                    initializer="orthogonal",
                )
            )
        self.norm.build((vectors_shape[0][0], self.units))

    def call(self, vectors, masks, training=None):
        """Return the vectors of a side, mapped, added and brought to length."""
        present = ops.stack([ops.cast(mask, "bool") for mask in masks], axis=-1)
        shown = present
        if training and self.rate:
            shown = hide_modalities(present, self.rate, self.seed_generator)
        columns = ops.split(shown, len(vectors), axis=-1)  # each (batch, 1)
        total = 0
        for vector, mask, column, standard, kernel in zip(
            vectors, masks, columns, self.standards, self.kernels, strict=True
        ):
            vector = standard(vector, training=training, mask=ops.cast(mask, "bool"))
            vector = vector * ops.cast(column, vector.dtype)
            total = total + ops.matmul(vector, kernel)
        return self.norm(total)

    def compute_output_shape(self, vectors_shape, masks_shape):
        """Return (batch, units)."""
        return (vectors_shape[0][0], self.units)

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "rate": self.rate,
            "seed": self.seed,
            "learn_scale": self.learn_scale,
        }
