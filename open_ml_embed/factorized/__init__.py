"""Backbones with a factorized token embedding, the format of an export in efficient mode.

Importing this package registers their model types with transformers, and thereby with sentence-transformers:

    import open_ml_embed.factorized
    from sentence_transformers import SentenceTransformer

    SentenceTransformer("out/model")
"""

from open_ml_embed.factorized.modeling import MODELS, register

__all__ = ["MODELS"]

register()
