"""The rows of a part that a pilot keeps (`normalize.rows_per_part`).

Of retrieval rows these are the first ones. Of labeled rows they are whole classes, since a class that is cut to one row
has no positive, and files that are sorted by class would give one class only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from open_ml_embed.core.array_types import I32, I64, Mask
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.text.arrays import numbers_of
from sources.manifest import Manifest
from sources.normalize import Read, normalize
from sources.parts import Part
from sources.quarantine import Quarantine
from sources.record_counts import Tally

LEAST_CLASSES = 2
"""Classes that a pilot keeps if there are as many; a class has at most its share of the rows."""


def limited(
    batches: Iterator[pa.RecordBatch], part: Part, manifest: Manifest, limit: int | None, tally: Tally, read: Read
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a part that a pilot keeps, in order.

    Args:
        batches: the rows of the part.
        part: its files; those of labeled rows are read twice.
        manifest: of the source.
        limit: most rows; null: all. Classes are kept whole, so the last one may exceed it.
        tally: receives the rows that are left out.
        read: reads a file of the part, as it was read for `batches`.

    """
    if limit is None:
        return batches
    if manifest.family == "retrieval":
        return _first(batches, limit, tally)
    return _chosen(batches, _kept(part, manifest, limit, read), tally)


def _first(batches: Iterator[pa.RecordBatch], limit: int, tally: Tally) -> Iterator[pa.RecordBatch]:
    remaining = limit
    for batch in batches:
        rows = batch.slice(0, remaining)
        remaining -= rows.num_rows
        if remaining == 0:
            tally.left_over(batch.slice(rows.num_rows))
        yield rows
        if remaining == 0:
            return


def _chosen(batches: Iterator[pa.RecordBatch], kept: Mask, tally: Tally) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in batches:
        mask = pa.array(kept[start : start + batch.num_rows])
        start += batch.num_rows
        rows = batch.filter(mask)
        if rows.num_rows < batch.num_rows:
            tally.left_over(batch.filter(pc.invert(mask)))
        if rows.num_rows:
            yield rows


def _kept(part: Part, manifest: Manifest, limit: int, read: Read) -> Mask:
    """Return which rows of a part are kept: those of the first classes, by hash of their names, until there are enough.

    Returns:
        bool[rows].

    """
    numbers: dict[str, int] = {}
    parts = [np.zeros(0, np.int32)]
    for batch in normalize(part, manifest, Quarantine(part.source, part.subset), Counter(), read=read):
        parts.append(numbers_of(batch["label"], numbers))
    class_of = np.concatenate(parts)
    quotas = _quotas(list(numbers), np.bincount(class_of, minlength=len(numbers)), limit)
    return _place_in_class(class_of) < quotas[class_of]


def _quotas(names: list[str], sizes: I64, limit: int) -> I64:
    """Return how many rows of each class are kept, int64[classes]."""
    quotas = np.zeros(len(names), np.int64)
    share = max(limit // LEAST_CLASSES, 1)
    in_order = sorted(range(len(names)), key=lambda number: xxhash.xxh3_64_intdigest(names[number].encode()))
    for count, number in enumerate(in_order):
        if count >= LEAST_CLASSES and quotas.sum() >= limit:
            break
        quotas[number] = min(sizes[number], share)
    return quotas


def _place_in_class(class_of: I32) -> I64:
    """Return how many earlier rows have the class of each row, int64[rows]."""
    order = np.argsort(class_of, kind="stable")
    sizes = np.bincount(class_of)
    places = np.empty(len(class_of), np.int64)
    places[order] = np.arange(len(class_of)) - np.repeat(offsets_of(sizes)[:-1], sizes)
    return places
