"""What is still to be seen in texts after cleaning: damage that no operation mended, counted by kind.

The counts are of texts, not of places in them. They are hints: a question about HTML has entities because it is about
them.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.array_types import U64, Mask
from sources.checkscan import EXACT, KINDS, hashes_of, hints_of
from sources.cleaning import scan

_PATTERNS = {
    "entities": r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|amp|lt|gt|quot|apos|nbsp);",
    "tags": r"(?i)</?(?:br|p|div|li|ul|ol|b|i|em|strong|a|font|span|table|tr|td)(?:\s[^<>]*)?/?>",
    "escapes": r"(?:\\r)?\\n",
    "jats": r"\b[OC]_(?:ST_ABS|SCPLOW|SCPCAP|LI|FIG|TBL|QD)|</?jats:",
    "placeholders": r"_URL_[0-9]+_",
    "treebank": r"-[LR][RSC]B-|``[^`\n]*''",
    "tokenized": (
        r"[^\s.,:;] [,.;](?:\s|$)|(?:[\x{0e01}-\x{0e5b}]{1,8} +){4}[\x{0e01}-\x{0e5b}]"
        r"|(?:[\x{4e00}-\x{9fff}]{1,4} +){3}[\x{4e00}-\x{9fff}]| [\x{94d}\x{93c}\x{9cd}]"
    ),
}
"""Kind → what a text that has it matches; the others are told by their bytes."""

SHORT = 3
"""Characters below which a text counts as very short."""
_SHORT_BYTES = 4 * (SHORT - 1)
DAMAGE = KINDS
"""The kinds of damage, in the order in which they are counted."""
FIGURES = ("texts", "short", "repeated", "damaged", *DAMAGE)
"""What `seen` counts."""


def seen(texts: pa.StringArray, langs: pa.StringArray | None = None) -> dict[str, int]:
    """Count the texts that show each kind of damage.

    Args:
        texts: string array of n texts.
        langs: their language tags; program text is only counted as `texts`, `short` and `repeated`.

    Returns:
        Kind → number of texts: `texts` (n), `short` (under three characters), `repeated` (equal to an earlier one),
        `damaged` (one kind of damage or more), and the kinds of damage. All kinds are there, zero or not.

    """
    counts = _damage(texts, langs)
    counts["repeated"] = len(texts) - len(pc.unique(texts))
    return {name: counts[name] for name in FIGURES}


def under_both(texts: pa.StringArray, labels: pa.StringArray) -> int:
    """Count the different texts that stand under more than one label."""
    pairs = pa.table([texts, labels], names=["text", "label"]).group_by(["text", "label"]).aggregate([])
    of_text = pairs.group_by("text").aggregate([("label", "count")])
    return int(pc.sum(pc.greater(of_text["label_count"], 1)).as_py() or 0)


class RowChecks:
    """Counts what is to be seen in the rows of one part, shard by shard, side by side.

    Texts are compared with those of their own side and shard alone: of a larger collection their hashes would not fit
    into memory, and exact duplicates over all rows are counted by the step `dedup`.
    """

    def __init__(self, family: str) -> None:
        """Begin the first shard.

        Args:
            family: of the source. The positives of a classification are names of classes, and not looked at; labels
                are compared where it is not retrieval.

        """
        self._sides = ("query",) if family == "classification" else ("query", "positive")
        self._labeled = family != "retrieval"
        self._counts: dict[str, dict[str, int]] = {side: {} for side in self._sides}
        self._hashes: dict[str, list[U64]] = {}

    def add(self, rows: pa.RecordBatch) -> None:
        """Count rows (`ROW_SCHEMA`) of the current shard."""
        for side in self._sides:
            self._sum(side, _damage(rows[side], rows[f"{side}_lang"]))
            self._hashes.setdefault(side, []).append(hashes_of(rows[side]))
        if self._labeled:
            self._hashes.setdefault("label", []).append(_of_labels(rows["label"]))

    def end_shard(self) -> None:
        """Compare the texts of the shard that ends here; what is added after it belongs to the next."""
        whole = {name: np.concatenate(pieces) for name, pieces in self._hashes.items()}
        self._hashes = {}
        for side in self._sides if whole else ():
            self._sum(side, {"repeated": _repeated(whole[side])})
        if "label" in whole:
            pairs = np.unique(np.stack([whole["query"], whole["label"]], axis=1), axis=0)
            self._sum("query", {"under_both": int(np.count_nonzero(np.unique(pairs[:, 0], return_counts=True)[1] > 1))})

    def as_json(self) -> dict[str, dict[str, int]]:
        """Return side → figure → texts, without the figures that are zero, save `texts`.

        Figures are those of `seen`, and of queries `under_both`: different texts under more than one label.
        """
        return {
            side: {"texts": counts.get("texts", 0)} | {name: n for name, n in sorted(counts.items()) if n}
            for side, counts in self._counts.items()
        }

    def _sum(self, side: str, counts: dict[str, int]) -> None:
        total = self._counts[side]
        for name, count in counts.items():
            total[name] = total.get(name, 0) + count


def _damage(texts: pa.StringArray, langs: pa.StringArray | None) -> dict[str, int]:
    """Count all but what needs more than one text to tell."""
    hints = hints_of(texts)
    if langs is not None:
        hints[_flags(pc.ends_with(langs, "-Code"))] = False
    counts = {"texts": len(texts), "short": _short(texts)}
    for column, kind in enumerate(KINDS):
        rows = np.flatnonzero(hints[:, column])
        if len(rows) and kind not in EXACT:
            rows = rows[_is_so(kind, texts.take(pa.array(rows)))]
            hints[:, column] = False
            hints[rows, column] = True
        counts[kind] = len(rows)
    counts["damaged"] = int(np.count_nonzero(hints.any(axis=1)))
    return counts


def _is_so(kind: str, texts: pa.StringArray) -> Mask:
    """Look closely at texts that may show a kind of damage."""
    if kind == "mojibake":
        marked: Mask = (scan.marks_of(texts, spaced=False) & scan.MOJIBAKE) != 0
        return marked
    return _flags(pc.match_substring_regex(texts, _PATTERNS[kind]))


def _short(texts: pa.StringArray) -> int:
    few = pc.less_equal(pc.binary_length(texts), _SHORT_BYTES)
    some = texts.filter(few) if pc.any(few).as_py() else texts.slice(0, 0)
    return int(pc.sum(pc.less(pc.utf8_length(some), SHORT)).as_py() or 0) + int(texts.null_count)


def _repeated(hashes: U64) -> int:
    """Count hashes that are equal to another before them; sorting is several times as fast as `numpy.unique`."""
    ordered = np.sort(hashes)
    return int(np.count_nonzero(ordered[1:] == ordered[:-1]))


def _of_labels(labels: pa.StringArray) -> U64:
    """Return a hash of each label (uint64, n); null is a label of its own."""
    encoded = pc.fill_null(labels, "").dictionary_encode()
    hashes: U64 = hashes_of(encoded.dictionary)[encoded.indices.to_numpy()]
    return hashes


def _flags(mask: pa.BooleanArray) -> Mask:
    flags: Mask = pc.fill_null(mask, fill_value=False).to_numpy(zero_copy_only=False)
    return flags
