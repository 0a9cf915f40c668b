"""Operation `contamination`: the overlaps of a rows shard with the evaluation sets, as a row-aligned table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.decontamination.index import ROLES, Index
from curation.decontamination.matching import REASONS, Hits, match
from curation.decontamination.settings import DecontaminationSettings, DistrustSettings, MtebSettings
from curation.decontamination.step.index import BuildIndex, load_index
from curation.tables.contamination import CONTAMINATION, CONTAMINATION_SCHEMA, SIDES
from open_ml_embed.core.array_types import I32, I64, U8
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.row_keys import row_keys
from open_ml_embed.core.store import Store, take_rows
from open_ml_embed.core.task import Outputs, Task

MOST_TASKS = 8
"""Tasks listed for a row at most; the counts include all tasks."""
EXAMPLES = 5
"""Examples kept for each task, of a shard and in the report."""
SHOWN_CHARS, BEFORE_CHARS = 240, 60
"""Characters of a text that an example shows, and how many of them precede the match."""

FOUND_SCHEMA = pa.schema([pa.field("text", pa.int32(), nullable=False), pa.field("reason", pa.uint8(), nullable=False)])
"""The evaluation texts that a shard contains, ascending, each with the strongest reason of any row (the first in
`matching.REASONS`); not written if there are none."""
EXAMPLE_SCHEMA = pa.schema(
    [
        pa.field(name, kind, nullable=False)
        for name, kind in (
            ("task", pa.string()), ("side", pa.string()), ("reason", pa.string()), ("score", pa.float32()),
            ("row_id", pa.string()), ("row_text", pa.string()), ("evaluation_id", pa.string()),
            ("evaluation_text", pa.string()),
        )
    ]
)  # fmt: skip
"""Examples of a shard's overlaps, at most `EXAMPLES` a task: those of the lowest row ids, an unbiased choice."""


@dataclass(frozen=True)
class Evaluated:
    """Location of the index, and the names of its sets by number."""

    root: str
    path: str
    sets: tuple[str, ...]


@dataclass(frozen=True)
class _Entries:
    """One entry for each row and each task that the row overlaps with on one side, with the best hit.

    Attributes:
        rows: int64[e], row numbers.
        sets: int32[e], numbers of the evaluation sets.
        hits: int64[e], index of the best hit.
        owners: int64[e], index of the evaluation text's owner.

    """

    rows: I64
    sets: I32
    hits: I64
    owners: I64


