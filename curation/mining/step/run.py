"""Step `mine`: pools of distinct texts, their vectors where the teacher is dense, negatives for every row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from curation.build import Build, Inputs, StepResult, shards_of
from curation.mining.settings import MiningSettings
from curation.mining.statistics import BM25_WIDTH, BOUNDED_WIDTH, added, spread_examples
from curation.mining.step.cross_pool_positives import Answers, AnswersRef
from curation.mining.step.embeddings import embed
from curation.mining.step.mined_pool import MinedPool
from curation.mining.step.pools import Chunk, Collect
from curation.mining.step.row_alignment import Align, AlignRef, AlignSettings, ClassesRef, DrawClasses, block_path
from curation.mining.step.search import BLOCK_QUERIES, BlockRef, Search
from curation.mining.teachers.loading import load_teacher
from curation.tables.pools import pools_of
from open_ml_embed.core import engine
from open_ml_embed.core.engine import Task
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.store import Marker


def run_mine(build: Build, inputs: Inputs) -> StepResult:
    """Mine every pool.

    Raises:
        StageError: a step before is missing, or was made from other rows.
        SettingsError: the teacher, or a pool of the settings, cannot be.

    """
    settings = build.profile.mining
    if settings.teacher.dense:
        load_teacher(settings.teacher)  # what cannot be a teacher is refused before any work
    rows = inputs["normalize"]
    pools = [MinedPool(one.name, one.label, one.family, one.shards) for one in pools_of(rows, build).values()]
    inputs.begin()
    answers = _collect(build, inputs, pools)
    _search(build, [pool for pool in pools if pool.family == "retrieval"])
    _draw(build, [pool for pool in pools if pool.family != "retrieval"])
    markers = [marker for pool in pools for marker in pool.aligned]
    made = {s.path: s for marker in markers for s in shards_of("", "", marker, Align.name, "negatives")}
    result = inputs.result(shards=[replace(s, xxh3=made[s.path].xxh3) for s in rows.shards])
    result.files = [o for m in (*answers, *(pool.collected for pool in pools), *markers) for o in m.outputs]
    result.stats = {"settings": settings.model_dump(mode="json"), **_figures(pools, settings)}
    build.save(result)
    return result


def _collect(build: Build, inputs: Inputs, pools: list[MinedPool]) -> list[Marker]:
    """Number the texts of all pools; return the marker of what they answer for each other, if there is any row."""
    beside = [inputs["dedup"], inputs.get("decontaminate")]
    known = [{s.path: s.xxh3 for s in step.shards} for step in beside if step and step.shards]
    asked = [_answers(build, [pool for pool in pools if pool.family == "retrieval"], known[0])] if known else []
    answers = {pool: xxh3 for of_pools, _ in asked for pool, xxh3 in of_pools.items()}
    tasks = []
    for pool in pools:
        known_of = [of[s.path] for of in known for s in pool.shards]
        answered = [answers[pool.name]] if pool.name in answers else []
        reference = replace(pool.reference, decontaminated=len(known) > 1, answered=bool(answered))
        tasks.append(Task(pool.name, (*reference.hashes, *known_of, *answered), reference))
    markers = engine.run(Collect(), tasks, build.store, build.workers)
    for pool, marker in zip(pools, markers, strict=True):
        pool.collected = marker
    return [marker for _, marker in asked]


def _answers(build: Build, pools: list[MinedPool], clusters: dict[str, str]) -> tuple[dict[str, str], Marker]:
    """Find what every pool needs to know of the others; return a hash of it by the pool's name, and the marker."""
    ref = AnswersRef(tuple((pool.name, pool.reference.paths) for pool in pools))
    inputs = tuple(clusters[path] for _, paths in ref.pools for path in paths)
    (marker,) = engine.run(Answers(), [Task("all", (digest(ref.pools), *inputs), ref)], build.store, build.workers)
    return {pool.name: output.xxh3 for pool, output in zip(pools, marker.outputs, strict=True)}, marker


