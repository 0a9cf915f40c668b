"""The steps of a build one after the other: those that are not current, up to a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from curation.build import STEPS, Build, StepResult, named, title
from curation.mixing.recipe import built_mixes
from curation.pipeline.freshness import Checker, State
from curation.pipeline.outcome_printing import ended
from curation.pipeline.overrides import overridden
from curation.pipeline.run import run_step
from open_ml_embed.core.errors import StageError, UnknownNameError
from open_ml_embed.core.ray_workers import kept_connection

Done = TypeVar("Done")


def steps_of(build: Build) -> list[str]:
    """Return the steps of a profile in the order they run, mixes as `mix-NAME`."""
    mixes = built_mixes(build.profile, build.root)
    return [*STEPS, *(f"mix-{name}" for name in mixes), "report"]


def named_step(build: Build, step: str, known: list[str]) -> str:
    """Return a step by the name that people give it, as `mix NAME`.

    Raises:
        UnknownNameError: it is not among the known ones; the message has the nearest.

    """
    name = named(step)
    if name not in known:
        raise UnknownNameError("step", step, map(title, known), where=f"profile {build.name}")
    return name


def steps_until(build: Build, until: str | None) -> list[str]:
    """Return the steps up to one: all mixes for `mix`, one of them for `mix NAME`; all steps for null.

    Raises:
        UnknownNameError: there is no such step; the message has the nearest.

    """
    steps = steps_of(build)
    if until is None:
        return steps
    mixes = [step for step in steps if step.startswith("mix-")]
    if until == "mix" and mixes:
        return [*STEPS, *mixes]
    last = named_step(build, until, steps)
    return [*STEPS, last] if last in mixes else steps[: steps.index(last) + 1]


def check_step(until: str, mixes: list[str], where: str) -> None:
    """Check the name of a step before the project that it is run in is written.

    Args:
        until: the name.
        mixes: that the project will have.
        where: the option that names it.

    Raises:
        UnknownNameError: there will be no such step; the message has the nearest.

    """
    known = [*STEPS, "mix", *(f"mix {name}" for name in mixes), "report"]
    if until not in known:
        raise UnknownNameError("step", until, known, where=where)


def run_steps(
    build: Build, wanted: list[str], run: Callable[[str, State], Done]
) -> tuple[dict[str, Done], dict[str, State]]:
    """Run the wanted steps that are not current, in order.

    Args:
        build: of which no other run is at work.
        wanted: steps, in the order they run.
        run: runs one.

    Returns:
        What `run` returned for each step that ran, and the states of all steps at the end.

    Raises:
        StageError: a step is stale right after it ran.

    """
    runs: dict[str, Done] = {}
    with kept_connection():
        while True:
            states = Checker(build).states()
            todo = next((step for step in wanted if states[step].kind != "done"), None)
            if todo is None:
                return runs, states
            if todo in runs:
                why = f"{states[todo].why}, just after it ran"
                raise StageError(why, where=f"profile {build.name}", remedy="let nothing else change its inputs")
            runs[todo] = run(todo, states[todo])


def run_one(build: Build, step: str, state: State, *, quiet: bool = False, as_json: bool = False) -> StepResult:
    """Run a step with what the command line replaced when it ran before, and print its outcome unless `quiet`."""
    build = overridden(build, step, state.result.overrides) if state.result else build
    if quiet or step == "report":
        return run_step(build, step)
    return ended(lambda: run_step(build, step), build, as_json=as_json)
