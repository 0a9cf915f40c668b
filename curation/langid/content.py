"""What a text is before its language is asked for: code, prose to identify, or nothing linguistic."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.langid.cleaning import cleaned
from curation.langid.code_content import is_code
from curation.langid.fences import Block, fenced, split
from open_ml_embed.core.array_types import F32, Mask


@dataclass(frozen=True)
class Prepared:
    """What n texts are.

    Attributes:
        text: string, n; what is left to identify: prose without fenced code, addresses, tags, numbers.
        code: string, n; the corpus's name of the programming language a text is in, null where it is in none.
        confidence: float32, n; of the programming language, 1 where a fence names it; where it is none, of that.
        nothing: bool, n; neither code nor any linguistic content (`zxx`).

    """

    text: pa.StringArray
    code: pa.StringArray
    confidence: F32
    nothing: Mask


def prepared(texts: pa.Array | pa.ChunkedArray) -> Prepared:
    r"""Take apart what needs a language identified and what does not.

    Fenced code goes and the prose around it stays; a text that is all fences is code, or what stands in them.

    Args:
        texts: string or large_string array of n texts; null reads as empty.

    >>> ready = prepared(pa.array(["Mal sehen:\n```py\nx = 1\n```", "SELECT a FROM t WHERE b = 1;", "10 / 3 = ?"]))
    >>> ready.text.to_pylist()[0], ready.code.to_pylist(), ready.nothing.tolist()
    ('Mal sehen:', [None, 'sql', None], [False, False, True])
    """
    array = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    array = array.fill_null("") if array.null_count else array
    held = fenced(array)
    named: dict[int, str] = {}
    if pc.any(held).as_py():
        array, named = _unfenced(array, held)
    found = is_code(array)
    text, nothing = cleaned(array)
    code, confidence = found.name, found.confidence
    nothing &= ~found.mask
    if named:
        rows = np.fromiter(named, np.int64)
        by_name = np.zeros(len(array), np.bool_)
        by_name[rows] = True
        code = pc.replace_with_mask(code, by_name, pa.array(named.values(), pa.string()))
        confidence[rows], nothing[rows] = 1, False
    return Prepared(text, code, confidence, nothing)


def _unfenced(texts: pa.Array, held: pa.BooleanArray) -> tuple[pa.Array, dict[int, str]]:
    """Replace texts with fences by their prose, or without any by the fences' content; name the latter if they do."""
    rows = np.flatnonzero(held.to_numpy(zero_copy_only=False))
    parts = [split(text) for text in texts.filter(held).to_pylist()]
    _, silent = cleaned(pa.array([part.prose for part in parts], pa.string()))
    silent &= np.array([bool(part.blocks) for part in parts])
    bodies, named = [], {}
    for row, part, alone in zip(rows.tolist(), parts, silent.tolist(), strict=True):
        bodies.append("\n".join(block.code for block in part.blocks) if alone else part.prose)
        language = _main(part.blocks) if alone else None
        if language:
            named[row] = language
    return pc.replace_with_mask(texts, held, pa.array(bodies, texts.type)), named


def _main(blocks: list[Block]) -> str | None:
    """Return the language that most of the fenced code is in, if the fences name any."""
    sizes: Counter[str] = Counter()
    for block in blocks:
        if block.language:
            sizes[block.language] += len(block.code)
    return sizes.most_common(1)[0][0] if sizes else None
