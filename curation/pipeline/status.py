"""`curate status`: the state of all steps of a build."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from curation.build import Build, StepResult
from curation.mixing.recipe import built_mixes
from curation.pipeline.freshness import Checker
from curation.pipeline.lock import LIVE, LIVE_TRAINING
from curation.pipeline.model_state import evaluation_state, model_state
from curation.pipeline.runs import last_runs
from open_ml_embed.core.fitting_table import Table
from open_ml_embed.core.live import Doing, doing_at
from open_ml_embed.core.sealed import DamagedRecordError, read_record
from open_ml_embed.core.store import MARKER
from open_ml_embed.core.terminal import Terminal

OPERATIONS = (
    "rows", "languages", "quality", "signatures", "clusters", "contamination", "pools", "embeddings", "mined",
    "negatives",
)  # fmt: skip
"""Names of the operations whose tasks are counted. Importing their modules takes longer than the status itself."""


def make_status(build: Build) -> dict[str, Any]:
    """Return the status of a build as data for JSON. Values of steps that have not been run are null or zero.

    ``languages`` counts the ISO 639-3 codes that sources declare for their rows, without programming languages.
    ``stages`` holds the state of each stage: ``done``; ``stale``: made from other inputs than the current ones;
    ``missing``: not run; ``lost``: its files are missing; ``refused``: some of its sources failed. For every state
    except ``done``, ``problems`` holds the reason and the first command to run again. Figures are those of the last
    run. ``tasks_done`` counts finished tasks by operation, also while a step is running. ``last_runs`` holds what the
    last run of each step took on this machine (`curation.pipeline.runs.Run`). ``now`` holds what a run and a training
    that are at work do, as in `open_ml_embed.core.live.Doing`, with ``rate`` a second and ``seconds_left``.
    """
    checker = Checker(build)
    states = checker.states()
    training_states = {"train": model_state(build, checker), "evaluate": evaluation_state(build, checker)}
    stages = {name: state for name, state in states.items() if name != "report"} | training_states
    stages["report"] = states["report"]
    rows = stages["normalize"].result
    mixes = {name: stages[f"mix-{name}"].result for name in built_mixes(build.profile, build.root)}
    natural, programming = _declared(stages["identify"].result)
    return {
        "profile": build.name,
        "rows": sum(rows.shards.column("rows")) if rows else 0,
        "sources": sorted(set(rows.shards.column("source"))) if rows else [],
        "skipped": rows.skipped if rows else {},
        "refused": {
            name: state.result.refused for name, state in stages.items() if state.result and state.result.refused
        },
        "languages": len(natural),
        "programming_languages": len(programming),
        "mixes": {
            name: mix_result.stats["counts"]["samples"] if mix_result else None for name, mix_result in mixes.items()
        },
        "stages": {name: state.kind for name, state in stages.items()},
        "problems": {
            name: {"why": state.why, "remedy": state.remedy} for name, state in stages.items() if state.kind != "done"
        },
        "last_runs": {step: asdict(run) for step, run in last_runs(build).items() if step in stages},
        "tasks_done": {name: build.store.count(name, MARKER) for name in OPERATIONS},
        "model": _model(build),
        "now": [_now(doing) for doing in _at_work(build)],
    }


def _at_work(build: Build) -> Iterator[Doing]:
    for name in (LIVE, LIVE_TRAINING):
        doing = doing_at(build.local_work / build.name / name)
        if doing is not None:
            yield doing


def _now(doing: Doing) -> dict[str, Any]:
    left = doing.seconds_left
    return asdict(doing) | {"rate": doing.rate, "seconds_left": None if left is None else round(left)}


def _sentence(now: dict[str, Any]) -> str:
    """Return what a run does now, in words."""
    unit = ""
    done, total = f"{now['done']:,}", f"{now['total']:,}"
    if now["total_bytes"]:
        unit, done, total = " MB", f"{now['bytes'] / 1e6:,.0f}", f"{now['total_bytes'] / 1e6:,.0f}"
    said = f"at work: {now['step']} {done} of {total}{unit}"
    if now["rate"]:
        rate = f"{now['rate'] / 1e6:,.1f} MB" if now["total_bytes"] else f"{now['rate']:,.3g}"
        said += f", {rate} a second, {duration(now['seconds_left'])} left"
    return f"{said}; {now['note']}" if now["note"] else said


def duration(seconds: float) -> str:
    """Return seconds as people say them.

    >>> [duration(seconds) for seconds in (42, 125, 4000, 200_000)]
    ['42 s', '2 min', '1 h 7 min', '55 h 33 min']

    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _declared(identified: StepResult | None) -> tuple[set[str], set[str]]:
    """Return the declared ISO 639-3 codes and the declared programming languages."""
    natural: set[str] = set()
    programming: set[str] = set()
    for source in identified.stats["sources"].values() if identified else ():
        programming.update(source["programming"])
        natural.update(set(source["confusion"]) - set(source["programming"]))
    return natural - {"zxx"}, programming


def _model(build: Build) -> dict[str, Any] | None:
    try:
        data = read_record(build.out / "evaluation.json")
    except DamagedRecordError:  # the stage `evaluate` says so
        return None
    if data is None:
        return None
    return {key: data[key] for key in ("queries", "documents", "ratio_full_size") if key in data}


def _runs_table(status: dict[str, Any]) -> Table:
    """Return the last runs of the steps as a table, in the order of the stages."""
    table = Table(title="last runs on this machine", title_justify="left", box=None, pad_edge=False)
    for name in ("step", "started (UTC)", "end"):
        table.add_column(name, no_wrap=True)
    for name in ("s", "CPU s", "MiB", "tasks", "resumed"):
        table.add_column(name, justify="right", no_wrap=True)
    for stage in status["stages"]:
        run = status["last_runs"].get(stage)
        if run:
            counts = (run["seconds"], run["cpu_seconds"], run["peak_memory"] / 2**20)
            tasks = (f"{run[key]:,}" for key in ("tasks_done", "tasks_resumed"))
            started = run["started"][:16].replace("T", " ")
            table.add_row(stage, started, run["end"], *(f"{count:,.0f}" for count in counts), *tasks)
    return table


def print_status(status: dict[str, Any]) -> None:
    """Print the status as a table."""
    console = Terminal()
    table = Table(title=f"profile {status['profile']}")
    table.add_column("stage")
    table.add_column("state")
    table.add_column("why, and what to run first", overflow="fold")
    for name, state in status["stages"].items():
        problem = status["problems"].get(name, {"why": "", "remedy": ""})
        reason = "" if state == "missing" else problem["why"]
        table.add_row(name, state, "; ".join(filter(None, (reason, problem["remedy"]))))
    console.print(table)
    console.print(
        f"{status['rows']:,} rows of {len(status['sources'])} sources, {status['languages']} languages, "
        f"{status['programming_languages']} programming languages"
    )
    for now in status["now"]:
        console.print(_sentence(now), soft_wrap=True)
    if status["last_runs"]:
        console.print(_runs_table(status))
    for name, count in status["mixes"].items():
        console.print(f"mix {name}: {'not built' if count is None else f'{count:,} samples'}")
    for name, why in status["skipped"].items():
        console.print(f"skipped {name}: {why}")
    for step, sources in status["refused"].items():
        for name, why in sources.items():
            console.print(f"{step} refused for {name}: {why}", markup=False, soft_wrap=True)
