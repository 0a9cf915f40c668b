"""Runs MTEB tasks slot by slot: a slot is a (task, split, subset), and one that has a result is not run again.

Data of a task are loaded once for all cuts of a model. What cannot be loaded or fails is recorded, and the other tasks
go on. Results are mteb's own files in mteb's own folders, written after every slot.
"""

from __future__ import annotations

import contextlib
import copy
import gc
import importlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from open_ml_embed.core.errors import CorpusError, FetchError, StageError, TransientError
from open_ml_embed.core.files import write_whole
from open_ml_embed.core.sealed import read_record, seal
from train.evaluation.mteb.catalog import Suite, installed_mteb
from train.evaluation.mteb.nested import NestedModel
from train.export.export import Cut

BATCH = 64
WEIGHTS = "weights.json"
"""File beside mteb's folder `results`: name and revision → hash of the model's files that the results are of."""
UNREACHED = {"ConnectionError", "ConnectError", "Timeout", "TimeoutException", "MaxRetryError", "OfflineModeIsEnabled"}
"""Names of exceptions of network clients and their bases after which the same call may succeed."""
UNREACHED |= {"LocalEntryNotFoundError", "HfHubHTTPError"}
REFUSED = {"GatedRepoError", "DatasetNotFoundError", "RepositoryNotFoundError", "RevisionNotFoundError"}


@dataclass(frozen=True)
class Job:
    """A task as one or more benchmarks ask for it: its splits and subsets are those of the object."""

    task: Any
    suites: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the task."""
        name: str = self.task.metadata.name
        return name

    @property
    def slots(self) -> list[tuple[str, str]]:
        """The (split, subset) pairs that it evaluates."""
        subsets = ["default"] if self.task.is_aggregate else list(self.task.hf_subsets)
        return [(split, subset) for split in self.task.eval_splits for subset in subsets]


@dataclass
class Outcome:
    """What became of the tasks.

    Attributes:
        missing: task → why its data are not there.
        failed: task → why it could not be evaluated.

    """

    missing: dict[str, CorpusError] = field(default_factory=dict)
    failed: dict[str, CorpusError] = field(default_factory=dict)


def jobs_of(suites: Sequence[Suite], tasks: Sequence[Any] = ()) -> list[Job]:
    """Return what to run for benchmarks and single tasks; equal demands of several benchmarks are one job.

    Parts of an aggregate task come before it.

    """
    jobs: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Job] = {}

    def add(task: Any, suite: tuple[str, ...]) -> None:
        if task.is_aggregate:
            for part in task.metadata.tasks:
                add(part, ())
        key = (task.metadata.name, tuple(task.eval_splits), tuple(sorted(task.hf_subsets)))
        before = jobs.get(key)
        jobs[key] = Job(before.task if before else copy.copy(task), (*(before.suites if before else ()), *suite))

    for suite in suites:
        for task in suite.benchmark.tasks:
            add(task, (suite.label,))
    for task in tasks:
        add(task, ())
    return list(jobs.values())


def left_of(job: Job, cache: Any, meta: Any) -> dict[str, list[str]]:
    """Return the slots of a job without a result: split → subsets, in the order of the task.

    An incomplete result on another revision of the data is as good as none, as for mteb.

    """
    result = cache.load_task_result(job.name, meta)
    done = {(split, s["hf_subset"]) for split, scores in result.scores.items() for s in scores} if result else set()
    if not done.issuperset(job.slots) and result is not None and not result.is_mergeable(job.task):
        done = set()
    left: dict[str, list[str]] = {}
    for split, subset in job.slots:
        if (split, subset) not in done:
            left.setdefault(split, []).append(subset)
    return left


def run(
    jobs: Sequence[Job],
    model: Any,
    metas: Sequence[tuple[Cut | None, Any]],
    cache: Any,
    *,
    nested: NestedModel | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Run every slot of every job that has no result yet, for every cut.

    Args:
        jobs: from `jobs_of`.
        model: from `encoder.open_model`.
        metas: cut → mteb's metadata of the model at it.
        cache: mteb's `ResultCache`.
        nested: the model behind `model` if it has cuts.
        say: gets a line for each task.

    """
    outcome = Outcome()
    for number, job in enumerate(jobs, 1):
        left = {position: left_of(job, cache, meta) for position, (_, meta) in enumerate(metas)}
        if not any(left.values()):
            continue
        if job.name in outcome.missing or job.name in outcome.failed:
            continue
        here = f"{number}/{len(jobs)} {job.name}"
        if job.task.is_aggregate:
            _combine(job, model, metas, cache, outcome)
            continue
        error = _load(job.task)
        if error is not None:
            outcome.missing[job.name] = error
            say(f"{here}: no data: {error.what}")
            continue
        for _, meta in metas:
            _drop_if_stale(job, cache, meta)
        try:
            _run_job(job, left, model, metas, cache, nested)
            ran = sum(len(subsets) for of_cut in left.values() for subsets in of_cut.values())
            say(f"{here}: {ran} of {len(job.slots) * len(metas)} results")
        except CorpusError as failure:
            outcome.failed[job.name] = failure
            say(f"{here}: failed: {failure.what}")
        finally:
            job.task.unload_data()
            gc.collect()
    return outcome


