"""One block of a transformer: self-attention, then two dense layers."""

import keras
from keras import layers

EPSILON = 1e-6


@keras.saving.register_keras_serializable(package="keras_jtav")
class TransformerBlock(keras.layers.Layer):
    """Computes ``y = MSA(LN(x)) + x`` and returns ``MLP(LN(y)) + y``.

    Args:
        heads: Heads of the attention; they divide the tokens' size.
        expansion: Hidden units of the MLP, as a multiple of the tokens' size.

    Input:
        float (batch, tokens, dim).

    Output:
        float (batch, tokens, dim).

    Raises:
        ValueError: Heads that do not divide ``dim``.

    Source:
        Dosovitskiy et al. 2021, An Image is Worth 16x16 Words, Eqs. 2 and 3.

    Example:
        >>> import numpy as np
        >>> tuple(TransformerBlock(heads=2)(np.ones((2, 3, 8), "float32")).shape)
        (2, 3, 8)
    """

    def __init__(self, heads, expansion=2, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.expansion = expansion

    def build(self, tokens_shape):
        """Create attention, dense layers and normalisations."""
        dim = tokens_shape[-1]
        if dim % self.heads:
            raise ValueError(
                f"`heads` must divide the tokens' size, {dim}; received {self.heads}. "
                f"Use 1, or {dim} or another divisor."
            )
        kwargs = {"dtype": self.dtype_policy}
        self.attention_norm = layers.LayerNormalization(epsilon=EPSILON, **kwargs)
        # A bias of the keys would add one number to all of a query's logits.
        self.attention = layers.MultiHeadAttention(
            self.heads, dim // self.heads, use_bias=False, **kwargs
        )
        self.mlp_norm = layers.LayerNormalization(epsilon=EPSILON, **kwargs)
        self.hidden = layers.Dense(self.expansion * dim, activation="gelu", **kwargs)
        self.output_dense = layers.Dense(dim, **kwargs)
        for norm in (self.attention_norm, self.mlp_norm):
            norm.build(tokens_shape)
        self.attention.build(tokens_shape, tokens_shape)
        self.hidden.build(tokens_shape)
        self.output_dense.build((*tokens_shape[:-1], self.expansion * dim))

    def call(self, tokens):
        """Return the tokens after attention and MLP."""
        normed = self.attention_norm(tokens)
        tokens = tokens + self.attention(normed, normed)
        return tokens + self.output_dense(self.hidden(self.mlp_norm(tokens)))

    def compute_output_shape(self, tokens_shape):
        """Return the shape of the tokens."""
        return tokens_shape

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "heads": self.heads,
            "expansion": self.expansion,
        }
