"""Backbones with a factored token embedding, for transformers: what an export in efficiency mode needs."""
