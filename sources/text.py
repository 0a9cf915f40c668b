r"""Text normalisation, vectorised over Arrow strings: what every text of the corpus has in common.

Line ends become ``\n``, other control characters and stray byte-order marks go, NFC is applied, outer whitespace
is stripped. Natural-language text also has runs of spaces and tabs collapsed; code keeps its inner whitespace and
the indentation of its first line. Applying it twice changes nothing.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_CONTROL = r"[\x00-\x08\x0e-\x1f\x7f\x{80}-\x{84}\x{86}-\x{9f}\x{feff}]"
_LINE_END = r"\r\n?|[\x0b\x0c\x{85}]"
_LAST_CONTROL, _TAB, _NEWLINE, _SPACE, _DELETE = 0x1F, 0x09, 0x0A, 0x20, 0x7F


def normalised(texts: pa.StringArray, *, code: bool = False) -> pa.StringArray:
    r"""Return the texts in normal form; nulls stay.

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
    found = _Bytes(texts)
    if found.control:
        texts = pc.replace_substring_regex(texts, _LINE_END, "\n")
        texts = pc.replace_substring_regex(texts, _CONTROL, "")
    if found.beyond_nfc:
        texts = pc.utf8_normalize(texts, form="NFC")
    if code:
        return pc.replace_substring_regex(pc.utf8_rtrim_whitespace(texts), r"^(?:[^\S\n]*\n)+", "")
    if found.blank_runs:
        texts = pc.replace_substring_regex(texts, r"[ \t]{2,}|\t", " ")
    return pc.utf8_trim_whitespace(texts)


class _Bytes:
    """What the UTF-8 bytes behind an array hold, so that clean text (most of it) skips the expensive steps."""

    def __init__(self, texts: pa.StringArray) -> None:
        _, offsets_buffer, data_buffer = texts.buffers()
        if len(texts) == 0 or data_buffer is None:
            self.control = self.beyond_nfc = self.blank_runs = False
            return
        offsets = np.frombuffer(offsets_buffer, np.int32)[texts.offset : texts.offset + len(texts) + 1]
        data = np.frombuffer(data_buffer, np.uint8)[offsets[0] : offsets[-1]]
        low = data[data <= _LAST_CONTROL]
        ascii_only = not (data & 0x80).any()
        self.control = bool(((low != _NEWLINE) & (low != _TAB)).any() or (data == _DELETE).any())
        self.blank_runs = bool((low == _TAB).any())
        if not self.blank_runs:
            space = data == _SPACE
            self.blank_runs = bool((space[1:] & space[:-1]).any())
        self.beyond_nfc = False
        if not ascii_only:
            # C1 controls are C2 80–9F, the byte-order mark is EF BB BF.
            after = data[1:]
            self.control |= bool(((data[:-1] == 0xC2) & (after < 0xA0)).any())
            self.control |= bool(((data[:-1] == 0xEF) & (after == 0xBB)).any())
            # NFC leaves everything below U+0300 alone (lead bytes up to CB), and Cyrillic (D0–D3).
            lead = data[data >= 0xCC]
            self.beyond_nfc = bool(((lead < 0xD0) | (lead > 0xD3)).any())
