"""From a trained model to answers: export, in-graph decoders, prediction."""