def _search(build: Build, pools: list[MinedPool]) -> None:
    settings, store = build.profile.mining, build.store
    vectors: Sequence[Any] = [None] * len(pools)
    if settings.teacher.dense:
        texts = [
            (p.reference, {side: [Chunk(*c) for c in chunks] for side, chunks in p.collected.stats["chunks"].items()})
            for p in pools
        ]
        vectors = embed(store, build.workers, texts, settings.teacher)
    # a search uses all cores by itself; Ray counts cores, so there a task has one, or a GPU
    alone = build.workers.kind == "local"
    workers = replace(build.workers, count=1) if alone else replace(build.workers, gpus=float(settings.teacher.dense))
    tasks = []
    for pool, readers in zip(pools, vectors, strict=True):
        pair = (readers["query"], readers["document"]) if readers else None
        searched = digest([pool.identity, [reader.hashes for reader in pair or ()], _opinion_identity(settings)])
        for number, start in enumerate(range(0, pool.collected.stats["queries"], BLOCK_QUERIES)):
            stop = min(start + BLOCK_QUERIES, pool.collected.stats["queries"])
            ref = BlockRef(pool.reference, start, stop, pair, threads=0 if alone else 1)
            tasks.append(Task(block_path(pool.name, number), (searched, f"{start}-{stop}"), ref))
    markers = iter(engine.run(Search(settings), tasks, store, workers))
    aligning = []
    for pool in pools:
        pool.mined = [next(markers) for _ in range(0, pool.collected.stats["queries"], BLOCK_QUERIES)]
        inputs = (pool.identity, *(marker.outputs[0].xxh3 for marker in pool.mined))
        aligning += [Task(s.path, inputs, AlignRef(pool.name, s.path)) for s in pool.shards]
    keyed = AlignSettings(num_negatives=settings.num_negatives, width=_width(settings))
    markers = iter(engine.run(Align(keyed), aligning, store, build.workers))
    for pool in pools:
        pool.aligned = [next(markers) for _ in pool.shards]


def _opinion_identity(settings: MiningSettings) -> str | None:
    if settings.second_opinion is None:
        return None
    from curation.mining.teachers.cross_encoder import load_second_opinion

    return load_second_opinion(settings.second_opinion).identity


def _width(settings: MiningSettings) -> float:
    return BOUNDED_WIDTH if settings.teacher.dense or settings.second_opinion else BM25_WIDTH


def _draw(build: Build, pools: list[MinedPool]) -> None:
    tasks = [
        Task(
            p.name,
            (p.identity, p.family, *p.reference.hashes),
            ClassesRef(p.reference, p.family, tuple(s.rows for s in p.shards)),
        )
        for p in pools
    ]
    markers = engine.run(DrawClasses(build.profile.mining), tasks, build.store, build.workers)
    for pool, marker in zip(pools, markers, strict=True):
        pool.aligned = [marker]


def _figures(pools: list[MinedPool], settings: MiningSettings) -> dict[str, Any]:
    """Return what the report shows, by source and by pool; a source is its own pool unless the settings say more."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    examples: dict[str, list[Any]] = defaultdict(list)
    for pool in pools:
        owners = pool.shards if pool.mined else pool.shards[:1]
        for shard, marker in zip(owners, pool.aligned, strict=True):
            rows[shard.source].append({k: v for k, v in marker.stats.items() if k != "rejected"})
        found[pool.label].append({name: pool.collected.stats[name] for name in ("queries", "documents")})
        for marker in (*pool.mined, *(() if pool.mined else pool.aligned)):
            found[pool.label].append(
                {name: marker.stats[name] for name in ("rejected", "chosen") if name in marker.stats}
            )
            examples[pool.label] += marker.stats.get("examples", [])
    recall = {p.label: min(m.stats["recall"] for m in p.mined) for p in pools if p.mined}
    return {
        "width": _width(settings),
        "sources": {source: added(tallies) for source, tallies in sorted(rows.items())},
        "pools": {
            label: added(counts)
            | {
                "sources": sorted({s.source for p in pools if p.label == label for s in p.shards}),
                "recall": recall.get(label),
                "examples": spread_examples(examples[label]),
            }
            for label, counts in sorted(found.items())
        },
    }
