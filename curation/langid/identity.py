"""What the answers of language identification depend on, told without loading a model."""

from __future__ import annotations

from pathlib import Path

import xxhash

from curation.langid.settings import BACKENDS, LanguageSettings

_DATA = Path(__file__).parent / "data"
BUNDLED = _DATA / "bundled.lid"
"""The model of the backend `bundled`."""
TABLE = _DATA / "confidence.tsv"
"""The coefficients of `curation.langid.confidence`."""


def identity(settings: LanguageSettings) -> str:
    """Return a string that identifies everything that answers depend on in addition to the settings.

    It contains the hash of the model file, if there is one, the hash of the table of confidences, and the distribution
    and version of a backend from a plug-in.
    """
    path: Path | None
    if settings.backend == "bundled":
        path = Path(settings.model) if settings.model else BUNDLED
    elif settings.model:
        path = Path(settings.model)
    else:
        path = None
    model = xxhash.xxh3_128_hexdigest(path.read_bytes()) if path and path.is_file() else str(settings.model)
    origin = BACKENDS.origin(settings.backend)
    backend = settings.backend if origin is None else f"{settings.backend} of {origin}"
    return f"{backend} {model} {xxhash.xxh3_128_hexdigest(TABLE.read_bytes())}"
