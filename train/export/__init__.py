"""A finished model as folders that sentence-transformers, transformers and ONNX load."""
