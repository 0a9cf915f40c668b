"""Step `decontaminate`: fetch the evaluation sets, index their texts, and compare every shard with the index."""

from __future__ import annotations

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
from open_ml_embed.core.errors import FetchError, MissingToolError
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.lock import waiting
from open_ml_embed.core.printing import print_text
from open_ml_embed.core.progress import Progress
from open_ml_embed.core.store import Marker, Store
from open_ml_embed.core.task import Task


def run_decontaminate(build: Build, inputs: Inputs) -> StepResult:
    """Compare every row with the evaluation sets. No row is deleted; step `mix` reads the resulting columns.

    For a profile without evaluation sets, the step's file has no shards.

    Raises:
        RefusedError: evaluation sets could not be fetched or read; the message has a remedy for each.
        RefusedForNowError: the same, where every failure is transient.

    """
    settings = build.profile.decontaminate
    sets = chosen_sets(settings, build.root)
    result = inputs.result(stats={"tasks": {}, "sources": {}, "given_up": 0, "distrust": []})
    store = evaluation_store(build)
    if sets:
        rows = inputs["normalize"]
        with waiting(build.local_work / "evaluations" / ".lock"):
            failures = _failures("decontaminate")
            raw, result.skipped = fetch_sets(sets, build, failures)
            for one in raw:
                result.made_from["evaluation"][one.which.name]["files"] = files_fact(one.files)
            inputs.begin()
            gathered = _gathered(build, store, raw, failures)
            if failures:
                result.refused = failures.refused
                build.save(result)
                failures.end(of=len(sets), where=f"profile {build.name}", result=result)
            evaluated, built = _indexed(build, store, gathered)
        operation = Contaminate(settings)
        identity = digest([output.xxh3 for output in built.outputs])
        tasks = [Task(s.path, (s.xxh3, identity, *evaluated.sets), evaluated) for s in rows.shards]
        markers = engine.run(operation, tasks, build.store, build.workers)
        index = load_index(store, evaluated.path)
        result.stats = summarize(rows.shards, markers, build.store, index, evaluated.sets, built.stats["sets"])
        result.stats["distrust"] = distrusted(result.stats, settings.distrust)
        for shard, marker in zip(rows.shards, markers, strict=True):
            (made,) = shards_of(shard.source, shard.subset, marker, operation.name, operation.name)
            result.shards.append(Shard(shard.source, shard.subset, shard.path, shard.rows, made.xxh3))
            result.files += [o for o in marker.outputs if o.path.endswith(f".{operation.name}.arrow")]
    build.save(result)
    return result


def evaluation_store(build: Build) -> Store:
    """Return the store of evaluation texts and indexes, which all profiles share."""
    return Store(f"{build.work}/evaluations")


def _failures(step: str) -> Failures:
    leave_out = "`decontaminate.mteb.exclude`, or take it out of `decontaminate.sets`"
    return Failures(step, "evaluation sets", "had", leave_out=leave_out)


def fetch_sets(sets: list[EvaluationSet], build: Build, failures: Failures) -> tuple[list[RawSet], dict[str, str]]:
    """Fetch the files of all sets.

    Args:
        sets: the evaluation sets.
        build: the build.
        failures: receives the sets that cannot be fetched or whose files are all empty; the others are still fetched.

    Returns:
        The fetched sets; and set → reason for the sets that are skipped because this machine lacks a tool.

    """
    options = replace(fetch_options(build), lock=None, files_per_table=None)
    fetched: list[RawSet] = []
    skipped: dict[str, str] = {}
    with Progress("evaluation sets", total=len(sets)) as progress:
        for evaluation_set in sets:
            with failures.of(evaluation_set.name):
                try:
                    raw = fetch_set(evaluation_set, options)
                    if not any(file.size for file in raw.files):
                        raise FetchError(
                            f"nothing to read in its {len(raw.files)} files",
                            where=evaluation_set.name,
                            remedy="put whole files there, or pin a revision that has them",
                        )
                    build.raw_copies.upload(raw.files)
                    fetched.append(raw)
                except MissingToolError as error:
                    skipped[evaluation_set.name] = error.what
                    print_text(f"skipped {evaluation_set.name}: {error}", error=True)
            progress.advance(evaluation_set.name)
    options.hashes.save()
    return fetched, skipped


def run_fetch_sets(build: Build) -> StepResult:
    """Fetch the evaluation sets of a profile without comparing rows; writes no step's file.

    Raises:
        RefusedError: sets could not be fetched; the message has a remedy for each.
        RefusedForNowError: the same, where every failure is transient.

    """
    sets = chosen_sets(build.profile.decontaminate, build.root)
    failures = _failures("evaluations")
    fetched, skipped = fetch_sets(sets, build, failures)
    files = {one.which.name: [{"path": file.path, "size": file.size} for file in one.files] for one in fetched}
    result = StepResult("evaluations", stats={"files": files}, skipped=skipped, refused=failures.refused)
    if failures:
        failures.end(of=len(sets), where=f"profile {build.name}", result=result)
    return result


@dataclass(frozen=True)
class _Gathered:
    """An evaluation set whose texts operation `texts` has written: its name, the path and the hash of the texts."""

    name: str
    path: str
    content: str


def _gathered(build: Build, store: Store, raw: list[RawSet], failures: Failures) -> list[_Gathered]:
    """Extract the texts of all sets, which later runs and other profiles reuse; a failing set goes to `failures`."""
    settings = build.profile.decontaminate
    tasks = []
    for one in raw:
        files = digest([one.which.kind, one.which.name, *(f"{f.table}:{f.name}:{f.identity}" for f in one.files)])
        definition = digest([one.form.model_dump() if one.form else None, _columns(one), settings.documents])
        path = f"{path_of(one.which)}-{settings.documents}"
        tasks.append(Task(path, (files, definition), (one, build.raw_copies)))
    gathered = []
    gather = Gather(TextSettings(documents=settings.documents))
    for task, outcome in zip(tasks, engine.run_all(gather, tasks, store, build.workers), strict=True):
        name = task.payload[0].which.name
        if isinstance(outcome, Marker):
            gathered.append(_Gathered(name, task.path, outcome.outputs[0].xxh3))
        else:
            failures.add(name, outcome)
    return gathered


def _indexed(build: Build, store: Store, gathered: list[_Gathered]) -> tuple[Evaluated, Marker]:
    """Index the texts of all sets; later runs and other profiles reuse the index."""
    inputs = tuple(f"{one.name}:{one.content}" for one in gathered)
    operation = BuildIndex(IndexSettings.of(build.profile.decontaminate))
    path = digest([inputs, operation.settings.model_dump()])[:16]
    payload = [(one.name, one.path) for one in gathered]
    (built,) = engine.run(operation, [Task(path, inputs, payload)], store, build.workers)
    return Evaluated(store.root, path, tuple(one.name for one in gathered)), built


def _columns(one: RawSet) -> object:
    """Return the part of a set's definition that its texts depend on, in addition to its files."""
    return (
        one.which.definition.model_dump(mode="json")
        if not isinstance(one.which.definition, tuple)
        else one.which.definition[1]
    )
