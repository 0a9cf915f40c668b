"""`Build`: a corpus from a settings file, planned, run, resumed and read from Python by the code of the commands."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from curation.build import Build as ProfileBuild
from curation.build import StepResult, title
from curation.mixing.recipe import built_mixes
from curation.pipeline.chain import named_step, run_one, run_steps, steps_of, steps_until
from curation.pipeline.freshness import State, load
from curation.pipeline.lock import alone
from curation.pipeline.opening import PARAMS, open_build
from curation.pipeline.plan import make_plan
from curation.pipeline.report_tables import report_tables
from curation.pipeline.run import run_step
from curation.pipeline.source_filter import Filter
from curation.pipeline.status import make_status
from open_ml_embed.build_results import BuildRun, Plan, Statistics, Status, StepRun
from open_ml_embed.core.errors import UnknownNameError
from open_ml_embed.mix import Mix

if TYPE_CHECKING:
    from os import PathLike

    from curation.report.data import ReportData


@dataclass(frozen=True)
class Build:
    """One profile of a settings file: its sources, its steps, and what they made.

    All that it writes lies beside the settings file: shards in `work/`, mixes, report and step files in `out/`. It is
    what the command `curate` writes for the same profile: either goes on where the other was left.

    Attributes:
        name: of the profile.
        params: the settings file.

    """

    name: str
    params: Path
    _build: ProfileBuild

    @classmethod
    def from_params(
        cls,
        params: str | PathLike[str] = PARAMS,
        profile: str | None = None,
        *,
        workers: int = 0,
        engine: Literal["local", "ray"] = "local",
        ray_address: str | None = None,
    ) -> Build:
        """Open a profile; every name in it is looked up first.

        Args:
            params: the settings file.
            profile: its section; null: the one that the file's entry `profile` names. `full@fever+squad` is the part of
                `full` that has only these sources, in folders of its own.
            workers: tasks at once; 0: one per core. No result depends on it.
            engine: processes of this machine, or Ray.
            ray_address: of a running Ray cluster.

        Raises:
            ValueError: (a `CorpusError`) no such file or profile, or a setting or name that cannot be.

        """
        path = Path(params)
        build = open_build(profile, path, workers, engine, ray_address)
        return cls(build.name, path, build)

    @property
    def root(self) -> Path:
        """The folder of the settings file, where everything lies."""
        return self._build.root

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of this profile in the order they run, as the command names them."""
        return tuple(map(title, steps_of(self._build)))

    def plan(
        self,
        *,
        language: str | None = None,
        family: str | None = None,
        task: str | None = None,
        license: str | None = None,
        access: str | None = None,
    ) -> Plan:
        """Say what the profile will give, cost and be allowed for, from the manifests alone.

        Args:
            language: only sources with this language: a code or a tag, as `deu` or `srp-Cyrl`.
            family: only of this loss family: `retrieval`, `clustering` or `classification`.
            task: only of this type.
            license: only under a license that allows this (`commercial`, `redistribution`), or under this one.
            access: only with this kind of access (`open`, `gated`, `manual`); several with commas.

        Raises:
            ValueError: (a `CorpusError`) a value that no source could have.

        """
        chosen = Filter(language, family, task, license, access)
        return Plan(self.name, make_plan(self._build, chosen, workers=self._build.workers.number))

    def status(self) -> Status:
        """Say how every step's result stands, from what lies on disk."""
        return Status(self.name, make_status(self._build))

    def run(self, until: str | None = None, *, quiet: bool = False) -> BuildRun:
        """Run every step that is not current, in order; what is done already is left as it is.

        It can be stopped at any moment, and goes on where it was when it is called again. A step that ran prints what
        it did and lost, and while it runs its progress, on standard error.

        Args:
            until: the last step to run: `fetch`, `normalize`, `identify`, `measure`, `dedup`, `decontaminate`, `mine`,
                `mix` (all mixes), `mix NAME`, `report`; null: all of them.
            quiet: print no tables.

        Raises:
            StageError: another run of this profile is at work; or a step failed for some of its sources, which the
                error names with what to do.
            ValueError: (a `CorpusError`) there is no such step.

        """
        wanted = steps_until(self._build, until)
        with alone(self._build), _without_main():
            runs, states = run_steps(self._build, wanted, lambda step, state: self._ran(step, state, quiet=quiet))
        done = (
            runs.get(step) or StepRun(title(step), "current", 0.0, self._statistics(states[step])) for step in wanted
        )
        return BuildRun(self.name, tuple(done))

    def statistics(self, step: str) -> Statistics:
        """Return what a step did and lost.

        Args:
            step: its name, as in `run`; of the mixes `mix NAME`.

        Raises:
            StageError: its result is missing or not current.
            ValueError: (a `CorpusError`) there is no such step, or it counts nothing.

        """
        known = [name for name in steps_of(self._build) if name != "report"]
        return self._of(load(self._build, named_step(self._build, step, known)))

    def tables(self, *, with_runs: bool = False) -> ReportData:
        """Return every table of the report: a mapping of names to tables, each typed and documented.

        It reads all rows once; `write` puts the tables into a folder as JSON, CSV and Parquet, as
        `curate report --data FOLDER` does. docs/report.md lists the tables.

        Args:
            with_runs: add the table `runs`: seconds, CPU seconds and memory of the runs on this machine. Equal builds
                differ in it, and in no other.

        Raises:
            StageError: nothing is normalized yet, or the result of a step that has run is not current.

        """
        return report_tables(self._build, with_runs=with_runs)

    def mix(self, name: str) -> Mix:
        """Return one of the profile's mixes.

        Raises:
            StageError: it is not built, or not current.
            ValueError: (a `CorpusError`) the profile has no mix of this name.

        """
        names = built_mixes(self._build.profile, self.root)
        if name not in names:
            raise UnknownNameError("mix", name, names, where=f"profile {self.name}")
        load(self._build, f"mix-{name}")
        return Mix(self._build.mix(name))

    def report(self) -> Path:
        """Write the report, one HTML file that loads nothing, and return its path.

        The audit of contamination alone lies beside it, as `contamination.html`.

        Raises:
            StageError: nothing is normalized yet, or the result of a step that has run is not current.

        """
        with alone(self._build):
            run_step(self._build, "report")
        return self._build.out / "report.html"

    def __repr__(self) -> str:
        mixes = ", ".join(built_mixes(self._build.profile, self.root))
        return f"Build(profile {self.name} of {self.params}; mixes: {mixes or 'none'})"

    def _ran(self, step: str, state: State, *, quiet: bool) -> StepRun:
        begun = time.monotonic()
        result = run_one(self._build, step, state, quiet=quiet)
        statistics = None if step == "report" else self._of(result)
        return StepRun(title(step), "ran", time.monotonic() - begun, statistics)

    def _statistics(self, state: State) -> Statistics | None:
        return None if state.result is None or state.result.step == "report" else self._of(state.result)

    def _of(self, result: StepResult) -> Statistics:
        return Statistics.of(result, self.tables)


def report(build: Build) -> Path:
    """Write the report of a build, one HTML file that loads nothing, and return its path.

    Args:
        build: of which at least the step `normalize` has been run.

    Raises:
        StageError: see `Build.report`.

    """
    return build.report()


@contextmanager
def _without_main() -> Iterator[None]:
    """Keep worker processes from importing the caller's script: without an `if __name__ …` it would run once more."""
    main: Any = sys.modules["__main__"]
    held = {name: main.__dict__[name] for name in ("__spec__", "__file__") if name in main.__dict__}
    main.__spec__ = None
    main.__dict__.pop("__file__", None)
    try:
        yield
    finally:
        main.__dict__.update(held)
