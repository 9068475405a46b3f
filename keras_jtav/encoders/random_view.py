"""Light augmentation of pictures, in training only."""

import keras
from keras import ops

WHITE = 255.0


@keras.saving.register_keras_serializable(package="keras_jtav")
class RandomView(keras.layers.Layer):
    """Mirror, shift, scale and brighten every picture by its own random amounts.

    Choice: one layer of ours in place of ``keras.layers.RandomFlip`` and its kin, whose
    ``training`` defaults to ``True``: a model that holds them answers at random when it
    is called without that argument. The map is axis-aligned, so bilinear sampling is a
    product with one small matrix for the rows and one for the columns. What comes in
    from outside the picture is white.

    Args:
        shift: Largest shift, as a share of the picture's size, 0 to 1.
        zoom: Largest relative change of scale, 0 to below 1.
        brightness: Largest change of brightness, as a share of the full range, 0 to 1.
        seed: Of the random stream; ``None`` follows ``keras.utils.set_random_seed``.

    Input:
        ``(batch, height, width, 3)``, uint8 or float, 0 to 255.

    Output:
        ``(batch, height, width, 3)`` float32, 0 to 255; outside training the input's
        own values.

    Raises:
        ValueError: A share that is out of its range.

    Example:
        >>> import numpy as np
        >>> pictures = np.full((1, 4, 4, 3), 7, "uint8")
        >>> float(keras.ops.max(RandomView(seed=1)(pictures)))
        7.0
    """

    def __init__(self, shift=0.1, zoom=0.1, brightness=0.1, seed=None, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        for name, share in (
            ("shift", shift),
            ("zoom", zoom),
            ("brightness", brightness),
        ):
            if not 0 <= share < 1:
                raise ValueError(
                    f"`{name}` must be at least 0 and below 1; received {share}."
                )
        self.shift = shift
        self.zoom = zoom
        self.brightness = brightness
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        """Return the pictures as floats, in training each changed at random."""
        images = ops.cast(images, "float32")
        if not training:
            return images
        batch, height, width, channels = ops.shape(images)
        scale = 1 / self._draw(batch, 1 - self.zoom, 1 + self.zoom)
        mirror = ops.where(self._draw(batch, 0, 1) < 0.5, -1.0, 1.0)
        rows = self._sampling(batch, height, scale)
        columns = self._sampling(batch, width, scale * mirror)
        ink = WHITE - images
        ink = ops.reshape(ink, (batch, height, width * channels))
        ink = ops.matmul(rows, ink)
        ink = ops.reshape(ink, (batch, height, width, channels))
        ink = ops.einsum("bxw,byw...->byx...", columns, ink)
        light = self._draw(batch, -self.brightness, self.brightness) * WHITE
        return ops.clip(WHITE - ink + light[:, None, None], 0.0, WHITE)

    def compute_output_shape(self, input_shape):
        """Return the input's shape."""
        return input_shape

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "shift": self.shift,
            "zoom": self.zoom,
            "brightness": self.brightness,
            "seed": self.seed,
        }

    def _draw(self, batch, low, high):
        """Return ``(batch, 1)`` uniform numbers."""
        return keras.random.uniform((batch, 1), low, high, seed=self.seed_generator)

    def _sampling(self, batch, size, scale):
        """Return the bilinear weights ``(batch, size, size)`` of one axis.

        Row ``i`` says where output pixel ``i`` reads: ``scale * (i - centre)`` from the
        centre, moved by a random shift.
        """
        pixels = ops.arange(size, dtype="float32")
        centre = (ops.cast(size, "float32") - 1) / 2
        moved = self._draw(batch, -self.shift, self.shift) * ops.cast(size, "float32")
        source = scale * (pixels - centre) + centre + moved  # (batch, size)
        return ops.relu(1 - ops.abs(source[:, :, None] - pixels))
