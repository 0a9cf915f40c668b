"""Candidate pools: which rows share their documents, and where the text of a document stands.

Step `mine` numbers the documents of each pool; negatives are such numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.build import Build, Shard, StepResult
from open_ml_embed.core.array_types import I64, Integers
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.store import Store, take_rows
from open_ml_embed.core.text.arrays import list_starts
from sources.manifest import Family

POOLS = "pools"
"""The operation that numbers documents, and the folder of its tables."""
POSITIVE = -1

PLACE_FIELDS = [
    pa.field("shard", pa.int32(), nullable=False),
    pa.field("row", pa.int32(), nullable=False),
    pa.field("given", pa.int16(), nullable=False),
]
"""Where a text stands first: `shard` counts the pool's rows shards; `given` is the place among the row's given
negatives, -1 for its query or its positive."""

DOCUMENT_SCHEMA = pa.schema(
    [
        *PLACE_FIELDS,
        pa.field("exact", pa.uint64(), nullable=False),
        pa.field("cluster", pa.int64(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("contaminated", pa.bool_(), nullable=False),
    ]
)
"""One line a document, in order of number; `contaminated`: an evaluation set has its text."""


@dataclass(frozen=True)
class PoolRef:
    """Rows shards that share their documents.

    Attributes:
        name: a source, a source and a subset, or a name from the settings.
        paths: of the rows shards.
        hashes: of each: the xxh3 of its rows.
        decontaminated: whether there are `contamination` tables beside them that tell documents to leave out.
        answered: whether there is an `answers` table of what other pools answer.

    """

    name: str
    paths: tuple[str, ...]
    hashes: tuple[str, ...]
    decontaminated: bool = False
    answered: bool = False


@dataclass
class Pool:
    """Rows that are mined together.

    Attributes:
        name: a source, several that the settings name, or a source and a subset where rows carry classes.
        label: under what its figures appear: its source, or a name from the settings.
        family: how it is mined.
        shards: its rows shards.

    """

    name: str
    label: str
    family: Family
    shards: list[Shard] = field(default_factory=list)

    @property
    def reference(self) -> PoolRef:
        """What operations know of it."""
        return PoolRef(self.name, tuple(s.path for s in self.shards), tuple(s.xxh3 for s in self.shards))


def read_texts(store: Store, pool: PoolRef, places: pa.Table, numbers: Integers, column: str = "positive") -> pa.Array:
    """Return texts from the rows shards, large_string[len(numbers)].

    Args:
        store: where the shards are.
        pool: whose texts.
        places: lines with `PLACE_FIELDS`: a pool's `documents`, or its `asked`.
        numbers: lines of it, in any order, repeated or not.
        column: what a place without a given negative names: `positive`, or `query` with `asked`.

    """
    at = places.select(["shard", "row", "given"]).take(pa.array(numbers))
    shard, row, given = (at[name].to_numpy() for name in ("shard", "row", "given"))
    parts, back, held = [], np.empty(len(numbers), np.int64), 0
    for number in np.unique(shard).tolist():
        of_shard = shard == number
        for names, here in ((column, of_shard & (given == POSITIVE)), ("negatives", of_shard & (given != POSITIVE))):
            if not here.any():
                continue
            rows, own = np.unique(row[here], return_inverse=True)
            texts = store.read_rows(f"rows/{pool.paths[number]}.rows.arrow", rows, [names])[names]
            if names == "negatives":
                starts = list_starts(texts)[:-1]
                each = pa.table([pc.list_flatten(texts)], [names])
                flat, own = np.unique(starts[own] + given[here], return_inverse=True)
                texts = take_rows(each.to_batches(), flat, each.schema)[names]
            parts.append(texts.cast(pa.large_string()))
            back[here] = held + own
            held += len(texts)
    if not parts:
        return pa.array([], pa.large_string())
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks]).take(pa.array(back)).combine_chunks()


def pools_of(rows: StepResult, build: Build) -> dict[str, Pool]:
    """Return the pools of a build by name, in order: a source, several that the settings name, or a labeled subset.

    Raises:
        SettingsError: a pool of the settings has a source's name, shares a source with another, or holds one whose rows
            carry classes.

    """
    stated: dict[str, str] = {}
    for name, sources in build.profile.mining.pools.items():
        for source in sources:
            _check_stated(build, name, source, stated, {s.source for s in rows.shards})
            stated[source] = name
    found: dict[str, Pool] = {}
    for (source, subset), shards in rows.by_pool().items():
        family, label = build.manifest(source).family, stated.get(source, source)
        name = label if family == "retrieval" else f"{source}/{subset}"
        found.setdefault(name, Pool(name, label, family)).shards += shards
    return dict(sorted(found.items()))


def _check_stated(build: Build, name: str, source: str, stated: dict[str, str], present: set[str]) -> None:
    family = build.manifest(source).family
    for wrong, what in (
        (name in present, "that is the name of a source"),
        (source in stated, f"{source} stands in pool {stated.get(source)} already"),
        (family != "retrieval", f"{source} is of the {family} family: its negatives come from its own classes"),
    ):
        if wrong:
            raise SettingsError(what, where=f"mining.pools.{name}", remedy="give pools names and sources of their own")


@dataclass(frozen=True)
class PoolDocuments:
    """The documents of a pool, by the numbers that negatives are."""

    store: Store
    pool: PoolRef
    table: pa.Table
    """As `DOCUMENT_SCHEMA` has it."""

    def texts(self, numbers: Integers) -> pa.Array:
        """Return the texts of some documents, large_string."""
        return read_texts(self.store, self.pool, self.table, numbers)

    def clusters(self, numbers: Integers) -> I64:
        """Return the cluster of each of some documents, int64."""
        return np.asarray(self.table["cluster"].to_numpy()[numbers])

    def places(self, numbers: Integers) -> tuple[pa.Array, pa.Array]:
        """Return source and subset of each of some documents."""
        shard = self.table["shard"].take(pa.array(numbers))
        source, subset, _ = zip(*(path.split("/", 2) for path in self.pool.paths), strict=True)
        return pa.array(source).take(shard), pa.array(subset).take(shard)


def documents_of(build: Build, source: str, subset: str) -> PoolDocuments:
    """Return the documents that the negatives of a source and subset are from; step `mine` has been checked before."""
    rows = build.read("normalize")
    assert rows is not None, "asked for only where mine is current"
    pools = pools_of(rows, build).values()
    (pool,) = [p for p in pools if any((s.source, s.subset) == (source, subset) for s in p.shards)]
    table = build.store.read_table(f"{POOLS}/{pool.name}.documents.arrow")
    return PoolDocuments(build.store, pool.reference, table)
