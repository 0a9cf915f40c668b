"""Candidate pools: which rows share their documents, and where to read the text of a document.

Step `mine` numbers the documents of each pool. Negatives refer to documents by these numbers.
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
"""Name of the operation that numbers documents, and the folder of its tables."""
POSITIVE = -1
"""Value of `given` for a text that is a row's query or positive, not one of its given negatives."""
QUERY = -2
"""Value of `given` for a document that is a row's query: in bitext, if negatives may be in its language."""

PLACE_FIELDS = [
    pa.field("shard", pa.int32(), nullable=False),
    pa.field("row", pa.int32(), nullable=False),
    pa.field("given", pa.int16(), nullable=False),
]
"""The first occurrence of a text: `shard` is the index of a rows shard in the pool, `row` the row in that shard, and
`given` the index in the row's given negatives, or -1 (`POSITIVE`) for the row's query or positive, or -2 (`QUERY`)."""

DOCUMENT_SCHEMA = pa.schema(
    [
        *PLACE_FIELDS,
        pa.field("exact", pa.uint64(), nullable=False),
        pa.field("cluster", pa.int64(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("contaminated", pa.bool_(), nullable=False),
    ]
)
"""One line for each document, in the order of the documents' numbers; `contaminated`: an evaluation set contains the
text."""


@dataclass(frozen=True)
class PoolRef:
    """Rows shards that share their documents.

    Attributes:
        name: a source, a source and a subset, or a name from the settings.
        paths: paths of the rows shards.
        hashes: xxh3 hash of each rows shard.
        decontaminated: whether the shards have `contamination` tables, which name documents to leave out.
        answered: whether the pool has an `answers` table, which lists its cross-pool positives.
        corpora: how many of the shards, the last ones, are of corpora: their rows are documents without a query.
        both_sides: whether queries of bitext are documents too.

    """

    name: str
    paths: tuple[str, ...]
    hashes: tuple[str, ...]
    decontaminated: bool = False
    answered: bool = False
    corpora: int = 0
    both_sides: bool = False

    @property
    def asking(self) -> tuple[str, ...]:
        """Paths of the shards whose rows have queries."""
        return self.paths[: len(self.paths) - self.corpora]


@dataclass
class Pool:
    """Rows that are mined together.

    Attributes:
        name: a source, a name from the settings for several sources, or a source and a subset where rows have classes.
        label: the name in statistics: the source, or a name from the settings.
        family: the loss family of its sources, which decides how the pool is mined.
        shards: its rows shards.
        corpora: rows shards of the corpora that it searches too.

    """

    name: str
    label: str
    family: Family
    shards: list[Shard] = field(default_factory=list)
    corpora: list[Shard] = field(default_factory=list)

    @property
    def reference(self) -> PoolRef:
        """The description of this pool that operations receive."""
        shards = [*self.shards, *self.corpora]
        paths, hashes = tuple(s.path for s in shards), tuple(s.xxh3 for s in shards)
        return PoolRef(self.name, paths, hashes, corpora=len(self.corpora))


def read_texts(store: Store, pool: PoolRef, places: pa.Table, numbers: Integers, column: str = "positive") -> pa.Array:
    """Return texts from the rows shards, large_string[len(numbers)].

    Args:
        store: the store with the shards.
        pool: the pool that the texts belong to.
        places: a table with `PLACE_FIELDS`: the pool's `documents` table, or its `asked` table of queries.
        numbers: indices of lines of `places`, in any order; they may repeat.
        column: the column to read where `given` is `POSITIVE`: `positive` for documents, `query` for queries.

    """
    at = places.select(["shard", "row", "given"]).take(pa.array(numbers))
    shard, row, given = (at[name].to_numpy() for name in ("shard", "row", "given"))
    parts, order, total = [], np.empty(len(numbers), np.int64), 0
    for number in np.unique(shard).tolist():
        of_shard = shard == number
        held = {column: given == POSITIVE, "negatives": given >= 0}
        held["query"] = held.get("query", False) | (given == QUERY)
        for names, chosen in ((name, of_shard & mask) for name, mask in held.items()):
            if not chosen.any():
                continue
            rows, local = np.unique(row[chosen], return_inverse=True)
            texts = store.read_rows(f"rows/{pool.paths[number]}.rows.arrow", rows, [names])[names]
            if names == "negatives":
                starts = list_starts(texts)[:-1]
                each = pa.table([pc.list_flatten(texts)], [names])
                flat, local = np.unique(starts[local] + given[chosen], return_inverse=True)
                texts = take_rows(each.to_batches(), flat, each.schema)[names]
            parts.append(texts.cast(pa.large_string()))
            order[chosen] = total + local
            total += len(texts)
    if not parts:
        return pa.array([], pa.large_string())
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks]).take(pa.array(order)).combine_chunks()


