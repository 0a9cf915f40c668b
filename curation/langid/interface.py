"""`identify`: texts to ISO 639-3 code, script and confidence, whatever the backend."""

from __future__ import annotations

from functools import cache

import pyarrow as pa

from curation.langid.identifier import Identifier
from curation.settings import LanguageSettings

IDENTIFIED_SCHEMA = pa.schema(
    [
        pa.field("code", pa.string(), nullable=False),
        pa.field("script", pa.string(), nullable=False),
        pa.field("confidence", pa.float32(), nullable=False),
    ]
)
"""ISO 639-3 (`und` where the model will not say), ISO 15924 of the text's commonest script, 0 to 1."""


@cache
def backend(settings: LanguageSettings) -> Identifier:
    """Load the backend that the settings name, once a process."""
    if settings.backend == "fasttext":
        from curation.langid.fasttext_backend import FastText

        return FastText(settings.model)
    from curation.langid.cld2_backend import Cld2

    return Cld2()


def identify(texts: pa.StringArray, settings: LanguageSettings | None = None) -> pa.Table:
    """Identify the language of every text.

    Args:
        texts: string array of n texts.
        settings: which backend; the default needs neither network nor model file.

    Returns:
        Table of n rows, `IDENTIFIED_SCHEMA`.

    """
    from curation.langid.scripts import scripts_of

    codes, confidence = backend(settings or LanguageSettings()).codes(texts)
    arrays = [pa.array(codes, pa.string()), scripts_of(texts), pa.array(confidence, pa.float32())]
    return pa.table(arrays, schema=IDENTIFIED_SCHEMA)
