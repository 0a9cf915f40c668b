"""Cleaning and normalization of the texts of a source, in the form that its rows have."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from sources.cleaning import cleaned
from sources.manifest import Manifest
from sources.text import normalized


def clean(
    texts: pa.StringArray, langs: pa.StringArray, manifest: Manifest, side: Literal["query", "positive"]
) -> pa.StringArray:
    """Clean and normalize texts as for the rows of a source.

    Shapes that compare texts use this function, so that they treat two texts as equal exactly if the rows do.

    Args:
        texts: string array of n raw texts; nulls stay.
        langs: string array of n language tags; program text (`…-Code`) keeps its whitespace.
        manifest: of the source; `clean` names the operations.
        side: the side of a row that the texts are for.

    """
    texts = cleaned(texts, langs, manifest.cleaning(side))
    code = pc.fill_null(pc.ends_with(langs, "-Code"), fill_value=False)
    count = code.true_count
    if count in (0, len(code)):
        return normalized(texts, code=bool(count))
    return pc.if_else(code, normalized(texts, code=True), normalized(texts))
