"""Operation `embeddings`: the distinct texts of a pool to float16 vectors, each once per teacher, and their reader.

A shard's marker is keyed by the teacher's identity (weights, pooling, prompts, length, dtype) and by which texts it
holds, and its folder by the teacher: another teacher, or the same one again, never costs what was embedded before.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from curation.mining.settings import TeacherSettings
from curation.mining.step.pools import Chunk
from curation.mining.teachers.loading import load_teacher
from curation.mining.teachers.protocol import Side
from curation.tables.pools import PoolRef, read_texts
from open_ml_embed.core import engine
from open_ml_embed.core.array_types import F16, Array
from open_ml_embed.core.engine import Outputs, Task, Workers
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.store import Marker, Store

TABLES: dict[Side, tuple[str, str]] = {"query": ("asked", "query"), "document": ("documents", "positive")}
"""Side → the pool's table that says where its texts stand, and their column in the rows."""


class EmbedSettings(BaseModel):
    """What a marker is keyed by."""

    model_config = ConfigDict(frozen=True)

    teacher: str
    """`Teacher.identity`."""
    side: Side


@dataclass(frozen=True)
class EmbedRef:
    """What one task embeds."""

    pool: PoolRef
    chunk: Chunk
    teacher: TeacherSettings


class Embed:
    """Operation: a chunk of texts to their vectors."""

    name: ClassVar[str] = "embeddings"
    version: ClassVar[int] = 1

    def __init__(self, settings: EmbedSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Embed one chunk; `task.payload` is an `EmbedRef`."""
        ref: EmbedRef = task.payload
        side = self.settings.side
        name, column = TABLES[side]
        places = store.read_table(f"pools/{ref.pool.name}.{name}.arrow", ["shard", "row", "given"])
        numbers = np.arange(ref.chunk.start, ref.chunk.stop)
        texts = read_texts(store, ref.pool, places, numbers, column).to_pylist()
        vectors = load_teacher(ref.teacher).encode(texts, side).astype(np.float16)
        schema = pa.schema([pa.field("vector", pa.list_(pa.float16(), vectors.shape[1]), nullable=False)])
        lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
        out.table("vectors", [pa.record_batch([lists], schema=schema)], schema, compressed=False)
        return {"texts": len(vectors), "dim": vectors.shape[1]}


def embed(
    store: Store, workers: Workers, pools: Sequence[tuple[PoolRef, dict[Side, list[Chunk]]]], settings: TeacherSettings
) -> list[dict[Side, StoredVectors]]:
    """Embed the texts of all pools, as far as that is not done; return readers of their vectors.

    Args:
        store: where rows and pools are, and vectors go.
        workers: who does it: Ray's GPUs where there are any, a process on this machine's GPU, processes otherwise.
        pools: each with the chunks of its two sides, as `Collect` counts them.
        settings: of the teacher.

    """
    identity = load_teacher(settings).identity
    found: list[dict[Side, StoredVectors]] = [{} for _ in pools]
    for side in TABLES:
        operation = Embed(EmbedSettings(teacher=identity, side=side))
        tasks = [
            Task(f"{identity[:16]}/{pool.name}/{side}/{number:05d}", (chunk.digest,), EmbedRef(pool, chunk, settings))
            for pool, chunks in pools
            for number, chunk in enumerate(chunks[side])
        ]
        markers = iter(engine.run(operation, tasks, store, replace(workers, gpus=1)))
        for (_, chunks), readers in zip(pools, found, strict=True):
            readers[side] = StoredVectors.of(store, [next(markers) for _ in chunks[side]])
    return found


@dataclass(frozen=True)
class StoredVectors:
    """Vectors in shards, read a shard at a time (`curation.mining.vectors.Vectors`); small, and pickles.

    Attributes:
        store: where the shards are.
        paths: of the shards.
        starts: the number of each shard's first vector, and how many there are in all.
        hashes: xxh3 of each shard.
        dim: length of a vector.

    """

    store: Store
    paths: tuple[str, ...]
    starts: tuple[int, ...]
    hashes: tuple[str, ...]
    dim: int

    @classmethod
    def of(cls, store: Store, markers: Sequence[Marker]) -> StoredVectors:
        """Read what these tasks of `Embed` have written."""
        outputs = [marker.outputs[0] for marker in markers]
        starts = offsets_of([output.rows for output in outputs]).tolist()
        dim = int(markers[0].stats["dim"]) if markers else 0
        return cls(store, tuple(o.path for o in outputs), tuple(starts), tuple(o.xxh3 for o in outputs), dim)

    def __len__(self) -> int:
        """Return how many there are."""
        return self.starts[-1]

    def block(self, start: int, stop: int) -> F16:
        """Return vectors start … stop - 1, float16[stop - start, dim]."""
        first = bisect.bisect_right(self.starts, start) - 1
        last = bisect.bisect_left(self.starts, min(stop, len(self)))
        parts = [
            self._read(i)[max(start - self.starts[i], 0) : stop - self.starts[i]] for i in range(max(first, 0), last)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.dim), np.float16)

    def take(self, ids: Array) -> F16:
        """Return some vectors, float16[len(ids), dim]; each shard is read once."""
        result = np.empty((len(ids), self.dim), np.float16)
        shard = np.searchsorted(self.starts, ids, side="right") - 1
        for i in np.unique(shard).tolist():
            here = shard == i
            result[here] = self._read(i)[ids[here] - self.starts[i]]
        return result

    def _read(self, i: int) -> F16:
        """Read one shard; by a plain read, for pages of a memory map would count as this process's memory."""
        with self.store.fs.open(self.store.full(self.paths[i]), "rb") as source:
            batch = pa.ipc.open_file(source).get_batch(0)
        return np.asarray(batch.column(0).flatten().to_numpy().reshape(-1, self.dim))
