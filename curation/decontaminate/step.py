"""Step `decontaminate`: gather the evaluation sets, index their texts, hold every shard against them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from curation import engine
from curation.decontaminate.facts import files_fact
from curation.decontaminate.index import BuildIndex, IndexSettings, load_index
from curation.decontaminate.origins import EvaluationSet, RawSet, chosen_sets, fetch_set
from curation.decontaminate.rows import Contaminate, Evaluated
from curation.decontaminate.summary import distrusted, summarise
from curation.decontaminate.texts import Gather, TextSettings, path_of
from curation.engine import Task
from curation.facts import from_root, overridden
from curation.fetching import fetch_options
from curation.progress import Progress
from curation.steps import Build, Shard, StepResult, shards_of
from curation.store import Marker, Store, digest
from sources.errors import CorpusError, FetchError, MissingToolError, StageError, TransientError
from sources.fetch.packing import locked


def run_decontaminate(build: Build) -> StepResult:
    """Hold every row against the evaluation sets; nothing is deleted, `mix` reads the columns.

    A profile without evaluation sets has nothing to do: the step's file says so and has no shards.

    Raises:
        StageError: evaluation sets could not be had; the lines before it say what to do for each.
        TransientError: the same, and it may pass by itself for all of them.

    """
    settings = build.profile.decontaminate
    sets = chosen_sets(settings, build.root)
    inputs = build.inputs("decontaminate")
    result = inputs.result(stats={"tasks": {}, "sources": {}, "given_up": 0, "distrust": []})
    shelf = evaluation_store(build)
    if sets:
        rows = inputs["normalise"]
        with locked(build.root / "work" / "evaluations" / ".lock"):
            raw, result.skipped = fetch_sets(sets, build)
            for one in raw:
                result.made_from["evaluation"][one.which.name]["files"] = files_fact(one.files)
            inputs.begin()
            evaluated, built = _indexed(build, shelf, raw)
        operation = Contaminate(settings)
        identity = digest([output.xxh3 for output in built.outputs])
        tasks = [Task(s.path, (s.xxh3, identity, *evaluated.sets), evaluated) for s in rows.shards]
        markers = engine.run(operation, tasks, build.store, build.workers)
        index = load_index(shelf, evaluated.path)
        result.stats = summarise(rows.shards, markers, build.store, index, evaluated.sets, built.stats["sets"])
        result.stats["distrust"] = distrusted(result.stats, settings.distrust)
        for shard, marker in zip(rows.shards, markers, strict=True):
            (made,) = shards_of(shard.source, shard.subset, marker, operation.name, operation.name)
            result.shards.append(Shard(shard.source, shard.subset, shard.path, shard.rows, made.xxh3))
            result.files += [o for o in marker.outputs if o.path.endswith(f".{operation.name}.arrow")]
    build.save(result)
    return result


def with_folders(build: Build, folders: list[Path]) -> Build:
    """Return the build with more evaluation sets: folders in BEIR's layout."""
    said = {"evaluation": [from_root(build, folder) for folder in folders]} if folders else {}
    return overridden(build, "decontaminate", said)


def evaluation_store(build: Build) -> Store:
    """Return where evaluation texts and indexes lie, shared by all profiles."""
    return Store(str(build.root / "work" / "evaluations"))


def fetch_sets(sets: list[EvaluationSet], build: Build) -> tuple[list[RawSet], dict[str, str]]:
    """Bring the files of all sets here; return them, and the sets that this machine lacks a tool for, with why.

    Raises:
        StageError: sets could not be had; what was fetched stays.
        TransientError: the same, and it may pass by itself for all of them.

    """
    options = replace(fetch_options(build), lock=None, files_per_table=None)
    found: list[RawSet] = []
    skipped: dict[str, str] = {}
    failed: dict[str, CorpusError] = {}
    with Progress("evaluation sets", total=len(sets)) as progress:
        for one in sets:
            try:
                found.append(fetch_set(one, options))
            except MissingToolError as error:
                skipped[one.name] = error.what
                print(f"skipped {one.name}: {error}", file=sys.stderr)
            except (FetchError, TransientError) as error:
                failed[one.name] = error
                print(f"failed {one.name}: {error}", file=sys.stderr)
            progress.advance(one.name)
    options.hashes.save()
    if len(failed) == 1:
        raise next(iter(failed.values()))
    if failed:
        passing = all(isinstance(error, TransientError) for error in failed.values())
        raise (TransientError if passing else StageError)(
            f"{len(failed)} of {len(sets)} evaluation sets could not be had: {', '.join(failed)}",
            where=f"profile {build.name}",
            remedy="see the line on each above; put them right, or leave them out with `decontaminate.mteb.exclude`",
        )
    return found, skipped


def _indexed(build: Build, shelf: Store, raw: list[RawSet]) -> tuple[Evaluated, Marker]:
    """Gather the texts of all sets and index them; both are kept for the next run and for other profiles."""
    settings = build.profile.decontaminate
    gather = Gather(TextSettings(documents=settings.documents))
    tasks = []
    for one in raw:
        said = digest([one.which.kind, one.which.name, *(f"{f.table}:{f.name}:{f.identity}" for f in one.files)])
        known = digest([one.form.model_dump() if one.form else None, _columns(one), settings.documents])
        tasks.append(Task(f"{path_of(one.which)}-{settings.documents}", (said, known), one))
    gathered = engine.run(gather, tasks, shelf, build.workers)
    names = tuple(one.which.name for one in raw)
    inputs = tuple(f"{name}:{m.outputs[0].xxh3}" for name, m in zip(names, gathered, strict=True))
    operation = BuildIndex(IndexSettings.of(settings))
    path = digest([inputs, operation.settings.model_dump()])[:16]
    payload = [(name, task.path) for name, task in zip(names, tasks, strict=True)]
    (built,) = engine.run(operation, [Task(path, inputs, payload)], shelf, build.workers)
    return Evaluated(shelf.root, path, names), built


def _columns(one: RawSet) -> object:
    """Return what of a set's description changes its texts, besides its files."""
    return one.which.said.model_dump(mode="json") if not isinstance(one.which.said, tuple) else one.which.said[1]
