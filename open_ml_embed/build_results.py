"""What a build answers: plan, status, statistics of a step, and what a run did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from curation.build import StepResult, title
from curation.pipeline.outcome import outcome_of
from curation.pipeline.plan import print_plan
from curation.pipeline.status import print_status
from open_ml_embed.core.words import counted

if TYPE_CHECKING:
    from curation.report.data import ReportData


@dataclass(frozen=True, eq=False)
class Plan:
    """What a build will give and cost, from the manifests alone.

    Attributes:
        profile: its name.
        details: everything, as `curate plan` prints it with the option for JSON.

    """

    profile: str
    details: Mapping[str, Any]

    @property
    def table(self) -> pa.Table:
        """A row for each source: name, title, family, task, rows, languages, license, access, download (bytes) …"""
        return pa.Table.from_pylist(list(self.details["by_source"]))

    @property
    def sources(self) -> list[str]:
        """The names of the sources."""
        return [entry["name"] for entry in self.details["by_source"]]

    @property
    def rows(self) -> int:
        """Rows of all sources."""
        return int(self.details["corpus"]["rows"])

    @property
    def mixes(self) -> dict[str, int]:
        """Mix → its rows, after the cap."""
        return {name: mix["rows"] for name, mix in self.details["mixes"].items()}

    @property
    def download(self) -> int:
        """Bytes of the raw files, of the sources that state them."""
        return int(self.details["corpus"]["download"]["bytes"])

    @property
    def hours(self) -> dict[str, float]:
        """Step → hours, by measured rates."""
        return dict(self.details["hours"])

    def print(self) -> None:
        """Print the plan as tables."""
        print_plan(dict(self.details))

    def __repr__(self) -> str:
        mixes = ", ".join(f"{name} {rows:,}" for name, rows in self.mixes.items())
        size = f"{counted(len(self.sources), 'source')}, {counted(self.rows, 'row')}"
        return f"Plan(profile {self.profile}: {size}; mixes: {mixes or 'none'})"


@dataclass(frozen=True, eq=False)
class Status:
    """How far a build is.

    Attributes:
        profile: its name.
        details: everything, as `curate status` prints it with the option for JSON.

    """

    profile: str
    details: Mapping[str, Any]

    @property
    def stages(self) -> dict[str, str]:
        """Stage → how its result stands: `done`, `stale`, `missing`, `lost` or `refused`."""
        return dict(self.details["stages"])

    @property
    def problems(self) -> dict[str, tuple[str, str]]:
        """Stage that is not done → why, and the first command to run again."""
        return {name: (entry["why"], entry["remedy"]) for name, entry in self.details["problems"].items()}

    @property
    def mixes(self) -> dict[str, int | None]:
        """Mix → its samples when it was last built; null: never."""
        return dict(self.details["mixes"])

    @property
    def rows(self) -> int:
        """Rows when they were last made."""
        return int(self.details["rows"])

    @property
    def table(self) -> pa.Table:
        """A row for each stage: `stage`, `state`, `why`, `remedy`, all string."""
        nothing = ("", "")
        columns = [(name, state, *self.problems.get(name, nothing)) for name, state in self.stages.items()]
        names = ("stage", "state", "why", "remedy")
        return pa.table({name: pa.array([row[i] for row in columns], pa.string()) for i, name in enumerate(names)})

    def print(self) -> None:
        """Print the status as a table."""
        print_status(dict(self.details))

    def __repr__(self) -> str:
        done = [name for name, state in self.stages.items() if state == "done"]
        rest = ", ".join(f"{name} {state}" for name, state in self.stages.items() if state != "done")
        return f"Status(profile {self.profile}: done {', '.join(done) or 'nothing'}{f'; {rest}' if rest else ''})"


@dataclass(frozen=True, eq=False)
class Statistics:
    """What a step did and lost.

    Attributes:
        step: its name, as the command has it.
        table: pyarrow.Table, a row for each source: `source` string, the step's figures int64 (docs/outcome.md says
            what each counts), and `share` float64 where the step loses some: the largest first.
        total: the same figures of all sources; null where a figure is not known.
        share: of all; null where the step loses nothing.
        notes: what no figure says, a sentence each.
        skipped: source → why it is not in the build.
        refused: source → why the step does not count as done.
        details: everything that the step counted, as its file has it.
        tables: the tables of the report that count the work of this step, by name (docs/report.md describes all);
            made when first asked for, which reads all rows once.

    """

    step: str
    table: pa.Table
    total: Mapping[str, int | None]
    share: float | None
    notes: tuple[str, ...]
    skipped: Mapping[str, str]
    refused: Mapping[str, str]
    details: Mapping[str, Any]
    _report: Callable[[], ReportData] | None = None

    @cached_property
    def tables(self) -> Mapping[str, pa.Table]:
        """The report's tables on this step."""
        kind = self.step.partition(" ")[0]
        return self._report().of_step(kind) if self._report else {}

    @classmethod
    def of(cls, result: StepResult, report: Callable[[], ReportData] | None = None) -> Statistics:
        """Read them from a step's result; `report` makes the tables of the report."""
        outcome = outcome_of(result)
        keys = [column.key for column in outcome.form.columns]
        columns = {"source": pa.array([line.source for line in outcome.lines], pa.string())}
        columns |= {key: pa.array([line.figures[key] for line in outcome.lines], pa.int64()) for key in keys}
        if outcome.form.share is not None:
            columns["share"] = pa.array([line.share for line in outcome.lines], pa.float64())
        return cls(
            title(result.step), pa.table(columns), dict(outcome.total.figures), outcome.total.share,
            tuple(outcome.notes), outcome.skipped, outcome.refused, result.stats, report,
        )  # fmt: skip

    def __repr__(self) -> str:
        figures = ", ".join(f"{key} {value:,}" for key, value in self.total.items() if value)
        return f"Statistics({self.step}, {counted(self.table.num_rows, 'source')}: {figures or 'nothing'})"


@dataclass(frozen=True)
class StepRun:
    """What became of one step in a run.

    Attributes:
        step: its name, as the command has it.
        did: `ran`; or `current`: its result was made from what there is now, so that nothing was left to do.
        seconds: that it took.
        statistics: of its result; null for the report, which has none.

    """

    step: str
    did: Literal["ran", "current"]
    seconds: float
    statistics: Statistics | None


@dataclass(frozen=True)
class BuildRun:
    """What a run did, a step after the other."""

    profile: str
    steps: tuple[StepRun, ...]

    @property
    def ran(self) -> list[str]:
        """The steps that ran, in order."""
        return [step.step for step in self.steps if step.did == "ran"]

    @property
    def current(self) -> list[str]:
        """The steps that had nothing to do."""
        return [step.step for step in self.steps if step.did == "current"]

    def __repr__(self) -> str:
        seconds = sum(step.seconds for step in self.steps)
        return (
            f"BuildRun(profile {self.profile}: ran {', '.join(self.ran) or 'nothing'} in {seconds:.1f} s; "
            f"current {', '.join(self.current) or 'nothing'})"
        )
