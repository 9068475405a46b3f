"""The loss of both tasks: the binary cross-entropy of logits."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_jtav")
class LogitLoss(keras.losses.Loss):
    """The mean over all logits of their binary cross-entropy (Sec. 3.3).

    Keras's own ``BinaryCrossentropy`` takes the mean over the last axis first. Of
    logits ``(batch,)`` that leaves a single number, and under ``tf.distribute`` Keras
    does not divide one number by the devices: gradients would be summed, not averaged.

    Input:
        labels and logits, float (batch,) or (batch, candidates).

    Example:
        >>> labels, logits = ops.array([1.0, 0.0]), ops.array([0.0, 0.0])
        >>> round(float(LogitLoss()(labels, logits)), 4)  # ln 2
        0.6931
    """

    def call(self, labels, logits):
        """Return the cross-entropy of every logit, in the shape of the logits."""
        return ops.binary_crossentropy(labels, logits, from_logits=True)