def _drop_if_stale(job: Job, cache: Any, meta: Any) -> None:
    """Remove an incomplete result on another revision of the data; mteb would take some of its slots for done."""
    result = cache.load_task_result(job.name, meta)
    if result is not None and left_of(job, cache, meta) and not result.is_mergeable(job.task):
        cache.get_task_result_path(job.name, meta).unlink()


def _run_job(
    job: Job,
    left: dict[int, dict[str, list[str]]],
    model: Any,
    metas: Sequence[tuple[Cut | None, Any]],
    cache: Any,
    nested: NestedModel | None,
) -> None:
    together = isinstance(job.task, importlib.import_module("mteb.abstasks").AbsTaskBitextMining)
    fresh = copy.deepcopy((job.task.rng_state, job.task.np_rng))
    ranks: list[int | None] = [*sorted({cut.rank for cut, _ in metas if cut is not None})] or [None]
    for split in job.task.eval_splits:
        subsets = [subset for subset in job.task.hf_subsets if any(subset in f.get(split, ()) for f in left.values())]
        # mteb encodes the sentences of parallel subsets once for all of them.
        for batch in [subsets] if together else [[subset] for subset in subsets]:
            for rank in ranks:
                for position, (cut, meta) in enumerate(metas):
                    wanted = [subset for subset in batch if subset in left[position].get(split, ())]
                    if not wanted or (cut is not None and cut.rank != rank):
                        continue
                    if nested is not None and cut is not None:
                        nested.cut = cut
                    # Samples are drawn as from a task that was just made, whatever ran before or was resumed.
                    job.task.rng_state, job.task.np_rng = copy.deepcopy(fresh)
                    model.mteb_model_meta = meta
                    _evaluate(model, _slots_of(job.task, split, wanted), cache)
                if nested is not None:
                    nested.forget()


def _slots_of(task: Any, split: str, subsets: list[str]) -> Any:
    """Return a copy of a loaded task for one split and some subsets; both share the data and the random states."""
    part = copy.copy(task)
    part._eval_splits, part.hf_subsets = [split], subsets
    return part


def _evaluate(model: Any, task: Any, cache: Any) -> Any:
    """Let mteb evaluate a task, and say in which words it failed.

    Raises:
        StageError: mteb, or a library that it calls, raised an error.

    """
    mteb = installed_mteb()
    try:
        return mteb.evaluate(
            model,
            task,
            cache=cache,
            encode_kwargs={"batch_size": BATCH, "show_progress_bar": False},
            show_progress_bar=False,
            co2_tracker=False,
            overwrite_strategy="only-missing",
        )
    except CorpusError:
        raise
    except Exception as error:
        raise StageError(
            f"{type(error).__name__}: {error}",
            where=task.metadata.name,
            remedy="a package that the task needs may be missing, or its data changed; the other tasks are done",
        ) from error


