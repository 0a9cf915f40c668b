"""`curate run`: the steps of a profile one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from curation.build import Build, title
from curation.cli.options import Address, AsJson, Count, DryRun, Engine, Params, ProfileName
from curation.pipeline.opening import PARAMS, open_build
from open_ml_embed.core.printing import print_json, print_text


def run(
    profile: ProfileName = None,
    params: Params = PARAMS,
    workers: Count = 0,
    engine: Engine = "local",
    ray_address: Address = None,
    until: Annotated[
        str | None, typer.Option("--until", help="The last step: normalize, dedup, mine, mix, 'mix retrieval' …")
    ] = None,
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Run the steps that are not current, in order, up to the report or to a step."""
    from curation.pipeline.chain import run_one, run_steps, steps_until
    from curation.pipeline.lock import alone

    build = open_build(profile, params, workers, engine, ray_address)
    wanted = steps_until(build, until)
    if dry_run:
        _show_plan(build, wanted, as_json=as_json)
        return
    with alone(build):
        ran, _ = run_steps(build, wanted, lambda step, state: run_one(build, step, state, as_json=as_json))
    current = [title(step) for step in wanted if step not in ran]
    report = str(build.out / "report.html") if "report" in wanted else None
    if as_json:
        print_json({"step": "run", "ran": [*map(title, ran)], "current": current, "report": report}, indent=None)
        return
    print_text(f"run, profile {build.name}: {_listed(map(title, ran))} ran; {_listed(current)} current before")
    if report is not None:
        print_text(report)


def _show_plan(build: Build, wanted: list[str], *, as_json: bool) -> None:
    """Print which steps would run, and why."""
    from curation.pipeline.freshness import Checker

    states = Checker(build).states()
    plan = {title(step): {"state": states[step].kind, "why": states[step].why} for step in wanted}
    if as_json:
        print_json({"step": "run", "plan": plan})
        return
    for step, found in plan.items():
        print_text(f"{step}: {'is current' if found['state'] == 'done' else found['why']}")


def _listed(steps: Iterable[str]) -> str:
    return ", ".join(steps) or "none"
