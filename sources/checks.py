"""Quality checks after cleaning: counts the texts that still show damage, by kind of damage.

A text counts once per kind, however often the damage occurs in it. The counts are hints: a question about HTML may
contain entities on purpose.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from open_ml_embed.core.array_types import U64, Mask
from sources.checkscan import EXACT, KINDS, hashes_of, hints_of
from sources.cleaning import scan
from sources.cleaning.marks import MOJIBAKE

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
"""Kind of damage → regular expression that its texts match; the other kinds are detected from the bytes."""

SHORT = 3
"""A text with fewer characters counts as very short."""
_SHORT_BYTES = 4 * (SHORT - 1)
DAMAGE = KINDS
"""The kinds of damage, in the order in which they are counted."""
FIGURES = ("texts", "short", "repeated", "damaged", *DAMAGE)
"""The counts that `seen` returns."""


def seen(texts: pa.StringArray, langs: pa.StringArray | None = None) -> dict[str, int]:
    """Count the texts that show each kind of damage.

    Args:
        texts: string array of n texts.
        langs: the language tag of each; program text is only counted as `texts`, `short` and `repeated`.

    Returns:
        Kind → number of texts: `texts` (n), `short` (under three characters), `repeated` (equal to an earlier one),
        `damaged` (at least one kind of damage), and each kind of damage. All keys are present, even if zero.

    """
    counts = _damage(texts, langs)
    counts["repeated"] = len(texts) - len(pc.unique(texts))
    return {name: counts[name] for name in FIGURES}


def under_both(texts: pa.StringArray, labels: pa.StringArray) -> int:
    """Count the distinct texts that occur with more than one label."""
    pairs = pa.table([texts, labels], names=["text", "label"]).group_by(["text", "label"]).aggregate([])
    of_text = pairs.group_by("text").aggregate([("label", "count")])
    return int(pc.sum(pc.greater(of_text["label_count"], 1)).as_py() or 0)


class RowChecks:
    """Counts the damage in the rows of one part, by shard and by side (query, positive).

    Texts are compared only with texts of the same side and shard, since the hashes of a larger collection would not fit
    into memory. The step `dedup` counts exact duplicates over all rows.
    """

    def __init__(self, family: str) -> None:
        """Begin the first shard.

        Args:
            family: loss family of the source. The positives of classification are class names and are not checked.
                Labels are compared unless the family is retrieval.

        """
        self._sides = ("query",) if family == "classification" else ("query", "positive")
        self._labeled = family != "retrieval"
        self._counts: dict[str, dict[str, int]] = {side: {} for side in self._sides}
        self._hashes: dict[str, list[U64]] = {}

    def add(self, rows: pa.RecordBatch) -> None:
        """Count rows of the current shard (`ROW_SCHEMA`)."""
        for side in self._sides:
            self._sum(side, _damage(rows[side], rows[f"{side}_lang"]))
            self._hashes.setdefault(side, []).append(hashes_of(rows[side]))
        if self._labeled:
            self._hashes.setdefault("label", []).append(_of_labels(rows["label"]))

    def end_shard(self) -> None:
        """Compare the texts of the current shard and begin the next one."""
        whole = {name: np.concatenate(pieces) for name, pieces in self._hashes.items()}
        self._hashes = {}
        for side in self._sides if whole else ():
            self._sum(side, {"repeated": _repeated(whole[side])})
        if "label" in whole:
            pairs = np.unique(np.stack([whole["query"], whole["label"]], axis=1), axis=0)
            self._sum("query", {"under_both": int(np.count_nonzero(np.unique(pairs[:, 0], return_counts=True)[1] > 1))})

    def as_json(self) -> dict[str, dict[str, int]]:
        """Return side → kind → number of texts; zero counts are left out, except `texts`.

        Kinds are those of `seen`. For queries there is also `under_both`: distinct texts with more than one label.
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
    """Count all kinds that can be seen in a single text."""
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
    """Verify which of the suspected texts show a kind of damage (bool, one per text)."""
    if kind == "mojibake":
        marked: Mask = (scan.marks_of(texts, spaced=False) & MOJIBAKE) != 0
        return marked
    return _flags(pc.match_substring_regex(texts, _PATTERNS[kind]))


def _short(texts: pa.StringArray) -> int:
    few = pc.less_equal(pc.binary_length(texts), _SHORT_BYTES)
    some = texts.filter(few) if pc.any(few).as_py() else texts.slice(0, 0)
    return int(pc.sum(pc.less(pc.utf8_length(some), SHORT)).as_py() or 0) + int(texts.null_count)


def _repeated(hashes: U64) -> int:
    """Count the hashes that equal an earlier one; sorting is several times faster than `numpy.unique`."""
    ordered = np.sort(hashes)
    return int(np.count_nonzero(ordered[1:] == ordered[:-1]))


def _of_labels(labels: pa.StringArray) -> U64:
    """Return a hash of each label (uint64[n]); null counts as one more label."""
    encoded = pc.fill_null(labels, "").dictionary_encode()
    hashes: U64 = hashes_of(encoded.dictionary)[encoded.indices.to_numpy()]
    return hashes


def _flags(mask: pa.BooleanArray) -> Mask:
    flags: Mask = pc.fill_null(mask, fill_value=False).to_numpy(zero_copy_only=False)
    return flags
