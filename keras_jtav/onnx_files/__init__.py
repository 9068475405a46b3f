"""The numeric part of an exported model as ONNX: from features to answers."""
