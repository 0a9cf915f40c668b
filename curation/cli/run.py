"""`curate run`: the steps of a profile one after the other, for all of its sources or for some."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from curation.build import Build, named, title
from curation.cli.options import Address, AsJson, Count, DryRun, Engine, Params, ProfileName
from curation.pipeline.opening import PARAMS, open_build
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.printing import print_json, print_text


def run(
    source: Annotated[
        list[str] | None,
        typer.Argument(
            help="Only these sources of the profile, in folders of their own; default: all.", metavar="SOURCE…"
        ),
    ] = None,
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
    part = None
    if source:
        whole, build = build, _some(build, source)
        part = _Part.of_builds(build, whole) if build.name != whole.name else None
    if part and until:
        part.check(until)
    wanted = steps_until(build, until)
    if dry_run:
        _show_plan(build, wanted, part, as_json=as_json)
        return
    with alone(build):
        ran, _ = run_steps(build, wanted, lambda step, state: run_one(build, step, state, as_json=as_json))
    current = [title(step) for step in wanted if step not in ran]
    report = str(build.out / "report.html") if "report" in wanted else None
    if as_json:
        result = {"step": "run", "profile": build.name, "ran": [*map(title, ran)], "current": current, "report": report}
        print_json({**result, **(part.as_json() if part else {})}, indent=None)
        return
    print_text(f"run, profile {build.name}: {_listed(map(title, ran))} ran; {_listed(current)} current before")
    if part:
        part.print()
    if report is not None:
        print_text(report)


def _some(build: Build, sources: list[str]) -> Build:
    from curation.pipeline.part import is_part, part_of

    if is_part(build):
        raise SettingsError(
            f"sources are named twice: {' '.join(sources)}, and in --profile {build.name}",
            where="curate run",
            remedy="leave one of them out",
        )
    _, mark, params = build.options.partition(" --params ")
    return part_of(build, sources, f"curate run, profile {build.name}", mark + params)


@dataclass(frozen=True)
class _Part:
    """What is said of a run for some sources only.

    Attributes:
        build: the part.
        profile: name of the whole.
        sources: names of the part's.
        of: number of the profile's.
        left_out: mixes of the profile that the part does not build.

    """

    build: Build
    profile: str
    sources: list[str]
    of: int
    left_out: list[str]

    @classmethod
    def of_builds(cls, build: Build, whole: Build) -> _Part:
        from curation.pipeline.part import mixes_left_out

        names = build.profile.sources.include
        return cls(build, whole.name, names, len(whole.sources()), mixes_left_out(build, whole.profile))

    def check(self, until: str) -> None:
        """Refuse a mix that holds none of the sources.

        Raises:
            SettingsError: `--until` names such a mix, or all mixes, and all of them are such.

        """
        built = list(self.build.profile.mixes)
        if until == "mix" and not built:
            missing = self.left_out
        else:
            missing = [name for name in self.left_out if named(until) == f"mix-{name}"]
        if missing:
            others = ", ".join(["mine", *(f"mix {name}" for name in built)])
            raise SettingsError(
                f"none of {', '.join(self.sources)} is in {', '.join(f'mix {name}' for name in missing)}",
                where=f"curate run --until {until!r}",
                remedy=f"add one of them to `sources` of the mix file, or run until {others}",
            )

    def as_json(self) -> dict[str, Any]:
        """Return what a program reads of it."""
        return {"sources": self.sources, "of": self.of, "mixes_left_out": self.left_out}

    def print(self) -> None:
        """Print what the run is of, and where its results are."""
        name = self.build.name
        print_text(
            f"only {len(self.sources)} of the {self.of} sources of profile {self.profile}: no text of another source "
            "counted as a duplicate or a negative, and no result of the profile was changed"
        )
        if self.left_out:
            print_text(f"left out: {', '.join(f'mix {m}' for m in self.left_out)}, with none of these sources")
        print_text(f"results: out/{name}; look at them with `curate show {self.sources[0]}{self.build.options}`")


def _show_plan(build: Build, wanted: list[str], part: _Part | None, *, as_json: bool) -> None:
    """Print which steps would run, and why."""
    from curation.pipeline.dry_run import planned
    from curation.pipeline.status import duration

    plan = planned(build, wanted)
    if as_json:
        steps = {step: found.as_json() for step, found in plan.items()}
        print_json({"step": "run", "profile": build.name, "plan": steps, **(part.as_json() if part else {})})
        return
    for step, found in plan.items():
        print_text(f"{step}: {found}")
    seconds = [found.seconds for found in plan.values() if found.seconds is not None]
    if seconds:
        print_text(f"about {duration(sum(seconds))} in all, without fetching; `curate plan` says how that is reckoned")
    if part and part.left_out:
        print_text(f"left out: {', '.join(f'mix {m}' for m in part.left_out)}, with none of these sources")


def _listed(steps: Iterable[str]) -> str:
    return ", ".join(steps) or "none"
