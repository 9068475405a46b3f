"""From decoded media to the inputs of the encoders, in the graph."""
