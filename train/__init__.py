"""The 3D-ML trainer: nested embedding ranks, layers and dimensions on the curated mixes.

Importing it is enough for transformers and sentence-transformers to load an export in efficiency mode.
"""

from open_ml_embed.factorized.registration import register_when_needed

register_when_needed()
