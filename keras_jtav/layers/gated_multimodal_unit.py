"""The gated multimodal unit: gates read from all vectors weigh each of them."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_jtav")
class GatedMultimodalUnit(keras.layers.Layer):
    """Weighs vectors by gates: ``h = sum_i z_i * tanh(W_i x_i)``.

    ``z_i = sigmoid(V_i [x_1; ...; x_k])`` has one number for each coordinate of ``h``.
    Of two vectors the second has the gate ``1 - z`` (the bimodal form), of three each
    has a gate of its own. One vector has nothing to be weighed against: its gate is 1.

    Args:
        units: Size of ``h``.

    Input:
        A list of float (batch, dim_i).

    Output:
        float (batch, units).

    Source:
        Arevalo et al. 2017, Gated Multimodal Units for Information Fusion.

    Example:
        >>> import numpy as np
        >>> x, y = np.ones((2, 8), "float32"), np.ones((2, 5), "float32")
        >>> tuple(GatedMultimodalUnit(units=3)([x, y]).shape)
        (2, 3)
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, vectors_shape):
        """Create ``W_i`` of every vector and ``V_i`` of every gate."""
        dims = [shape[-1] for shape in vectors_shape]
        num_gates = {1: 0, 2: 1}.get(len(dims), len(dims))
        self.kernels = [
            self.add_weight(name=f"kernel_{index}", shape=(dim, self.units))
            for index, dim in enumerate(dims)
        ]
        self.gate_kernels = [
            self.add_weight(name=f"gate_kernel_{index}", shape=(sum(dims), self.units))
            for index in range(num_gates)
        ]

    def call(self, vectors):
        """Return the gated sum."""
        hidden = [
            ops.tanh(ops.matmul(vector, kernel))
            for vector, kernel in zip(vectors, self.kernels, strict=True)
        ]
        if len(hidden) == 1:
            return hidden[0]
        joint = ops.concatenate(vectors, axis=-1)
        gates = [ops.sigmoid(ops.matmul(joint, k)) for k in self.gate_kernels]
        if len(hidden) == 2:
            gates.append(1 - gates[0])
        return sum(gate * h for gate, h in zip(gates, hidden, strict=True))

    def compute_output_shape(self, vectors_shape):
        """Return (batch, units)."""
        return (vectors_shape[0][0], self.units)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "units": self.units}
