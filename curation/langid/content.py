"""Classifies texts before language identification: program code, prose to identify, or no linguistic content."""

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
    """Classification of n texts.

    Attributes:
        text: string[n], the text to identify: prose without fenced code, addresses, tags and numbers.
        code: string[n], the corpus's name of the programming language, null if the text is not code.
        confidence: float32[n], confidence in the programming language (1 if a fence names it); if the text is not code,
            confidence in that.
        nothing: bool[n], neither code nor linguistic content (`zxx`).

    """

    text: pa.StringArray
    code: pa.StringArray
    confidence: F32
    nothing: Mask


def prepared(texts: pa.Array | pa.ChunkedArray) -> Prepared:
    r"""Separate the texts to identify from code and from texts without linguistic content.

    Fenced code is removed and the prose around it stays. A text that consists of fences only is code if a fence names a
    programming language; otherwise the content of its fences is classified.

    Args:
        texts: string or large_string array of n texts; null reads as empty.

    >>> ready = prepared(pa.array(["Mal sehen:\n```py\nx = 1\n```", "SELECT a FROM t WHERE b = 1;", "10 / 3 = ?"]))
    >>> ready.text.to_pylist()[0], ready.code.to_pylist(), ready.nothing.tolist()
    ('Mal sehen:', [None, 'sql', None], [False, False, True])
    """
    array = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    array = array.fill_null("") if array.null_count else array
    has_fences = fenced(array)
    named: dict[int, str] = {}
    if pc.any(has_fences).as_py():
        array, named = _unfenced(array, has_fences)
    detected = is_code(array)
    text, nothing = cleaned(array)
    code, confidence = detected.name, detected.confidence
    nothing &= ~detected.mask
    if named:
        rows = np.fromiter(named, np.int64)
        by_name = np.zeros(len(array), np.bool_)
        by_name[rows] = True
        code = pc.replace_with_mask(code, by_name, pa.array(named.values(), pa.string()))
        confidence[rows], nothing[rows] = 1, False
    return Prepared(text, code, confidence, nothing)


def _unfenced(texts: pa.Array, has_fences: pa.BooleanArray) -> tuple[pa.Array, dict[int, str]]:
    """Replace texts with fences by their prose, or by the content of the fences if there is no prose.

    Also return row → programming language for texts without prose whose fences name one.
    """
    rows = np.flatnonzero(has_fences.to_numpy(zero_copy_only=False))
    parts = [split(text) for text in texts.filter(has_fences).to_pylist()]
    _, silent = cleaned(pa.array([part.prose for part in parts], pa.string()))
    silent &= np.array([bool(part.blocks) for part in parts])
    bodies, named = [], {}
    for row, part, alone in zip(rows.tolist(), parts, silent.tolist(), strict=True):
        bodies.append("\n".join(block.code for block in part.blocks) if alone else part.prose)
        language = _main(part.blocks) if alone else None
        if language:
            named[row] = language
    return pc.replace_with_mask(texts, has_fences, pa.array(bodies, texts.type)), named


def _main(blocks: list[Block]) -> str | None:
    """Return the programming language of most of the fenced code, or None if no fence names one."""
    sizes: Counter[str] = Counter()
    for block in blocks:
        if block.language:
            sizes[block.language] += len(block.code)
    return sizes.most_common(1)[0][0] if sizes else None
