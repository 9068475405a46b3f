"""The bidirectional GRU of the text and audio encoders, and its kernel."""

import keras


def bidirectional_gru(units, return_sequences, name=None):
    """Return a bidirectional GRU layer.

    With ``return_sequences=False`` it gives the concatenation of the last state of the
    forward and the first state of the backward direction, as Sec. 3.1.2 asks.

    Args:
        units: Hidden units of one direction.
        return_sequences: Whether every step's states are returned.
        name: Of the layer.

    Returns:
        Layer from (batch, steps, dim) to (batch, steps, 2 * units) or, without
        sequences, (batch, 2 * units).

    Source:
        JTAV Sec. 3.1.1 (BiGRU) and Sec. 3.1.2 (RNN block).
    """
    gru = keras.layers.GRU(units, return_sequences=return_sequences)
    return keras.layers.Bidirectional(gru, name=name)


def set_cudnn(model, use_cudnn):
    """Choose the kernel of every GRU inside a built model.

    Keras decides when a graph is traced: on a machine with a GPU it writes cuDNN
    operations into an exported graph, which then does not run on a CPU. The choice is
    not saved with a model, so it is made after loading as well.

    Args:
        model: A model or layer, changed in place.
        use_cudnn: ``False`` for the portable kernel (before an export, and to compile
            with XLA), ``"auto"`` for the fastest one of the machine.
    """
    for layer in model._flatten_layers():  # Keras has no public walk over sublayers
        if isinstance(layer, keras.layers.GRU):
            layer.use_cudnn = use_cudnn
            layer.supports_jit = use_cudnn is False  # as GRU's constructor has it
