"""Step `decontaminate`: gather the evaluation sets, index their texts, hold every shard against them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace

from curation.build import Build, Inputs, Shard, StepResult, shards_of
from curation.decontamination.index import IndexSettings
from curation.decontamination.origins import EvaluationSet, RawSet, chosen_sets, fetch_set
from curation.decontamination.step.dependencies import files_fact
from curation.decontamination.step.index import BuildIndex, load_index
from curation.decontamination.step.rows import Contaminate, Evaluated
from curation.decontamination.step.statistics import distrusted, summarize
from curation.decontamination.step.texts import Gather, TextSettings, path_of
from curation.failures import Failures
from curation.raw_files import fetch_options
from open_ml_embed.core import engine
from open_ml_embed.core.engine import Task
from open_ml_embed.core.errors import FetchError, MissingToolError
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.progress import Progress
from open_ml_embed.core.store import Marker, Store
from sources.fetch.packing import locked


def run_decontaminate(build: Build, inputs: Inputs) -> StepResult:
    """Hold every row against the evaluation sets; nothing is deleted, `mix` reads the columns.

    A profile without evaluation sets has nothing to do: the step's file says so and has no shards.

    Raises:
        RefusedError: evaluation sets could not be had or read; it says what to do for each.
        RefusedForNowError: the same, and it may pass by itself for all of them.

    """
    settings = build.profile.decontaminate
    sets = chosen_sets(settings, build.root)
    result = inputs.result(stats={"tasks": {}, "sources": {}, "given_up": 0, "distrust": []})
    shelf = evaluation_store(build)
    if sets:
        rows = inputs["normalize"]
        with locked(build.root / "work" / "evaluations" / ".lock"):
            failures = _failures("decontaminate")
            raw, result.skipped = fetch_sets(sets, build, failures)
            for one in raw:
                result.made_from["evaluation"][one.which.name]["files"] = files_fact(one.files)
            inputs.begin()
            gathered = _gathered(build, shelf, raw, failures)
            if failures:
                result.refused = failures.refused
                build.save(result)
                failures.end(of=len(sets), where=f"profile {build.name}", result=result)
            evaluated, built = _indexed(build, shelf, gathered)
        operation = Contaminate(settings)
        identity = digest([output.xxh3 for output in built.outputs])
        tasks = [Task(s.path, (s.xxh3, identity, *evaluated.sets), evaluated) for s in rows.shards]
        markers = engine.run(operation, tasks, build.store, build.workers)
        index = load_index(shelf, evaluated.path)
        result.stats = summarize(rows.shards, markers, build.store, index, evaluated.sets, built.stats["sets"])
        result.stats["distrust"] = distrusted(result.stats, settings.distrust)
        for shard, marker in zip(rows.shards, markers, strict=True):
            (made,) = shards_of(shard.source, shard.subset, marker, operation.name, operation.name)
            result.shards.append(Shard(shard.source, shard.subset, shard.path, shard.rows, made.xxh3))
            result.files += [o for o in marker.outputs if o.path.endswith(f".{operation.name}.arrow")]
    build.save(result)
    return result


def evaluation_store(build: Build) -> Store:
    """Return where evaluation texts and indexes lie, shared by all profiles."""
    return Store(str(build.root / "work" / "evaluations"))


def _failures(step: str) -> Failures:
    leave_out = "`decontaminate.mteb.exclude`, or take it out of `decontaminate.sets`"
    return Failures(step, "evaluation sets", "had", leave_out=leave_out)


def fetch_sets(sets: list[EvaluationSet], build: Build, failures: Failures) -> tuple[list[RawSet], dict[str, str]]:
    """Bring the files of all sets here; return them, and the sets that this machine lacks a tool for, with why.

    A set that cannot be had, or of which all files are empty, goes to `failures`; the others are fetched.
    """
    options = replace(fetch_options(build), lock=None, files_per_table=None)
    found: list[RawSet] = []
    skipped: dict[str, str] = {}
    with Progress("evaluation sets", total=len(sets)) as progress:
        for one in sets:
            with failures.of(one.name):
                try:
                    raw = fetch_set(one, options)
                    if not any(file.size for file in raw.files):
                        raise FetchError(
                            f"nothing to read in its {len(raw.files)} files",
                            where=one.name,
                            remedy="put whole files there, or pin a revision that has them",
                        )
                    found.append(raw)
                except MissingToolError as error:
                    skipped[one.name] = error.what
                    print(f"skipped {one.name}: {error}", file=sys.stderr)
            progress.advance(one.name)
    options.hashes.save()
    return found, skipped


def run_fetch_sets(build: Build) -> StepResult:
    """Bring the evaluation sets of a profile here, without comparing anything; nothing is saved.

    Raises:
        RefusedError: sets could not be had; it says what to do for each.
        RefusedForNowError: the same, and it may pass by itself for all of them.

    """
    sets = chosen_sets(build.profile.decontaminate, build.root)
    failures = _failures("evaluations")
    found, skipped = fetch_sets(sets, build, failures)
    files = {one.which.name: [{"path": file.path, "size": file.size} for file in one.files] for one in found}
    result = StepResult("evaluations", stats={"files": files}, skipped=skipped, refused=failures.refused)
    if failures:
        failures.end(of=len(sets), where=f"profile {build.name}", result=result)
    return result


@dataclass(frozen=True)
class _Gathered:
    """An evaluation set whose texts lie beside each other."""

    name: str
    path: str
    content: str


def _gathered(build: Build, shelf: Store, raw: list[RawSet], failures: Failures) -> list[_Gathered]:
    """Gather the texts of all sets, kept for the next run and other profiles; one that fails goes to `failures`."""
    settings = build.profile.decontaminate
    tasks = []
    for one in raw:
        said = digest([one.which.kind, one.which.name, *(f"{f.table}:{f.name}:{f.identity}" for f in one.files)])
        known = digest([one.form.model_dump() if one.form else None, _columns(one), settings.documents])
        tasks.append(Task(f"{path_of(one.which)}-{settings.documents}", (said, known), one))
    found = []
    gather = Gather(TextSettings(documents=settings.documents))
    for task, outcome in zip(tasks, engine.run_all(gather, tasks, shelf, build.workers), strict=True):
        name = task.payload.which.name
        if isinstance(outcome, Marker):
            found.append(_Gathered(name, task.path, outcome.outputs[0].xxh3))
        else:
            failures.add(name, outcome)
    return found


def _indexed(build: Build, shelf: Store, gathered: list[_Gathered]) -> tuple[Evaluated, Marker]:
    """Index the texts of all sets; the index is kept for the next run and for other profiles."""
    inputs = tuple(f"{one.name}:{one.content}" for one in gathered)
    operation = BuildIndex(IndexSettings.of(build.profile.decontaminate))
    path = digest([inputs, operation.settings.model_dump()])[:16]
    payload = [(one.name, one.path) for one in gathered]
    (built,) = engine.run(operation, [Task(path, inputs, payload)], shelf, build.workers)
    return Evaluated(shelf.root, path, tuple(one.name for one in gathered)), built


def _columns(one: RawSet) -> object:
    """Return what of a set's description changes its texts, besides its files."""
    return one.which.said.model_dump(mode="json") if not isinstance(one.which.said, tuple) else one.which.said[1]
