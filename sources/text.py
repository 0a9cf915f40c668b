r"""Text normalization of all texts of the corpus, vectorized over Arrow strings.

Wrongly decoded characters are repaired if control characters reveal them. Line ends become ``\n``. Other control
characters and stray byte-order marks are removed. NFC is applied, and outer whitespace is stripped. In natural-language
text, runs of spaces and tabs inside lines are collapsed. The indentation of a line stays, since it may belong to a list
or to program text; so does everything in fenced code blocks. Lines of blanks become empty. Program text keeps its inner
whitespace and the indentation of its first line. The normalization is idempotent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.ragged import offsets_of
from sources.cleaning.encoding import repaired
from sources.textkinds import COMPOSING, SUSPECT
from sources.textscan import scanned

_CONTROL = r"[\x00-\x08\x0e-\x1f\x7f\x{80}-\x{84}\x{86}-\x{9f}\x{feff}]"
_LINE_END = r"\r\n?|[\x0b\x0c\x{85}]"
_WRONGLY_DECODED = r"[\x{80}-\x{84}\x{86}-\x{9f}]"
"""C1 controls: texts do not contain them, so this text was UTF-8 or Windows-1252 and was decoded as Latin-1."""
_RUN = r"([^ \t\n])(?:[ \t]{2,}|\t)"
_BLANK_LINE = r"(?m)^[ \t]+$"
_FENCE = r"(?m)^[ \t]*(?:```|~~~)"
_FENCED = re.compile(r"^[ \t]*(```+|~~~+)[^\n]*\n.*?(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)


def normalized(texts: pa.StringArray, *, code: bool = False) -> pa.StringArray:
    r"""Normalize texts; nulls stay.

    Most texts are already normalized. A scan of their bytes selects the others, and only these are processed.

    Args:
        texts: any Arrow string array or chunked array of n texts.
        code: the texts are program text: keep inner whitespace and the indentation of the first line.

    Returns:
        String array of length n.

    >>> normalized(pa.array(["  a\t b\r\nc\ufeff "])).to_pylist()
    ['a b\nc']
    >>> normalized(pa.array(["- one\n  -  two"])).to_pylist()
    ['- one\n  - two']
    >>> normalized(pa.array(["\n  x =  1\n"]), code=True).to_pylist()
    ['  x =  1']

    """
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    texts = texts.cast(pa.string())
    suspects = _suspects(texts, code=code)
    if not suspects.any():
        return texts
    if suspects.all():
        return _cleaned(texts, code=code)
    mask = pa.array(suspects)
    return pc.replace_with_mask(texts, mask, _cleaned(texts.filter(mask), code=code))


def _cleaned(texts: pa.StringArray, *, code: bool) -> pa.StringArray:
    """Apply every rule to every text."""
    texts = _where(texts, pc.match_substring_regex(texts, _WRONGLY_DECODED), _repaired)
    texts = pc.replace_substring_regex(texts, _LINE_END, "\n")
    texts = pc.replace_substring_regex(texts, _CONTROL, "")
    composing = _composing(texts)
    if composing.any():
        mask = pa.array(composing)
        texts = pc.replace_with_mask(texts, mask, pc.utf8_normalize(texts.filter(mask), form="NFC"))
    if code:
        return pc.replace_substring_regex(pc.utf8_rtrim_whitespace(texts), r"^(?:[^\S\n]*\n)+", "")
    texts = pc.utf8_trim_whitespace(texts)  # first: a fence at the end has no block after it
    fenced = pc.match_substring_regex(texts, _FENCE)
    if fenced.true_count:
        whole = _where(texts, fenced, _around_fences)
        return pc.if_else(fenced, whole, _collapsed(texts))
    return _collapsed(texts)


def _where(
    texts: pa.StringArray, mask: pa.BooleanArray, change: Callable[[pa.StringArray], pa.StringArray]
) -> pa.StringArray:
    """Apply `change` to the texts where `mask` is true."""
    mask = pc.fill_null(mask, fill_value=False)
    return pc.replace_with_mask(texts, mask, change(texts.filter(mask))) if mask.true_count else texts


def _repaired(texts: pa.StringArray) -> pa.StringArray:
    return pa.array([repaired(text) for text in texts.to_pylist()], pa.string())


def _collapsed(texts: pa.StringArray) -> pa.StringArray:
    """Collapse runs of blanks inside lines."""
    texts = pc.replace_substring_regex(texts, _BLANK_LINE, "")
    return pc.replace_substring_regex(texts, _RUN, r"\1 ")


def _around_fences(texts: pa.StringArray) -> pa.StringArray:
    """Collapse runs of blanks inside lines outside fenced code blocks."""
    pieces: list[str] = []
    counts: list[int] = []
    for text in texts.to_pylist():
        last, before = 0, len(pieces)
        for block in _FENCED.finditer(text):
            pieces += [text[last : block.start()], block[0]]
            last = block.end()
        pieces.append(text[last:])
        counts.append(len(pieces) - before)
    outside = np.concatenate([np.arange(count) % 2 == 0 for count in counts])
    changed = _where(pa.array(pieces, pa.string()), pa.array(outside), _collapsed)
    offsets = offsets_of(counts).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), changed), "")


def _suspects(texts: pa.StringArray, *, code: bool) -> np.ndarray:
    """Tell which texts may not be normalized (bool[n])."""
    verdicts = scanned(texts, code=code)
    suspects: np.ndarray = verdicts == SUSPECT
    marked = np.flatnonzero(verdicts == COMPOSING)
    suspects[marked] = _composing(texts.take(pa.array(marked)))
    return suspects


def _composing(texts: pa.StringArray) -> np.ndarray:
    """Tell which texts are not in NFC (bool[n]); checking is much faster than normalizing."""
    values = texts.to_pylist()
    return np.array([value is not None and not unicodedata.is_normalized("NFC", value) for value in values], bool)
