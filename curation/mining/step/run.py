"""Step `mine`: collect pools of distinct texts, embed them for a dense teacher, and find negatives for every row."""

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
from curation.mining.step.row_alignment import (
    Align,
    AlignRef,
    AlignSettings,
    ClassesRef,
    DrawClasses,
    NoNegatives,
    block_path,
)
from curation.mining.step.search import BLOCK_QUERIES, BlockRef, Search
from curation.mining.step.task_memory import PoolSize, Sizes, to_collect, to_search
from curation.mining.teachers.loading import load_teacher
from curation.tables.pools import pools_of
from open_ml_embed.core import engine
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.store import Marker
from open_ml_embed.core.task import Task

LANGUAGE_CLASSIFICATION = "language-classification"
"""Task of the sources whose classes are languages."""


def run_mine(build: Build, inputs: Inputs) -> StepResult:
    """Mine negatives for the rows of every pool.

    Args:
        build: the profile.
        inputs: results of the steps before.

    Raises:
        StageError: the result of a step before is missing, or was made from other rows.
        SettingsError: the teacher cannot be loaded, or a pool of the settings is not valid.

    """
    settings = build.profile.mining
    if settings.teacher.dense:
        load_teacher(settings.teacher)  # fail before any work if the teacher cannot be loaded
    rows = inputs["normalize"]
    pools = [
        MinedPool(reference.name, reference.label, reference.family, reference.shards, reference.corpora)
        for reference in pools_of(rows, build).values()
    ]
    inputs.begin()
    sizes = Sizes(rows, inputs["dedup"])
    answers = _collect(build, inputs, pools, sizes)
    _search(build, [pool for pool in pools if pool.family == "retrieval"], sizes)
    _draw(build, [pool for pool in pools if pool.family != "retrieval"])
    corpora = build.corpora()
    unasked = [Task(s.path, (s.xxh3,), s.rows) for s in rows.shards if s.source in corpora]
    markers = [marker for pool in pools for marker in pool.aligned]
    written = {s.path: s for marker in markers for s in shards_of("", "", marker, Align.name, "negatives")}
    result = inputs.result()
    result.shards += (replace(s, xxh3=written[s.path].xxh3) for s in rows.shards if s.source not in corpora)
    empty = engine.run(NoNegatives(), unasked, build.store, build.workers)
    result.files += (o for m in (*answers, *(pool.collected for pool in pools), *markers, *empty) for o in m.outputs)
    result.stats = {"settings": settings.model_dump(mode="json"), **_figures(pools, settings)}
    build.save(result)
    return result


def _collect(build: Build, inputs: Inputs, pools: list[MinedPool], sizes: Sizes) -> list[Marker]:
    """Collect the texts of all pools; return the marker of operation `answers`, or nothing if there are no rows."""
    settings, other_steps = build.profile.mining, [inputs["dedup"], inputs.get("decontaminate")]
    hashes_of_steps = [{s.path: s.xxh3 for s in step.shards} for step in other_steps if step and step.shards]
    answer_results = (
        [_find_answers(build, [pool for pool in pools if pool.family == "retrieval"], hashes_of_steps[0])]
        if hashes_of_steps
        else []
    )
    answers = {pool: xxh3 for of_pools, _ in answer_results for pool, xxh3 in of_pools.items()}
    tasks = []
    for pool in pools:
        hashes_of_shards = [of[s.path] for of in hashes_of_steps for s in (*pool.shards, *pool.corpora)]
        answer_hash = [answers[pool.name]] if pool.name in answers else []
        both_sides = settings.language == "both" and pool.family == "retrieval"
        decontaminated, answered = len(hashes_of_steps) > 1, bool(answer_hash)
        reference = replace(pool.reference, decontaminated=decontaminated, answered=answered, both_sides=both_sides)
        searched = [f"{reference.corpora} of corpora"] * bool(reference.corpora) + ["both sides"] * both_sides
        task_inputs = (*reference.hashes, *hashes_of_shards, *answer_hash, *searched)
        tasks.append(Task(pool.name, task_inputs, reference, to_collect(_size(pool, sizes, settings))))
    markers = engine.run(Collect(), tasks, build.store, build.workers)
    for pool, marker in zip(pools, markers, strict=True):
        pool.collected = marker
    return [marker for _, marker in answer_results]


def _size(pool: MinedPool, sizes: Sizes, settings: MiningSettings) -> PoolSize:
    """Return the size of a pool with its corpora; queries that are documents count as given negatives do."""
    size = sizes.of([*pool.shards, *pool.corpora])
    return size._replace(negatives=size.negatives + size.rows) if settings.language == "both" else size


