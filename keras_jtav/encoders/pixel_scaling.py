"""What a pretrained network expects its pixels to look like."""

import keras
import numpy as np
from keras import ops

# Means and deviations of ImageNet's channels; `caffe` is in blue, green, red order.
CAFFE_MEAN = (103.939, 116.779, 123.68)
TORCH_MEAN = (0.485, 0.456, 0.406)
TORCH_DEVIATION = (0.229, 0.224, 0.225)
MODES = ("caffe", "tf", "torch")


@keras.saving.register_keras_serializable(package="keras_jtav")
class PixelScaling(keras.layers.Layer):
    """Turn RGB pixels into the numbers a network was trained on, float32.

    Args:
        mode: ``caffe`` (blue, green, red minus their ImageNet means), ``torch`` (0 to
            1, standardised per channel) or ``tf`` (-1 to 1).

    Input:
        ``(batch, height, width, 3)`` red, green, blue, uint8 or float, 0 to 255.

    Output:
        ``(batch, height, width, 3)`` float.

    Raises:
        ValueError: An unknown mode.

    Source:
        The modes of ``keras.applications.imagenet_utils.preprocess_input``.

    Example:
        >>> import numpy as np
        >>> black = np.zeros((1, 2, 2, 3), "uint8")
        >>> float(keras.ops.max(PixelScaling("tf")(black)))
        -1.0
    """

    def __init__(self, mode, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        if mode not in MODES:
            raise ValueError(
                f"`mode` must be one of {', '.join(MODES)}; received {mode!r}."
            )
        self.mode = mode

    def call(self, images):
        """Return the scaled pixels."""
        images = ops.cast(images, self.compute_dtype)
        if self.mode == "caffe":
            return ops.flip(images, axis=-1) - self._constant(CAFFE_MEAN)
        if self.mode == "torch":
            mean, deviation = np.array(TORCH_MEAN), np.array(TORCH_DEVIATION)
            scale = self._constant(1 / (255 * deviation))
            return images * scale - self._constant(mean / deviation)
        return images / 127.5 - 1.0

    def compute_output_shape(self, input_shape):
        """Return the input's shape."""
        return input_shape

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "mode": self.mode}

    def _constant(self, values):
        return ops.convert_to_tensor(np.asarray(values, "float32"), self.compute_dtype)
