"""The trainer's own files inside a model folder, next to those that sentence-transformers loads."""

from __future__ import annotations

from open_ml_embed.core.listing import LISTING

NATIVE = "train3d"
"""Folder of these files."""
RUN = f"{NATIVE}/run.json"
"""What a finished model was trained from; written last."""
RECORD = f"{NATIVE}/export.json"
"""Facts about an export that sentence-transformers has no field for."""
MODEL_LISTING = f"{NATIVE}/{LISTING}"
"""Sizes and hashes of the files of a finished model."""
TRAINED, UNTRAINED = (f"{NATIVE}/{kind}.safetensors" for kind in ("trained", "untrained"))
"""The weights of a finished model under the trainer's own names, after training and before."""
FACTORS = f"{NATIVE}/factors.safetensors"
"""The two factors of the token embedding, beside an export whose table is their product."""
STORED = (FACTORS, TRAINED)
"""Files of a model folder that have the factors of the token embedding, in the order in which they are looked for."""
