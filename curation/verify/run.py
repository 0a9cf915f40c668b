"""`curate verify`: check everything that a build has written, and make again what is damaged."""

from __future__ import annotations

from collections.abc import Callable

from curation.build import STEPS, Build, StepResult
from curation.mixing.recipe import built_mixes
from curation.pipeline.operations import operations_of
from curation.pipeline.overrides import overridden
from curation.pipeline.run import run_step
from curation.verify.findings import Checked
from curation.verify.models import check_models
from curation.verify.raw import check_hashes, check_raw
from curation.verify.results import check_results, steps_of
from curation.verify.shards import Place, check_shards
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.files import remove
from open_ml_embed.core.names import inside
from open_ml_embed.core.printing import say
from open_ml_embed.core.store import Store


def verify(build: Build, *, deep: bool = False) -> Checked:
    """Check shards, markers, files of steps, mixes, the report, raw files and the trainer's files.

    Args:
        build: the profile.
        deep: read every file and compare its hash. Otherwise sizes are compared, and the records are checked.

    """
    return _verify(build, deep=deep)[0]


def _verify(build: Build, *, deep: bool) -> tuple[Checked, dict[str, StepResult]]:
    checked = Checked()
    step_of = _steps_by_operation(build)
    work = Place(build.store, f"work/{build.name}", step_of, left_out=("train/",))
    described = check_shards(work, checked, deep=deep)
    evaluations = Store(f"{build.work}/evaluations")
    check_shards(Place(evaluations, "work/evaluations", step_of), checked, deep=deep)
    results = check_results(build, checked, described, deep=deep)
    check_raw(build, results.get("fetch"), checked, deep=deep)
    check_hashes(build, checked, deep=deep)
    check_models(build, checked, deep=deep)
    return checked, results


def repaired(build: Build, *, deep: bool = False) -> tuple[Checked, Checked]:
    """Delete what is damaged and run the steps again that make it.

    Only the tasks whose files are damaged run again, and the parts of a step that are no tasks. Models are not trained
    again: `train3d fit` does that, from the last checkpoint that is whole.

    Args:
        build: the profile.
        deep: see `verify`.

    Returns:
        What was found, and what is found after the repair.

    Raises:
        CorpusError: a step failed; what was repaired before it stays.

    """
    found, results = _verify(build, deep=deep)
    steps = {finding.step for finding in found.faults if finding.step}
    for finding in found.faults:
        if finding.step:
            for path in finding.remove:
                _remove(build, path)
    ran = {step for step in results if results[step].files or results[step].stats} | _damaged_results(found)
    for step in _in_order(steps & ran):
        say(f"verify: runs {step} again")
        before = results.get(step)
        run_step(overridden(build, step, before.overrides) if before else build, step)
    return found, _verify(build, deep=deep)[0]


def _remove(build: Build, path: str) -> None:
    """Remove what a finding names: `work/…`, wherever the setting `work` puts it, or `out/…`."""
    top, _, below = path.partition("/")
    if top != "work":
        remove(inside(build.root, path))
        return
    if build.is_remote:
        Store(build.work).remove(below)
    remove(inside(build.local_work, below))  # if remote: downloads and caches


def _damaged_results(found: Checked) -> set[str]:
    return {finding.step for finding in found.faults if "/steps/" in finding.path}


def _in_order(steps: set[str]) -> list[str]:
    mixes = sorted(step for step in steps if step.startswith("mix-"))
    return [step for step in (*STEPS, *mixes, "report") if step in steps]


def _steps_by_operation(build: Build) -> Callable[[str], str]:
    """Return a function: path of a file below the folder of shards → the step that makes it; empty if none does."""
    kinds = {f"{operation.name}/": kind for kind in (*STEPS, "mix") for operation in operations_of(kind)}
    mixes = {
        *built_mixes(build.profile, build.root),
        *(step[4:] for step in steps_of(build) if step.startswith("mix-")),
    }

    def step_of(path: str) -> str:
        operation = max((name for name in kinds if path.startswith(name)), key=len, default="")
        kind, task = kinds.get(operation, ""), path.removeprefix(operation)
        if kind != "mix":
            return kind
        # The tasks of a mix begin with its name: mix/files/<mix>/…, mix/limits/<mix>.held.arrow.
        mix = max((name for name in mixes if task.startswith((f"{name}/", f"{name}."))), key=len, default="")
        return f"mix-{mix}" if mix else ""

    return step_of


def end(build: Build, left: Checked, *, after_repair: bool) -> None:
    """Raise if files are damaged or missing.

    Raises:
        StageError: with their number and what to do.

    """
    faults = left.faults
    if not faults:
        return
    remade = [finding for finding in faults if finding.step]
    remedy = "; ".join(dict.fromkeys(finding.remedy for finding in faults if finding.remedy))
    if remade and not after_repair:
        again = f"{build.command('curate verify --repair')} makes {len(remade)} of them again"
        remedy = f"{again}; {remedy}" if remedy else again
    raise StageError(f"{len(faults)} files are not as they were written", where=f"profile {build.name}", remedy=remedy)
