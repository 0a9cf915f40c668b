"""The texts of a source as its rows have them: what its manifest declares, then what all texts have in common."""

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
    """Return texts as the rows of a source have them.

    Shapes that compare texts compare what this returns, so that two texts are the same to them where they are to a
    reader of the rows.

    Args:
        texts: string array of n raw texts; nulls stay.
        langs: the language tag of each; program text ends in `-Code` and keeps its whitespace.
        manifest: says in `clean` what to do.
        side: of a row, that the texts are for.

    """
    texts = cleaned(texts, langs, manifest.cleaning(side))
    code = pc.fill_null(pc.ends_with(langs, "-Code"), fill_value=False)
    marked = code.true_count
    if marked in (0, len(code)):
        return normalized(texts, code=bool(marked))
    return pc.if_else(code, normalized(texts, code=True), normalized(texts))