def _find_answers(build: Build, pools: list[MinedPool], clusters: dict[str, str]) -> tuple[dict[str, str], Marker]:
    """Find the answers in other pools; return pool name → hash of its table of answers, and the marker."""
    ref = AnswersRef(tuple((pool.name, pool.reference.asking) for pool in pools))
    inputs = tuple(clusters[path] for _, paths in ref.pools for path in paths)
    (marker,) = engine.run(Answers(), [Task("all", (digest(ref.pools), *inputs), ref)], build.store, build.workers)
    return {pool.name: output.xxh3 for pool, output in zip(pools, marker.outputs, strict=True)}, marker


def _search(build: Build, pools: list[MinedPool], sizes: Sizes) -> None:
    settings, store = build.profile.mining, build.store
    vectors: Sequence[Any] = [None] * len(pools)
    if settings.teacher.dense:
        texts = [
            (p.reference, {side: [Chunk(*c) for c in chunks] for side, chunks in p.collected.stats["chunks"].items()})
            for p in pools
        ]
        vectors = embed(store, build.workers, texts, settings.teacher)
    # locally a search uses all cores, so tasks run one at a time; on Ray a task uses one core, or a GPU
    is_local = build.workers.kind == "local"
    workers = (
        replace(build.workers, count=1) if is_local else replace(build.workers, gpus=float(settings.teacher.dense))
    )
    tasks = []
    for pool, readers in zip(pools, vectors, strict=True):
        pair = (readers["query"], readers["document"]) if readers else None
        search_identity = digest(
            [pool.identity, [reader.hashes for reader in pair or ()], _reranker_identity(settings)]
        )
        memory = 0 if settings.teacher.dense else to_search(_size(pool, sizes, settings))
        for number, start in enumerate(range(0, pool.collected.stats["queries"], BLOCK_QUERIES)):
            stop = min(start + BLOCK_QUERIES, pool.collected.stats["queries"])
            ref = BlockRef(pool.reference, start, stop, pair, threads=0 if is_local else 1)
            tasks.append(Task(block_path(pool.name, number), (search_identity, f"{start}-{stop}"), ref, memory))
    markers = iter(engine.run(Search(settings), tasks, store, workers))
    align_tasks = []
    for pool in pools:
        pool.mined = [next(markers) for _ in range(0, pool.collected.stats["queries"], BLOCK_QUERIES)]
        inputs = (pool.identity, *(marker.outputs[0].xxh3 for marker in pool.mined))
        align_tasks += [Task(s.path, inputs, AlignRef(pool.name, s.path)) for s in pool.shards]
    align_settings = AlignSettings(num_negatives=settings.num_negatives, width=_width(settings))
    markers = iter(engine.run(Align(align_settings), align_tasks, store, build.workers))
    for pool in pools:
        pool.aligned = [next(markers) for _ in pool.shards]


def _reranker_identity(settings: MiningSettings) -> str | None:
    if settings.second_opinion is None:
        return None
    from curation.mining.teachers.cross_encoder import load_second_opinion

    return load_second_opinion(settings.second_opinion).identity


def _width(settings: MiningSettings) -> float:
    return BOUNDED_WIDTH if settings.teacher.dense or settings.second_opinion else BM25_WIDTH


def _draw(build: Build, pools: list[MinedPool]) -> None:
    tasks = []
    for p in pools:
        by_language = build.manifest(p.shards[0].source).task == LANGUAGE_CLASSIFICATION
        inputs = (p.identity, p.family, *p.reference.hashes, *(("classes-are-languages",) if by_language else ()))
        ref = ClassesRef(p.reference, p.family, tuple(s.rows for s in p.shards), by_language)
        tasks.append(Task(p.name, inputs, ref))
    markers = engine.run(DrawClasses(build.profile.mining), tasks, build.store, build.workers)
    for pool, marker in zip(pools, markers, strict=True):
        pool.aligned = [marker]


def _figures(pools: list[MinedPool], settings: MiningSettings) -> dict[str, Any]:
    """Return the statistics for the report, by source and by pool."""
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    counts_of_pools: dict[str, list[dict[str, Any]]] = defaultdict(list)
    examples: dict[str, list[Any]] = defaultdict(list)
    for pool in pools:
        owners = pool.shards if pool.mined else pool.shards[:1]
        for shard, marker in zip(owners, pool.aligned, strict=True):
            rows[shard.source].append({k: v for k, v in marker.stats.items() if k != "rejected"})
        counts_of_pools[pool.label].append({name: pool.collected.stats[name] for name in ("queries", "documents")})
        for marker in (*pool.mined, *(() if pool.mined else pool.aligned)):
            counts_of_pools[pool.label].append(
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
            for label, counts in sorted(counts_of_pools.items())
        },
    }
