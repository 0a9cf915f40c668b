"""Run a step: check that the results it reads are current, call its function with them, and record the run."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from curation.build import Build, StepResult
from curation.pipeline.freshness import inputs_of
from curation.pipeline.runs import recorded
from open_ml_embed.core.engine import kept_workers
from open_ml_embed.core.metering import metered
from open_ml_embed.core.optional import check_installed
from open_ml_embed.core.os_errors import in_words

RUNS = {
    "fetch": "curation.fetch.step:run_fetch",
    "normalize": "curation.normalize.step:run_normalize",
    "identify": "curation.langid.step.run:run_identify",
    "measure": "curation.quality.step:run_measure",
    "dedup": "curation.dedup.step.run:run_dedup",
    "decontaminate": "curation.decontamination.step.run:run_decontaminate",
    "mine": "curation.mining.step.run:run_mine",
    "mix": "curation.mixing.step.run:run_mix",
    "report": "curation.report.step:run_report",
}
"""Step → its function, imported when it is run."""
NEEDED = {"report": ("jinja2", "markupsafe", "matplotlib")}
"""Step → optional packages that its module imports; other steps check for theirs where they use them."""


def run_step(build: Build, step: str) -> StepResult:
    """Run one step, return its result, and record what the run took (`curation.pipeline.runs`).

    Args:
        build: the profile.
        step: `fetch`, `normalize`, `identify`, `measure`, `dedup`, `decontaminate`, `mine`, `mix-<name>` or `report`.

    Raises:
        StageError: a step before has not been run, or its result is not current; the remedy is the command to run.
        MissingPackageError: the step needs an extra that is not installed.
        CorpusError: the step failed.

    """
    kind, _, name = step.partition("-")
    check_installed(*NEEDED.get(kind, ()), what=f"curate {kind}")
    module, function = RUNS[kind].split(":")
    run: Callable[..., StepResult] = getattr(import_module(module), function)
    with in_words(), metered() as meter:
        inputs = inputs_of(build, step)
        with recorded(build, step, meter), kept_workers():
            return run(build, inputs, *([name] if name else []))
