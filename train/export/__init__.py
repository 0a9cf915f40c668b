"""Exports of a finished model that sentence-transformers, transformers and ONNX runtimes load."""
