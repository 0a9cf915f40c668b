"""The rows of two builds, one by one: which are gained, which are lost, and which end elsewhere in a mix.

A row is known by its id, a hash of its source, its subset and its texts. Rows with the same id are told apart by their
order. One source is compared at a time: memory is bounded by the rows of the largest source, 60 bytes each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from curation.mixing.step.select import REASONS
from curation.report.inputs import Inputs
from curation.report.labels import Label, label_of
from curation.report.shard_statistics import tag_pairs
from curation.report.tables.form import Column, Form, ReportTable
from curation.report.verdicts import MixVerdicts
from open_ml_embed.core.array_types import I64, Array

MOVED = Form(
    "moved_rows",
    "report",
    "Rows that one build alone has, or that end elsewhere: a row for each mix, source, language and pair of ends, the "
    "most rows first.",
    ("mix", "source", "kind", "code", "before", "after"),
    (
        Column("mix", "name", "Name of the mix; null: the rows themselves, before any mix."),
        Column("source", "name", "Name of the source."),
        Column("code", "tag", "Language of the rows (see `languages`): in the second build, or in the first if lost."),
        Column("kind", "name", "natural or programming."),
        Column("before", "name", "Where they ended in the first build; absent: it does not have them."),
        Column("after", "name", "Where they ended in the second build; absent: it does not have them."),
        Column("rows", "count", "Rows."),
    ),
)
ABSENT = "absent"
_ROW = "row"


def moved(before: Inputs, after: Inputs) -> ReportTable:
    """Compare the rows of two builds, source by source."""
    counts: Counter[tuple[str | None, str, str, str, str, str]] = Counter()
    verdicts = [MixVerdicts(inputs.build, inputs) for inputs in (before, after)]
    mixes = sorted({*before.made_mixes, *after.made_mixes})
    for source in sorted({*before.rows.stats["sources"], *after.rows.stats["sources"]}):
        old, new = (_Rows(inputs, source, of, mixes) for inputs, of in zip((before, after), verdicts, strict=True))
        at_old, at_new = _aligned(old.ids, new.ids)
        labels: dict[Label, int] = {}
        language = np.where(at_new >= 0, new.labels(labels)[at_new], old.labels(labels)[at_old])
        names = list(labels)
        for mix in (None, *mixes):
            ends = [np.where(at >= 0, rows.ends[mix][at], -1) for rows, at in ((old, at_old), (new, at_new))]
            differs = np.flatnonzero(ends[0] != ends[1])
            lines = np.stack([language[differs], ends[0][differs], ends[1][differs]], axis=1)
            for (label, *pair), n in zip(
                *(a.tolist() for a in np.unique(lines, axis=0, return_counts=True)), strict=True
            ):
                code, kind = names[label].code, names[label].kind
                counts[mix, source, code, kind, _name(mix, pair[0]), _name(mix, pair[1])] += n
    ordered = sorted(counts, key=lambda key: (key[0] is not None, -counts[key], str(key)))
    return MOVED.fill((*key, counts[key]) for key in ordered)


def _name(mix: str | None, end: int) -> str:
    if end < 0:
        return ABSENT
    return _ROW if mix is None else REASONS[end]


class _Rows:
    """The rows of one source of a build.

    Attributes:
        ids: bytes[n, 16] as S16, with a place to spare so that -1 reads something.
        pairs: pairs of declared tags, by number.
        tags: int64[n + 1], number of the pair of each row.
        ends: mix → int16[n + 1], the verdict of each row, -1 where the mix does not have it; null → 0 for every row.

    """

    def __init__(self, inputs: Inputs, source: str, verdicts: MixVerdicts, mixes: list[str]) -> None:
        ids: list[Array] = [np.zeros(0, "S16")]
        tags: list[I64] = []
        self.pairs: list[tuple[str, str]] = []
        ends: dict[str | None, list[Array]] = {mix: [] for mix in (None, *mixes)}
        for (name, subset), shards in inputs.rows.by_pool().items():
            if name != source:
                continue
            rows = 0
            for shard in shards:
                path = f"rows/{shard.path}.rows.arrow"
                table = inputs.build.store.read_table(path, ["row_id", "query_lang", "positive_lang"])
                ids.append(_raw(table["row_id"]))
                numbers, pairs = tag_pairs(table)
                tags.append(numbers + len(self.pairs))
                self.pairs += pairs
                rows += table.num_rows
            found = verdicts(source, subset)
            for mix, parts in ends.items():
                known = found.get(mix) if mix else np.zeros(rows, np.int16)
                parts.append(np.full(rows, -1, np.int16) if known is None else known.astype(np.int16))
        self.ids = np.concatenate(ids)
        self.tags = np.concatenate([*tags, np.full(1, -1, np.int64)])
        self.ends = {mix: np.concatenate([*parts, np.full(1, -1, np.int16)]) for mix, parts in ends.items()}

    def labels(self, numbers: dict[Label, int]) -> I64:
        """Return the number of each row's language, int64[n + 1]; new languages are numbered in `numbers`."""
        found = [numbers.setdefault(label_of(*pair), len(numbers)) for pair in self.pairs]
        numbered: I64 = np.array([*found, -1], np.int64)[self.tags]
        return numbered


def _raw(ids: pa.ChunkedArray) -> Array:
    raw = b"".join(bytes(c.buffers()[1])[c.offset * 16 : (c.offset + len(c)) * 16] for c in ids.chunks if len(c))
    return np.frombuffer(raw, "S16")


def _aligned(old: Array, new: Array) -> tuple[I64, I64]:
    """Return the places of every row of both in the one and in the other: int64[rows of either], -1 where it is not.

    Ids that occur several times are paired in their order.
    """
    every = np.concatenate([old, new])
    _, numbers = np.unique(every, return_inverse=True)
    keys = [_numbered(part) for part in np.split(numbers.astype(np.int64), [len(old)])]
    common = np.unique(np.concatenate(keys))
    return _places(keys[0], common), _places(keys[1], common)


def _numbered(numbers: I64) -> I64:
    """Return a key of each place: its number, and how many places before it have the same number."""
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    starts = np.r_[True, ordered[1:] != ordered[:-1]] if len(ordered) else np.zeros(0, bool)
    first = np.maximum.accumulate(np.where(starts, np.arange(len(ordered)), 0))
    keys = np.empty(len(numbers), np.int64)
    keys[order] = ordered << 24 | (np.arange(len(ordered)) - first)
    return keys


def _places(keys: I64, common: I64) -> I64:
    places = np.full(len(common), -1, np.int64)
    places[np.searchsorted(common, keys)] = np.arange(len(keys))
    return places


def totals(table: ReportTable) -> Iterator[tuple[str | None, int, int, int]]:
    """Yield (mix, rows gained, rows lost, rows changed); of a mix, gained are those that became samples."""
    for mix in dict.fromkeys(row["mix"] for row in table.rows):
        gained = lost = changed = 0
        for row in table.rows:
            if row["mix"] == mix:
                was, is_ = (row[end] in (_ROW, *REASONS[:2]) for end in ("before", "after"))
                gained += row["rows"] * (is_ and not was)
                lost += row["rows"] * (was and not is_)
                changed += row["rows"] * (was == is_)
        yield mix, gained, lost, changed
