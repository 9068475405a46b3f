"""Learned stand-ins for missing modalities, and modality dropout."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_jtav")
class AbsentVectors(keras.layers.Layer):
    """Replaces the vectors of missing modalities by learned ones.

    In training it also hides present modalities at random, so that one model learns to
    serve every subset. Not part of the paper, whose posts are complete.

    Args:
        rate: Probability, 0 to below 1, that a present modality of a row is hidden in
            training. A draw that would hide all that a row has hides none of it.
        seed: Of the draws.

    Input:
        ``vectors``, a list of float (batch, dim_i), and ``masks``, a list of bool
        (batch,), False = missing, one for each vector.

    Output:
        A list of the shapes of ``vectors``.

    Raises:
        ValueError: A rate outside [0, 1), or another number of masks than vectors.

    Example:
        >>> import numpy as np
        >>> text, audio = np.ones((2, 3), "float32"), np.ones((2, 4), "float32")
        >>> masks = [np.array([True, True]), np.array([True, False])]
        >>> _, filled = AbsentVectors(rate=0.1, seed=0)([text, audio], masks)
        >>> np.asarray(filled)[0].tolist(), bool(np.any(np.asarray(filled)[1] == 1))
        ([1.0, 1.0, 1.0, 1.0], False)
    """

    def __init__(self, rate=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(
                f"`rate` must be a probability of at least 0 and below 1; received "
                f"{rate}. Use 0 to hide nothing."
            )
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, vectors_shape, masks_shape):
        """Create one vector for each modality."""
        if len(vectors_shape) != len(masks_shape):
            raise ValueError(
                "AbsentVectors needs one mask for each vector; received "
                f"{len(vectors_shape)} vectors and {len(masks_shape)} masks."
            )
        # Choice: about unit length, the length of the vectors that CMF-AP compares.
        self.absent = [
            self.add_weight(
                name=f"absent_{index}",
                shape=(shape[-1],),
                initializer=keras.initializers.RandomNormal(stddev=shape[-1] ** -0.5),
            )
            for index, shape in enumerate(vectors_shape)
        ]

    def call(self, vectors, masks, training=None):
        """Return the vectors with the missing and the hidden ones replaced."""
        present = ops.stack([ops.cast(mask, "bool") for mask in masks], axis=-1)
        if training and self.rate:
            present = hide_modalities(present, self.rate, self.seed_generator)
        return [
            self.fill(index, vector, present[:, index])
            for index, vector in enumerate(vectors)
        ]

    def fill(self, index, vector, mask):
        """Return the vectors of one modality with the missing ones replaced.

        Args:
            index: Which modality, in the order of ``call``.
            vector: Float (..., dim).
            mask: Bool (...), False = missing.
        """
        absent = ops.convert_to_tensor(self.absent[index])  # JAX's `where` wants one
        return ops.where(mask[..., None], vector, absent)

    def compute_output_shape(self, vectors_shape, masks_shape):
        """Return the shapes of the vectors."""
        return list(vectors_shape)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


def hide_modalities(present, rate, seed_generator):
    """Return which modalities are left when some are hidden at random.

    Args:
        present: bool (batch, modalities).
        rate: Probability that a present one is hidden.
        seed_generator: ``keras.random.SeedGenerator`` of the draws.

    Returns:
        bool (batch, modalities); a draw that would hide all that a row has hides none.
    """
    draw = keras.random.uniform(ops.shape(present), seed=seed_generator)
    kept = ops.logical_and(present, draw >= rate)
    return ops.where(ops.any(kept, axis=-1, keepdims=True), kept, present)
