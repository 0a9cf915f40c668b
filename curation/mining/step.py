"""Step `mine`: negatives for every pool (source, subset), as row numbers within the pool; texts stay in the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation import engine
from curation.engine import Outputs, Task
from curation.mining.classes import mine_classes
from curation.mining.retrieval import ORIGINS, Negatives, Pool, mine_retrieval
from curation.settings import MiningSettings
from curation.steps import Build, Shard, StepResult, output_ending
from curation.store import Store
from curation.text.tokens import tokenise
from sources import registry

NEGATIVES_SCHEMA = pa.schema(
    [
        pa.field("negatives", pa.list_(pa.int32()), nullable=False),
        pa.field("scores", pa.list_(pa.float32()), nullable=False),
        pa.field("origins", pa.list_(pa.int8()), nullable=False),
        pa.field("positive_score", pa.float32(), nullable=False),
        pa.field("positive_rank", pa.int32(), nullable=False),
    ]
)
"""Row-aligned with the pool (its rows shards in order). A negative is the pool row whose positive it is; `origins`
index `curation.mining.retrieval.ORIGINS`; `positive_rank` is how many documents scored above the positive, or -1."""


@dataclass(frozen=True)
class PoolRef:
    """The shards of one pool and the family that decides how it is mined."""

    family: str
    paths: tuple[str, ...]


class Mine:
    """Operation: one pool to its negatives."""

    name: ClassVar[str] = "negatives"
    version: ClassVar[int] = 1

    def __init__(self, settings: MiningSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Mine one pool; `task.payload` is a `PoolRef`."""
        pool: PoolRef = task.payload
        rows = pa.concat_tables(store.read_table(f"rows/{path}.rows.arrow") for path in pool.paths)
        clusters = pa.concat_tables(store.read_table(f"clusters/{path}.clusters.arrow") for path in pool.paths)
        if pool.family == "classification":
            found = _none(rows.num_rows)
        elif pool.family == "clustering":
            label = np.unique(rows["label"].to_numpy(), return_inverse=True)[1].astype(np.int64)
            found = mine_classes(label, tokenise(rows["positive"]).exact, row_keys(rows), self.settings)
        else:
            found = mine_retrieval(_pool(rows, clusters), self.settings)
        out.table("negatives", _table(found).to_batches(), NEGATIVES_SCHEMA)
        kept = np.diff(found.offsets)
        return {
            "rows": rows.num_rows,
            "short": int((kept < self.settings.keep).sum()) if pool.family != "classification" else 0,
            "origins": {name: int((found.origins == i).sum()) for i, name in enumerate(ORIGINS)},
        }


def row_keys(rows: pa.Table) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """Return the first eight bytes of each row id, uint64: uniform, and the row's own for ever."""
    ids = rows["row_id"].combine_chunks()
    chunks = ids.chunks if isinstance(ids, pa.ChunkedArray) else [ids]
    raw = b"".join(bytes(c.buffers()[1])[c.offset * 16 : (c.offset + len(c)) * 16] for c in chunks if len(c))
    return np.frombuffer(raw, ">u8").astype(np.uint64)[::2].copy()


def _pool(rows: pa.Table, clusters: pa.Table) -> Pool:
    query, document = tokenise(rows["query"]), tokenise(rows["positive"])
    crosses = _crosses(rows)
    field = "query" if crosses else "positive"
    asked = tokenise(rows["query"], for_search=True)
    searched = asked if crosses else tokenise(rows[field], for_search=True)
    _, first, unit = np.unique((query if crosses else document).exact, return_index=True, return_inverse=True)
    by_first = np.empty(len(first), np.int32)
    by_first[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    language = np.unique(rows["positive_lang"].to_numpy(), return_inverse=True)[1]
    return Pool(
        searched, asked, by_first[unit], query.exact, document.exact, clusters["query_cluster"].to_numpy(),
        clusters["document_cluster"].to_numpy(), language.astype(np.int32), row_keys(rows),
    )  # fmt: skip


def _crosses(rows: pa.Table) -> bool:
    """Tell whether most rows ask in one natural language for a document in another."""
    ask, answer = rows["query_lang"], rows["positive_lang"]
    code = pc.or_(pc.ends_with(ask, "-Code"), pc.ends_with(answer, "-Code"))
    crossing = pc.and_(pc.not_equal(ask, answer), pc.invert(code))
    return bool((pc.mean(crossing.cast(pa.float32())).as_py() or 0) > 0.5)


def _none(rows: int) -> Negatives:
    empty = np.zeros(0, np.int32)
    return Negatives(
        empty, np.zeros(rows + 1, np.int64), empty.astype(np.float32), empty.astype(np.int8),
        np.zeros(rows, np.float32), np.full(rows, -1, np.int32),
    )  # fmt: skip


def _table(found: Negatives) -> pa.Table:
    offsets = pa.array(found.offsets.astype(np.int32))
    lists = [pa.ListArray.from_arrays(offsets, pa.array(v)) for v in (found.rows, found.scores, found.origins)]
    return pa.table([*lists, pa.array(found.positive_score), pa.array(found.positive_rank)], schema=NEGATIVES_SCHEMA)


def run_mine(build: Build) -> StepResult:
    """Mine every pool."""
    rows, clusters = build.load("normalise").by_pool(), build.load("dedup").by_pool()
    operation = Mine(build.profile.mining)
    tasks = []
    for (source, subset), shards in rows.items():
        inputs = [s.xxh3 for s in (*shards, *clusters[source, subset])]
        pool = PoolRef(registry.load(source).family, tuple(s.path for s in shards))
        tasks.append(Task(f"{source}/{subset}", (pool.family, *inputs), pool))
    markers = engine.run(operation, tasks, build.store, build.workers)
    result = StepResult("mine")
    totals: dict[str, Any] = {}
    for (source, subset), marker in zip(rows, markers, strict=True):
        output = output_ending(marker, "negatives")
        result.shards.append(Shard(source, subset, f"{source}/{subset}", output.rows, output.xxh3))
        entry = totals.setdefault(source, {"rows": 0, "short": 0, "origins": dict.fromkeys(ORIGINS, 0)})
        entry["rows"] += marker.stats["rows"]
        entry["short"] += marker.stats["short"]
        for name, count in marker.stats["origins"].items():
            entry["origins"][name] += count
    result.stats = {"sources": totals}
    build.save(result)
    return result
