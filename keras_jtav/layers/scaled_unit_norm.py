"""Vectors of unit length, times a learned scale: the sides of a dot product."""

from __future__ import annotations

import keras
from keras import KerasTensor, ops


@keras.saving.register_keras_serializable(package="keras_jtav")
class ScaledUnitNorm(keras.layers.Layer):
    """Divide each vector by its length and multiply it by one learned scale.

    A dot product of two unit vectors lies in [-1, 1], too narrow for a softmax over
    many candidates; the learned scale (an inverse temperature) on one side widens it.

    Args:
        learn_scale: Whether to multiply by the learned scale at all.
        initial_scale: Its first value.
        max_scale: Its highest value.

    Input: float ``(batch, dim)``. Output: the same shape.

    Source: Radford et al. 2021, Learning Transferable Visual Models From Natural
    Language Supervision, Sec. 2.5 (a learned temperature, clipped at 100).
    """

    def __init__(
        self,
        learn_scale: bool = True,
        initial_scale: float = 10.0,
        max_scale: float = 100.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.learn_scale = learn_scale
        self.initial_scale = initial_scale
        self.max_scale = max_scale

    def build(self, input_shape: tuple) -> None:
        if self.learn_scale:
            log_scale = keras.initializers.Constant(float(ops.log(self.initial_scale)))
            self.log_scale = self.add_weight(
                name="log_scale", shape=(), initializer=log_scale
            )

    def call(self, vectors: KerasTensor) -> KerasTensor:
        unit = ops.normalize(vectors, axis=-1)
        if not self.learn_scale:
            return unit
        return unit * ops.minimum(ops.exp(self.log_scale), self.max_scale)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "learn_scale": self.learn_scale,
            "initial_scale": self.initial_scale,
            "max_scale": self.max_scale,
        }
