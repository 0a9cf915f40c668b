"""Evaluates a model on MTEB: what is asked for is checked first, then every slot that has no result is run."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from open_ml_embed.core.errors import CorpusError, SettingsError, StageError, TransientError
from train.config import TrainSettings
from train.evaluation.mteb import catalog
from train.evaluation.mteb.contamination import KNOWN, Mark, marks
from train.evaluation.mteb.encoder import Identity, identify, open_model
from train.evaluation.mteb.nested import NestedModel
from train.evaluation.mteb.report import report_of
from train.evaluation.mteb.run import Job, Outcome, check_weights, is_local, jobs_of, left_of, offline, run
from train.export.export import Cut, choose, instructed_by
from train.loop.record import finished_key
from train.loop.run import configure, load, shape_of


@dataclass(frozen=True)
class Request:
    """What to evaluate on MTEB, and where its results go.

    Attributes:
        folder: a sentence-transformers folder.
        params: the settings file; the builds in its folder tell what the training mixes have of the tasks.
        work: the work folder, where hashes are cached.
        results: folder of mteb's results, as `mteb.ResultCache` takes it.
        benchmarks: names of benchmarks (`catalog.suites_named`).
        tasks: names of single tasks.
        sizes: `layers`, `dim` and `rank`, each as numbers with commas, or None for the whole model's.
        instructed: use the tasks' instructions; None: if the model was trained with any.
        name: name to file results as; None: `local/<folder>`.
        revision: revision to file results as; None: a hash of the files.
        beside: published models to show beside.
        offline: load only data that are on this machine.

    """

    folder: Path
    params: Path
    work: Path
    results: Path
    benchmarks: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    sizes: Mapping[str, str | None] = field(default_factory=dict)
    instructed: bool | None = None
    name: str | None = None
    revision: str | None = None
    beside: tuple[str, ...] = ()
    offline: bool = False

    def identity(self) -> Identity:
        """Return what the results are filed under."""
        return identify(self.folder, self.work, instructed=self.instructed, name=self.name, revision=self.revision)


def evaluate(
    request: Request, settings: TrainSettings, say: Callable[[str], None] = lambda _: None
) -> tuple[dict[str, Any], Outcome]:
    """Run every slot that has no result, and return the report and what has none.

    Args:
        request: what to evaluate.
        settings: the `train` section of the profile: its mixes, and the device and precision of the model.
        say: gets a line for each task that runs.

    Returns:
        The content of `mteb.json` (`train.evaluation.mteb.report.report_of`), and the tasks that have no result.

    Raises:
        UnknownNameError: a benchmark, task or published model is unknown; nothing is loaded before.
        SettingsError: the model has no such size, or the folder holds no model.
        StageError: the results of this name and revision are of other weights.
        MissingPackageError: mteb is not installed.

    """
    with offline(asked=request.offline):
        suites, jobs = _wanted(request)
        cuts = cuts_of(request.folder, request.sizes)
        identity = request.identity()
        check_weights(request.results, identity.name, identity.revision, identity.weights)
        if request.instructed is None and instructed_by(request.folder) is None:
            say(
                f"{request.folder} does not say whether it was trained with instructions; it gets none (--instructions)"
            )
        found = marks(request.params, [stage.mix for stage in settings.stages], [job.task for job in jobs])
        metas = _metas(request.folder, identity, cuts, found)
        cache = catalog.installed_mteb().ResultCache(str(request.results))
        outcome = Outcome()
        if any(left_of(job, cache, meta) for job in jobs for _, meta in metas):
            configure(settings)
            nested = _nested(request.folder, settings, cuts)
            model = open_model(request.folder, identity, device=settings.device, nested=nested)
            outcome = run(jobs, model, metas, cache, nested=nested, say=say)
        return report_of(suites, jobs, metas, cache, identity, found, outcome), outcome


def outline(request: Request, report: Path) -> str:
    """Return what `evaluate` would run, as text: benchmarks, slots, and tasks whose data are not on this machine."""
    suites, jobs = _wanted(request)
    cuts = cuts_of(request.folder, request.sizes) if request.folder.is_dir() else []
    slots = sum(len(job.slots) for job in jobs)
    lines = [f"{request.folder} on MTEB, to {report}"]
    lines += [f"  {suite.label}: {suite.benchmark.name}, {len(suite.benchmark.tasks)} tasks" for suite in suites]
    names = list(dict.fromkeys(job.name for job in jobs if job.suites or job.name in request.tasks))
    in_suites = sum(len(suite.benchmark.tasks) for suite in suites)
    lines.append(
        f"{len(names)} distinct tasks" + (f" in {in_suites} places" if suites else "") + f", {slots:,} slots of "
        f"(task, split, subset), {max(len(cuts), 1)} sizes of the model"
    )
    local = {job.name: is_local(job.task) for job in jobs}
    absent = [name for name in names if local[name] is False]
    if absent:
        lines.append(f"not in the cache of the Hub's client, {len(absent)} tasks: {', '.join(absent)}")
    return "\n".join(lines)


def shortfall(outcome: Outcome, report: Mapping[str, Any]) -> CorpusError | None:
    """Return the error that an evaluation ends with if tasks have no result; None if all have."""
    errors = outcome.missing | outcome.failed
    if not errors:
        return None
    parts = [
        f"{what}: {', '.join(sorted(tasks))}"
        for what, tasks in (("no data", outcome.missing), ("failed", outcome.failed))
        if tasks
    ]
    kind = TransientError if all(isinstance(error, TransientError) for error in errors.values()) else StageError
    first = next(iter(errors.values()))
    return kind(
        f"{len(errors)} of {len(report['tasks'])} tasks have no result; {'; '.join(parts)}",
        where=report["model"]["name"],
        remedy=f"the others are done and stay; run the same command again after this: {first.remedy}",
    )


def cuts_of(folder: Path, sizes: Mapping[str, str | None]) -> list[Cut]:
    """Return all combinations of the sizes that are asked for; none if none is.

    Args:
        folder: the model folder.
        sizes: `layers`, `dim` and `rank`, as numbers with commas.

    Raises:
        SettingsError: a list is not one of numbers, the model was not trained at a size, or the folder holds one size.

    """
    given = {name: text for name, text in sizes.items() if text is not None}
    if not given:
        return []
    numbers = {name: _numbers(name, text) for name, text in given.items()}
    if finished_key(folder) is None:
        raise SettingsError(
            "the folder holds one size of the model only",
            where=f"--{next(iter(given))}, --model {folder}",
            remedy="give the folder that `train3d fit` wrote, which holds all sizes",
        )
    axes = [numbers.get(name, [None]) for name in ("layers", "dim", "rank")]
    shape = shape_of(folder)
    chosen = [choose(shape, layers=layers, dim=dim, rank=rank) for layers, dim, rank in itertools.product(*axes)]
    return list(dict.fromkeys(chosen))


def _numbers(name: str, text: str) -> list[int | None]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise SettingsError(f"{text!r} is no list of numbers", where=f"--{name}", remedy=f"as --{name} 1,2,4")
    return [int(part) for part in parts]


def _wanted(request: Request) -> tuple[list[catalog.Suite], list[Job]]:
    catalog.check_models(request.beside)
    suites = catalog.suites_named(request.benchmarks)
    return suites, jobs_of(suites, catalog.tasks_named(request.tasks))


def _metas(
    folder: Path, identity: Identity, cuts: list[Cut], found: Mapping[str, Mark]
) -> list[tuple[Cut | None, Any]]:
    """Return each cut with mteb's metadata; the results of the full size are those of the model itself."""
    checked = [name for name, mark in found.items() if mark.status != "unchecked"]
    trained_on = [name for name, mark in found.items() if mark.status in KNOWN] if checked else None
    if not cuts:
        return [(None, identity.meta(None, trained_on))]
    full = choose(shape_of(folder))
    return [(cut, identity.meta(None if cut == full else cut, trained_on)) for cut in cuts]


def _nested(folder: Path, settings: TrainSettings, cuts: list[Cut]) -> NestedModel | None:
    if not cuts:
        return None
    embedder, _, tokenizer = load(folder, settings)
    return NestedModel(embedder, tokenizer, cuts)