def pools_of(rows: StepResult, build: Build) -> dict[str, Pool]:
    """Return the pools of a build, sorted by name. Corpora are in the pools of the sources that search them.

    A retrieval source is a pool, or part of a pool that the settings name; each subset with classes is a pool.

    Raises:
        SettingsError: a pool in the settings has the name of a source, contains a source of another pool, or contains a
            source whose rows have classes.

    """
    pool_of: dict[str, str] = {}
    for name, sources in build.profile.mining.pools.items():
        for source in sources:
            _check_stated(build, name, source, pool_of, {s.source for s in rows.shards})
            pool_of[source] = name
    pools: dict[str, Pool] = {}
    corpora = build.corpora()
    shards_of: dict[str, list[Shard]] = {name: [] for name in corpora}
    for (source, subset), shards in rows.by_pool().items():
        if source in corpora:
            shards_of[source] += shards
            continue
        family, label = build.manifest(source).family, pool_of.get(source, source)
        name = label if family == "retrieval" else f"{source}/{subset}"
        pools.setdefault(name, Pool(name, label, family)).shards += shards
    for pool in pools.values():
        if pool.family == "retrieval":
            searched = {s.source for s in pool.shards}
            pool.corpora = [s for name, c in corpora.items() if searched & set(c.sources) for s in shards_of[name]]
    return dict(sorted(pools.items()))


def _check_stated(build: Build, name: str, source: str, pool_of: dict[str, str], present: set[str]) -> None:
    family = build.manifest(source).family
    for wrong, what in (
        (name in present, "that is the name of a source"),
        (source in pool_of, f"{source} stands in pool {pool_of.get(source)} already"),
        (family != "retrieval", f"{source} is of the {family} family: its negatives come from its own classes"),
    ):
        if wrong:
            raise SettingsError(what, where=f"mining.pools.{name}", remedy="give pools names and sources of their own")


@dataclass(frozen=True)
class PoolDocuments:
    """The documents of a pool, indexed by the numbers that negatives refer to."""

    store: Store
    pool: PoolRef
    table: pa.Table
    """Columns of the pool's table of documents: `shard`, `row`, `given` and `cluster`."""

    @classmethod
    def of(cls, store: Store, pool: PoolRef) -> PoolDocuments:
        """Read the documents of a pool. The caller has checked that step `mine` is current."""
        columns = [*(field.name for field in PLACE_FIELDS), "cluster"]
        return cls(store, pool, store.read_table(f"{POOLS}/{pool.name}.documents.arrow", columns))

    def texts(self, numbers: Integers) -> pa.Array:
        """Return the texts of the given documents, large_string[len(numbers)]."""
        return read_texts(self.store, self.pool, self.table, numbers)

    def clusters(self, numbers: Integers) -> I64:
        """Return the clusters of the given documents, int64[len(numbers)]."""
        return np.asarray(self.table["cluster"].to_numpy()[numbers])

    def places(self, numbers: Integers) -> tuple[pa.Array, pa.Array]:
        """Return the sources and the subsets of the given documents, two string[len(numbers)]."""
        shard = self.table["shard"].take(pa.array(numbers))
        source, subset, _ = zip(*(path.split("/", 2) for path in self.pool.paths), strict=True)
        return pa.array(source).take(shard), pa.array(subset).take(shard)


def documents_of(build: Build, source: str, subset: str) -> PoolDocuments:
    """Return the documents of the pool of a source and subset. The caller has checked that step `mine` is current."""
    rows = build.read("normalize")
    assert rows is not None, "the caller checks that step mine is current"
    pools = pools_of(rows, build).values()
    (pool,) = [p for p in pools if any((s.source, s.subset) == (source, subset) for s in p.shards)]
    return PoolDocuments.of(build.store, pool.reference)