def _combine(job: Job, model: Any, metas: Sequence[tuple[Cut | None, Any]], cache: Any, outcome: Outcome) -> None:
    """Combine the results of the parts of an aggregate task, which have been run before it."""
    parts = [part.metadata.name for part in job.task.metadata.tasks]
    without = [name for name in parts if name in outcome.missing or name in outcome.failed]
    if without:
        outcome.missing[job.name] = TransientError(
            f"its parts {', '.join(without)} have no result", where=job.name, remedy="see these tasks"
        )
        return
    for _, meta in metas:
        model.mteb_model_meta = meta
        _evaluate(model, job.task, cache)


def _load(task: Any) -> CorpusError | None:
    """Load the data of a task; return why they cannot be loaded."""
    try:
        task.load_data()
    except Exception as error:
        return _explained(task, error)
    return None


def _explained(task: Any, error: Exception) -> CorpusError:
    """Return an error of a loader in the form that users read."""
    data = task.metadata.dataset
    where = f"{task.metadata.name}: {data.get('path')} at {str(data.get('revision'))[:12]}"
    causes = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    kinds = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    fetch = f"hf download --repo-type dataset {data.get('path')} --revision {data.get('revision')}"
    if kinds & REFUSED and not kinds & {"OfflineModeIsEnabled", "LocalEntryNotFoundError"}:
        return FetchError(
            "the Hub has no such data, or not without access",
            where=where,
            remedy=f"ask for access at https://huggingface.co/datasets/{data.get('path')}, then `hf auth login`",
        )
    if kinds & UNREACHED:
        return TransientError(
            "the data are not on this machine, and the Hub was not reached",
            where=where,
            remedy=f"run again with a network, or bring them: `{fetch}`",
        )
    return FetchError(
        f"{type(error).__name__}: {error}",
        where=where,
        remedy=f"mteb's loader failed; fetch the data anew (`{fetch} --force-download`), or update mteb and datasets",
    )


def is_local(task: Any) -> bool | None:
    """Return whether the cache of the Hub's client has data of a task at its revision; None if it names a folder."""
    from huggingface_hub import constants

    if task.is_aggregate:
        parts = [is_local(part) for part in task.metadata.tasks]
        return None if None in parts else all(parts)
    data = task.metadata.dataset
    if Path(data["path"]).exists():
        return None
    folder = Path(constants.HF_HUB_CACHE) / f"datasets--{data['path'].replace('/', '--')}"
    ref = folder / "refs" / data["revision"]
    commit = ref.read_text("utf-8").strip() if ref.is_file() else data["revision"]
    return bool((folder / "snapshots" / commit).is_dir())


@contextlib.contextmanager
def offline(*, asked: bool) -> Iterator[None]:
    """Keep the Hub's clients from the network if asked; without it, each task waits for attempts to connect."""
    if not asked:
        yield
        return
    before = {name: os.environ.get(name) for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")}
    places = [("huggingface_hub.constants", "HF_HUB_OFFLINE"), ("datasets.config", "HF_HUB_OFFLINE")]
    loaded = [(sys.modules[module], name) for module, name in places if module in sys.modules]
    values = [getattr(module, name) for module, name in loaded]
    os.environ.update(dict.fromkeys(before, "1"))
    for module, name in loaded:
        setattr(module, name, True)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
        for (module, name), value in zip(loaded, values, strict=True):
            setattr(module, name, value)


def check_weights(root: Path, name: str, revision: str, weights: str) -> None:
    """Check that the results of a name and revision are of these weights, and record it.

    Args:
        root: folder of mteb's results.
        name: of the model.
        revision: of the model.
        weights: hash of the model's files.

    Raises:
        StageError: they are of other weights.

    """
    path, key = root / WEIGHTS, f"{name}@{revision}"
    known: dict[str, str] = read_record(path, remedy="remove it with the folder `results` beside it") or {}
    known.pop("digest", None)
    if known.get(key, weights) != weights:
        raise StageError(
            f"the results of {name} at revision {revision} are of other weights",
            where=str(root),
            remedy="give another --revision, or another folder with --results",
        )
    if key not in known:
        root.mkdir(parents=True, exist_ok=True)
        write_whole(path, seal(known | {key: weights}, path.name))
