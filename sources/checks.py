"""What is still to be seen in texts after cleaning: damage that no operation mended, counted by kind.

The counts are of texts, not of places in them. They are hints: a question about HTML has entities because it is about
them.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sources.cleaning import scan

_PATTERNS = {
    "entities": (scan.AMPERSAND, r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos|nbsp);"),
    "tags": (scan.LESS_THAN, r"(?i)</?(?:br|p|div|li|ul|ol|b|i|em|strong|a|font|span|table|tr|td)(?:\s[^<>]*)?/?>"),
    "escapes": (scan.BACKSLASH, r"(?:\\r)?\\n"),
    "jats": (scan.UNDERSCORE | scan.LESS_THAN, r"\b[OC]_(?:ST_ABS|SCPLOW|SCPCAP|LI|FIG|TBL|QD)|</?jats:"),
    "placeholders": (scan.UNDERSCORE, r"_URL_[0-9]+_"),
    "treebank": (scan.TREEBANK, r"-[LR][RSC]B-|``[^`\n]*''"),
    "invisible": (scan.INVISIBLE, r"[\x{ad}\x{200b}\x{2060}\x{feff}\x{e000}-\x{f8ff}]"),
    "mojibake": (scan.MOJIBAKE, r""),
    "replacement": (scan.REPLACEMENT, r""),
    "tokenized": (
        scan.SPACED,
        r"[^\s.,:;] [,.;](?:\s|$)|(?:[\x{0e01}-\x{0e5b}]{1,8} +){4}[\x{0e01}-\x{0e5b}]"
        r"|(?:[\x{4e00}-\x{9fff}]{1,4} +){3}[\x{4e00}-\x{9fff}]| [\x{94d}\x{93c}\x{9cd}]",
    ),
}
"""Kind → marks of the byte scan without which a text does not have it, and what a text that has it matches."""

SHORT = 3
"""Characters below which a text counts as very short."""


def seen(texts: pa.StringArray, langs: pa.StringArray | None = None) -> dict[str, int]:
    """Count the texts that show each kind of damage.

    Args:
        texts: string array of n texts.
        langs: their language tags; program text is only counted as `texts`, `short` and `repeated`.

    Returns:
        Kind → number of texts: `texts` (n), `short` (under three characters), `repeated` (equal to an earlier one), and
        the kinds of damage. All kinds are there, zero or not.

    """
    marks = scan.marks_of(texts)
    if langs is not None:
        marks[_flags(pc.ends_with(langs, "-Code"))] = 0
    lengths = pc.fill_null(pc.utf8_length(texts), 0)
    counts = {
        "texts": len(texts),
        "short": int(pc.sum(pc.less(lengths, SHORT)).as_py() or 0),
        "repeated": len(texts) - len(pc.unique(texts)),
    }
    for kind, (needed, pattern) in _PATTERNS.items():
        rows = np.flatnonzero(marks & needed)
        some = texts.take(pa.array(rows)) if pattern and len(rows) else None
        counts[kind] = len(rows) if some is None else pc.match_substring_regex(some, pattern).true_count
    return counts


def under_both(texts: pa.StringArray, labels: pa.StringArray) -> int:
    """Count the different texts that stand under more than one label."""
    pairs = pa.table([texts, labels], names=["text", "label"]).group_by(["text", "label"]).aggregate([])
    of_text = pairs.group_by("text").aggregate([("label", "count")])
    return int(pc.sum(pc.greater(of_text["label_count"], 1)).as_py() or 0)


def _flags(mask: pa.BooleanArray) -> np.ndarray:
    flags: np.ndarray = pc.fill_null(mask, fill_value=False).to_numpy(zero_copy_only=False)
    return flags
