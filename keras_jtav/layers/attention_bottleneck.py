"""Attention bottlenecks: modalities that see each other through few tokens only."""

import keras
from keras import ops

from keras_jtav.layers.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable(package="keras_jtav")
class AttentionBottleneck(keras.layers.Layer):
    """Lets each modality's tokens attend to themselves and to shared tokens.

    Every modality has a transformer block of its own over its tokens and the shared
    ones. Its tokens never see another modality's; the shared tokens that leave the
    layer are the mean of what the modalities made of them. So what a modality learns
    of another one took two layers: one wrote it down, the next reads it.

    Args:
        heads: Heads of each block's attention.

    Input:
        A list of the shared tokens, float (batch, shared, dim), and of each modality's
        tokens, float (batch, tokens_i, dim).

    Output:
        A list of the same shapes.

    Source:
        Nagrani et al. 2021, Attention Bottlenecks for Multimodal Fusion.

    Example:
        >>> import numpy as np
        >>> tokens = np.ones((2, 3, 8), "float32")
        >>> outputs = AttentionBottleneck(heads=2)([tokens[:, :1], tokens, tokens])
        >>> [tuple(output.shape) for output in outputs]
        [(2, 1, 8), (2, 3, 8), (2, 3, 8)]
    """

    def __init__(self, heads, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def build(self, inputs_shape):
        """Create one block for each modality."""
        (batch, num_shared, dim), *token_shapes = inputs_shape
        self.blocks = [
            TransformerBlock(self.heads, dtype=self.dtype_policy) for _ in token_shapes
        ]
        for block, shape in zip(self.blocks, token_shapes, strict=True):
            block.build((batch, num_shared + shape[1], dim))

    def call(self, inputs):
        """Return the shared tokens and each modality's after one exchange."""
        shared, *modalities = inputs
        num_shared = shared.shape[1]
        written, read = [], []
        for block, tokens in zip(self.blocks, modalities, strict=True):
            outputs = block(ops.concatenate([shared, tokens], axis=1))
            written.append(outputs[:, :num_shared])
            read.append(outputs[:, num_shared:])
        return [sum(written) / len(written), *read]

    def compute_output_shape(self, inputs_shape):
        """Return the shapes of the inputs."""
        return list(inputs_shape)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "heads": self.heads}
