"""Backbones with a factored token embedding: what an export in efficient mode needs.

Importing this package makes their model types known to transformers, and so to sentence-transformers:

    import open_ml_embed.factorized
    from sentence_transformers import SentenceTransformer

    SentenceTransformer("out/model")
"""

from open_ml_embed.factorized.modeling import MODELS, register

__all__ = ["MODELS"]

register()
