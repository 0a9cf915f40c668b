"""Which rows share their documents, and where the text of a negative stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.build import Build, Shard, StepResult
from curation.mining.step.pools import Collect, PoolRef, read_texts
from curation.settings import MiningSettings
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.store import Marker, Store
from open_ml_embed.core.text.tokens import I64
from sources import registry
from sources.manifest import Family


@dataclass
class MinedPool:
    """A pool on its way through the step.

    Attributes:
        name: a source, several that the settings name, or a source and a subset where rows carry classes.
        label: under what its figures appear: its source, or a name from the settings.
        family: how it is mined.
        shards: its rows shards.
        collected: marker of `Collect`.
        mined: markers of `Search`, block by block; none where rows carry classes.
        aligned: markers of `Align`, shard by shard, or the one of `DrawClasses`.

    """

    name: str
    label: str
    family: Family
    shards: list[Shard] = field(default_factory=list)
    collected: Marker = field(init=False)
    mined: list[Marker] = field(default_factory=list)
    aligned: list[Marker] = field(default_factory=list)

    @property
    def reference(self) -> PoolRef:
        """What the operations know of it."""
        return PoolRef(self.name, tuple(s.path for s in self.shards), tuple(s.xxh3 for s in self.shards))

    @property
    def identity(self) -> str:
        """Hash of its texts and links."""
        return digest([[output.path, output.xxh3] for output in self.collected.outputs])


def pools_of(rows: StepResult, settings: MiningSettings) -> dict[str, MinedPool]:
    """Return the pools of a build by name, in order: a source, several that the settings name, or a labeled subset.

    Raises:
        SettingsError: a pool of the settings has a source's name, shares a source with another, or holds one whose rows
            carry classes.

    """
    stated: dict[str, str] = {}
    for name, sources in settings.pools.items():
        for source in sources:
            _check_stated(name, source, stated, {s.source for s in rows.shards})
            stated[source] = name
    found: dict[str, MinedPool] = {}
    for (source, subset), shards in rows.by_pool().items():
        family, label = registry.load(source).family, stated.get(source, source)
        name = label if family == "retrieval" else f"{source}/{subset}"
        found.setdefault(name, MinedPool(name, label, family)).shards += shards
    return dict(sorted(found.items()))


def _check_stated(name: str, source: str, stated: dict[str, str], present: set[str]) -> None:
    family = registry.load(source).family
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
    """As `curation.mining.step.pools.DOCUMENT_SCHEMA` has it."""

    def texts(self, numbers: npt.NDArray[np.integer[Any]]) -> pa.Array:
        """Return the texts of some documents, large_string."""
        return read_texts(self.store, self.pool, self.table, numbers)

    def clusters(self, numbers: npt.NDArray[np.integer[Any]]) -> I64:
        """Return the cluster of each of some documents, int64."""
        return np.asarray(self.table["cluster"].to_numpy()[numbers])

    def places(self, numbers: npt.NDArray[np.integer[Any]]) -> tuple[pa.Array, pa.Array]:
        """Return source and subset of each of some documents."""
        shard = self.table["shard"].take(pa.array(numbers))
        source, subset, _ = zip(*(path.split("/", 2) for path in self.pool.paths), strict=True)
        return pa.array(source).take(shard), pa.array(subset).take(shard)


def documents_of(build: Build, source: str, subset: str) -> PoolDocuments:
    """Return the documents that the negatives of a source and subset are from; step `mine` has been checked before."""
    rows = build.read("normalize")
    assert rows is not None, "asked for only where mine is current"
    pools = pools_of(rows, build.profile.mining).values()
    (pool,) = [p for p in pools if any((s.source, s.subset) == (source, subset) for s in p.shards)]
    table = build.store.read_table(f"{Collect.name}/{pool.name}.documents.arrow")
    return PoolDocuments(build.store, pool.reference, table)
