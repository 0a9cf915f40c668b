r"""Text normalisation, vectorised over Arrow strings: what every text of the corpus has in common.

Line ends become ``\n``, other control characters and stray byte-order marks go, NFC is applied, outer whitespace
is stripped. Natural-language text also has runs of spaces and tabs collapsed; code keeps its inner whitespace and
the indentation of its first line. Applying it twice changes nothing.
"""

from __future__ import annotations

import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sources.textscan import COMPOSING, SUSPECT, scanned

_CONTROL = r"[\x00-\x08\x0e-\x1f\x7f\x{80}-\x{84}\x{86}-\x{9f}\x{feff}]"
_LINE_END = r"\r\n?|[\x0b\x0c\x{85}]"


def normalised(texts: pa.StringArray, *, code: bool = False) -> pa.StringArray:
    r"""Return the texts in normal form; nulls stay.

    Most texts are in normal form already. A look at their bytes tells which may not be, and only those are worked on.

    Args:
        texts: any Arrow string array or chunked array.
        code: keep inner whitespace and the indentation of the first line.

    Returns:
        An array of the same length.

    >>> normalised(pa.array(["  a\t b\r\nc\ufeff "])).to_pylist()
    ['a b\nc']
    >>> normalised(pa.array(["\n  x =  1\n"]), code=True).to_pylist()
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
    texts = pc.replace_substring_regex(texts, _LINE_END, "\n")
    texts = pc.replace_substring_regex(texts, _CONTROL, "")
    composing = _composing(texts)
    if composing.any():
        mask = pa.array(composing)
        texts = pc.replace_with_mask(texts, mask, pc.utf8_normalize(texts.filter(mask), form="NFC"))
    if code:
        return pc.replace_substring_regex(pc.utf8_rtrim_whitespace(texts), r"^(?:[^\S\n]*\n)+", "")
    texts = pc.replace_substring_regex(texts, r"[ \t]{2,}|\t", " ")
    return pc.utf8_trim_whitespace(texts)


def _suspects(texts: pa.StringArray, *, code: bool) -> np.ndarray:
    """Tell which texts may not be in normal form (bool, n)."""
    verdicts = scanned(texts, code=code)
    suspects: np.ndarray = verdicts == SUSPECT
    marked = np.flatnonzero(verdicts == COMPOSING)
    suspects[marked] = _composing(texts.take(pa.array(marked)))
    return suspects


def _composing(texts: pa.StringArray) -> np.ndarray:
    """Tell which texts are not in NFC (bool, n); asking costs a fraction of what making it does."""
    values = texts.to_pylist()
    return np.array([value is not None and not unicodedata.is_normalized("NFC", value) for value in values], bool)