class Contaminate:
    """Operation: find the overlaps of a rows shard with the evaluation sets."""

    name: ClassVar[str] = CONTAMINATION
    version: ClassVar[int] = 3

    def __init__(self, settings: DecontaminationSettings) -> None:
        unused = {"mteb": MtebSettings(), "sets": [], "distrust": DistrustSettings()}
        self.settings = settings.model_copy(update=unused)

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Compare one shard; `task.payload` is an `Evaluated`."""
        evaluated: Evaluated = task.payload
        evaluation_store = Store(evaluated.root)
        index = load_index(evaluation_store, evaluated.path)
        stem = f"{BuildIndex.name}/{evaluated.path}"
        texts, owners = (
            evaluation_store.read_table(f"{stem}.texts.arrow"),
            evaluation_store.read_table(f"{stem}.owners.arrow"),
        )
        rows = store.read_table(f"rows/{task.path}.rows.arrow", ["row_id", *SIDES.values()])
        contaminated = np.zeros(rows.num_rows, bool)
        columns, counts, matches, examples, given_up = [], {}, [], [], 0
        for side, column in SIDES.items():
            hits = match(rows[column], index, texts, self.settings)
            entries = _entries(hits, index)
            columns += _side(rows.num_rows, hits, entries, index, owners, evaluated.sets)
            counts[side] = _counts(hits, entries, evaluated.sets)
            matches.append(hits)
            examples.append(_examples(side, rows, column, hits, entries, index, texts, owners, evaluated.sets))
            given_up += hits.given_up
            if side in self.settings.drop:
                contaminated[hits.rows] = True
        table = pa.table([pa.array(contaminated), *columns], schema=CONTAMINATION_SCHEMA)
        out.table(self.name, table.to_batches(), CONTAMINATION_SCHEMA)
        if any(map(len, matches)):
            out.table("found", _found(matches).to_batches(), FOUND_SCHEMA)
            out.table("examples", first_examples(pa.concat_tables(examples)).to_batches(), EXAMPLE_SCHEMA)
        return {
            "rows": rows.num_rows,
            "contaminated": int(contaminated.sum()),
            "overlaps": counts,
            "given_up": given_up,
        }


def _entries(hits: Hits, index: Index) -> _Entries:
    owners_of_hit = np.diff(index.owner_starts)[hits.texts]
    hit = np.repeat(np.arange(len(hits)), owners_of_hit)
    owner = np.repeat(index.owner_starts[:-1][hits.texts], owners_of_hit) + _counting(owners_of_hit)
    rows, sets = hits.rows[hit], index.owner_set[owner]
    order = np.lexsort((owner, -hits.scores[hit], hits.reasons[hit], sets, rows))
    fresh = np.ones(len(order), bool)
    fresh[1:] = (np.diff(rows[order]) != 0) | (np.diff(sets[order]) != 0)
    best = order[fresh]
    return _Entries(rows[best], sets[best], hit[best], owner[best])


def _counting(lengths: I64) -> I64:
    """Return 0 … n - 1 for each length n, concatenated."""
    return np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _side(
    rows: int, hits: Hits, entries: _Entries, index: Index, owners: pa.Table, names: tuple[str, ...]
) -> list[pa.Array]:
    """Return the columns of one side, in the order of `CONTAMINATION_SCHEMA`."""
    order = np.lexsort((entries.owners, -hits.scores[entries.hits], hits.reasons[entries.hits], entries.rows))
    fresh = np.ones(len(order), bool)
    fresh[1:] = np.diff(entries.rows[order]) != 0
    best = order[fresh]
    at = np.full(rows, -1)
    at[entries.rows[best]] = np.arange(len(best))
    best_hit = pa.array(at, mask=at < 0)
    hit = entries.hits[best]
    reasons = pa.array(REASONS).take(pa.array(hits.reasons[hit]))
    ids = _identities(index, owners, names, entries.sets[best], entries.owners[best])
    number = _counting(np.bincount(entries.rows, minlength=rows))
    some = number < MOST_TASKS
    starts = offsets_of(np.bincount(entries.rows[some], minlength=rows)).astype(np.int32)
    tasks = pa.array(names, pa.string()).take(pa.array(entries.sets[some]))
    scores = pa.array(hits.scores[hit])
    return [
        reasons.take(best_hit),
        scores.take(best_hit),
        pa.ListArray.from_arrays(pa.array(starts), tasks),
        ids.take(best_hit),
    ]


def _identities(index: Index, owners: pa.Table, names: tuple[str, ...], sets: I32, owner: I64) -> pa.Array:
    """Return the identifiers of evaluation texts: task/subset/role/id."""
    selected = owners.take(pa.array(owner)).combine_chunks()
    roles: U8 = index.owner_role[owner]
    parts = [
        pa.array(names, pa.string()).take(pa.array(sets)),
        selected["subset"].cast(pa.string()),
        pa.array(ROLES).take(pa.array(roles)),
        selected["text_id"].cast(pa.string()),
    ]
    joined = pc.binary_join_element_wise(*parts, "/")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _counts(hits: Hits, entries: _Entries, names: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """Return task → reason → number of rows."""
    packed = entries.sets.astype(np.int64) * len(REASONS) + hits.reasons[entries.hits]
    counts = np.bincount(packed, minlength=len(names) * len(REASONS)).reshape(-1, len(REASONS))
    return {
        names[number]: {reason: int(n) for reason, n in zip(REASONS, counts[number], strict=True) if n}
        for number in np.flatnonzero(counts.any(1)).tolist()
    }


def _found(sides: list[Hits]) -> pa.Table:
    texts = np.concatenate([hits.texts for hits in sides])
    reasons = np.concatenate([hits.reasons for hits in sides])
    order = np.lexsort((reasons, texts))
    texts, reasons = texts[order], reasons[order]
    fresh = np.ones(len(texts), bool)
    fresh[1:] = np.diff(texts) != 0
    return pa.table([pa.array(texts[fresh]), pa.array(reasons[fresh])], schema=FOUND_SCHEMA)


def _examples(
    side: str,
    rows: pa.Table,
    column: str,
    hits: Hits,
    entries: _Entries,
    index: Index,
    texts: pa.Table,
    owners: pa.Table,
    names: tuple[str, ...],
) -> pa.Table:
    order = np.lexsort((row_keys(rows)[entries.rows], entries.sets))
    starts = np.ones(len(order), bool)
    starts[1:] = np.diff(entries.sets[order]) != 0
    groups = np.diff(np.concatenate([np.flatnonzero(starts), [len(order)]]))
    few = order[_counting(groups) < EXAMPLES]
    hit = entries.hits[few]
    which, place = np.unique(entries.rows[few], return_inverse=True)
    example_rows = take_rows(rows.to_batches(), which, rows.schema).take(pa.array(place))
    other = texts["text"].take(pa.array(hits.texts[hit])).to_pylist()
    shown = [_around(text, sought) for text, sought in zip(example_rows[column].to_pylist(), other, strict=True)]
    return pa.table(
        [
            pa.array(names, pa.string()).take(pa.array(entries.sets[few])),
            pa.array([side] * len(few), pa.string()),
            pa.array(REASONS).take(pa.array(hits.reasons[hit])),
            pa.array(hits.scores[hit]),
            pa.array([row_id.hex() for row_id in example_rows["row_id"].to_pylist()], pa.string()),
            pa.array(shown, pa.string()),
            _identities(index, owners, names, entries.sets[few], entries.owners[few]),
            pa.array([text[:SHOWN_CHARS] for text in other], pa.string()),
        ],
        schema=EXAMPLE_SCHEMA,
    )


def _around(text: str, sought: str) -> str:
    """Return `SHOWN_CHARS` characters of a text, around the start of the sought text if it occurs literally."""
    at = text.casefold().find(sought.casefold()[:SHOWN_CHARS]) if len(text) > SHOWN_CHARS else 0
    start = max(0, at - BEFORE_CHARS)
    return ("…" if start else "") + text[start : start + SHOWN_CHARS]


def first_examples(table: pa.Table) -> pa.Table:
    """Return at most `EXAMPLES` examples for each task, sorted by task, row id and side."""
    table = table.sort_by([("task", "ascending"), ("row_id", "ascending"), ("side", "descending")])
    names = table["task"].to_pylist()
    kept: list[I64 | int] = []
    for i, name in enumerate(names):
        if i < EXAMPLES or names[i - EXAMPLES] != name:
            kept.append(i)
    return table.take(pa.array(kept, pa.int64()))
