"""Operation `embeddings`: float16 vectors of the distinct texts of a pool, and their reader.

The key of a shard's marker holds the teacher's identity (weights, pooling, prompts, length, dtype) and the texts of the
shard. The folder is named after the teacher. So vectors of several teachers are kept, and no text is embedded twice by
one teacher.
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
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.store import Marker, Store
from open_ml_embed.core.task import Outputs, Task

TABLES: dict[Side, tuple[str, str]] = {"query": ("asked", "query"), "document": ("documents", "positive")}
"""Side → the pool's table with the locations of its texts, and the column of the rows that holds them."""


class EmbedSettings(BaseModel):
    """Settings that are part of a marker's key."""

    model_config = ConfigDict(frozen=True)

    teacher: str
    """`Teacher.identity`."""
    side: Side


@dataclass(frozen=True)
class EmbedRef:
    """Payload of a task: a chunk of a pool's texts, and the teacher."""

    pool: PoolRef
    chunk: Chunk
    teacher: TeacherSettings


class Embed:
    """Operation: embed a chunk of texts."""

    name: ClassVar[str] = "embeddings"
    version: ClassVar[int] = 1

    def __init__(self, settings: EmbedSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Embed one chunk; `task.payload` is an `EmbedRef`."""
        ref: EmbedRef = task.payload
        side = self.settings.side
        table, column = TABLES[side]
        locations = store.read_table(f"pools/{ref.pool.name}.{table}.arrow", ["shard", "row", "given"])
        numbers = np.arange(ref.chunk.start, ref.chunk.stop)
        texts = read_texts(store, ref.pool, locations, numbers, column).to_pylist()
        vectors = load_teacher(ref.teacher).encode(texts, side).astype(np.float16)
        schema = pa.schema([pa.field("vector", pa.list_(pa.float16(), vectors.shape[1]), nullable=False)])
        lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), vectors.shape[1])
        out.table("vectors", [pa.record_batch([lists], schema=schema)], schema, compressed=False)
        return {"texts": len(vectors), "dim": vectors.shape[1]}


def embed(
    store: Store, workers: Workers, pools: Sequence[tuple[PoolRef, dict[Side, list[Chunk]]]], settings: TeacherSettings
) -> list[dict[Side, StoredVectors]]:
    """Embed the texts of all pools that are not embedded yet.

    Args:
        store: of rows, pools and vectors.
        workers: each task asks for one GPU: on Ray, a GPU of the cluster; locally, one process on this machine's GPU.
            Without a GPU, tasks run in processes on the CPU.
        pools: each with the chunks of its two sides, from the statistics of `Collect`.
        settings: of the teacher.

    Returns:
        Readers of the vectors of both sides, for each pool.

    Raises:
        SettingsError: the teacher cannot be loaded.

    """
    identity = load_teacher(settings).identity
    readers_of_pools: list[dict[Side, StoredVectors]] = [{} for _ in pools]
    for side in TABLES:
        operation = Embed(EmbedSettings(teacher=identity, side=side))
        tasks = [
            Task(f"{identity[:16]}/{pool.name}/{side}/{number:05d}", (chunk.digest,), EmbedRef(pool, chunk, settings))
            for pool, chunks in pools
            for number, chunk in enumerate(chunks[side])
        ]
        markers = iter(engine.run(operation, tasks, store, replace(workers, gpus=1)))
        for (_, chunks), readers in zip(pools, readers_of_pools, strict=True):
            readers[side] = StoredVectors.of(store, [next(markers) for _ in chunks[side]])
    return readers_of_pools


@dataclass(frozen=True)
class StoredVectors:
    """Vectors in shards, read one shard at a time (see `curation.mining.vectors.Vectors`). It can be pickled.

    Attributes:
        store: of the shards.
        paths: of the shards.
        starts: number of the first vector of each shard, and the total.
        hashes: xxh3 of each shard.
        dim: dimension of the vectors.

    """

    store: Store
    paths: tuple[str, ...]
    starts: tuple[int, ...]
    hashes: tuple[str, ...]
    dim: int

    @classmethod
    def of(cls, store: Store, markers: Sequence[Marker]) -> StoredVectors:
        """Return a reader of the vectors that these tasks of `Embed` wrote."""
        outputs = [marker.outputs[0] for marker in markers]
        starts = offsets_of([output.rows for output in outputs]).tolist()
        dim = int(markers[0].stats["dim"]) if markers else 0
        return cls(store, tuple(o.path for o in outputs), tuple(starts), tuple(o.xxh3 for o in outputs), dim)

    def __len__(self) -> int:
        """Return the number of vectors."""
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
        """Return the vectors with these numbers, float16[len(ids), dim]; each shard is read once."""
        result = np.empty((len(ids), self.dim), np.float16)
        shard = np.searchsorted(self.starts, ids, side="right") - 1
        for i in np.unique(shard).tolist():
            in_shard = shard == i
            result[in_shard] = self._read(i)[ids[in_shard] - self.starts[i]]
        return result

    def _read(self, i: int) -> F16:
        """Read one shard, float16[n, dim], without a memory map, whose pages would count as memory of the process."""
        with self.store.opened(self.paths[i]) as source:
            batch = pa.ipc.open_file(source).get_batch(0)
        return np.asarray(batch.column(0).flatten().to_numpy().reshape(-1, self.dim))
