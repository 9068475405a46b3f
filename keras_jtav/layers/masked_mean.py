"""The mean over the real steps of a sequence."""

from keras import ops


def masked_mean(values, mask):
    """Return the mean over the unmasked steps; zeros where a row has none.

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
    real = ops.expand_dims(ops.cast(mask, values.dtype), axis=-1)
    count = ops.maximum(ops.sum(real, axis=1), 1)
    return ops.sum(values * real, axis=1) / count
