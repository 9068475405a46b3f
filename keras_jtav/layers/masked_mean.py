"""The mean over the real steps of a sequence."""

from keras import ops


def masked_mean(values, mask):
    """Return the mean over the unmasked steps; zeros where a row has none.

    Sums are taken in float32, whatever the values are: with bfloat16's 8 bits, adding a
    hundred words loses the last ones.

    Args:
        values: float (batch, steps, dim).
        mask: bool (batch, steps), False = padding.

    Returns:
        float (batch, dim).

    Example:
        >>> values = ops.convert_to_tensor([[[1.0], [3.0], [9.0]]])
        >>> mean = masked_mean(values, ops.convert_to_tensor([[True, True, False]]))
        >>> ops.convert_to_numpy(mean).tolist()
        [[2.0]]
    """
    real = ops.expand_dims(ops.cast(mask, "float32"), axis=-1)
    count = ops.maximum(ops.sum(real, axis=1), 1)
    total = ops.sum(ops.cast(values, "float32") * real, axis=1)
    return ops.cast(total / count, values.dtype)
