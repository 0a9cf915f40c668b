"""Runs the steps of a rehearsal by the command line, one after the other, and measures each."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks._program import Cost, measured
from sources.manifest import Manifest

ROOT = Path(__file__).resolve().parents[2]
PROFILE = "rehearsal"
COLLECTIONS = ("ml-embed", "f2llm-v2", "kalm", "community")
STEPS = (
    "fetch", "normalize", "identify", "measure", "dedup", "decontaminate", "mine", "mix retrieval", "mix instruction",
    "report",
)  # fmt: skip


@dataclass(frozen=True)
class Ran:
    """A step that was run, what it took, the size of `work/` after it in bytes, and what it printed."""

    step: str
    cost: Cost
    work: int
    log: Path


def write_settings(folder: Path, manifests: list[Manifest], collection: str | None = None) -> None:
    """Write `params.yaml` with one profile, all of whose sources lie in the folder's `raw/`.

    Args:
        folder: of the rehearsal.
        manifests: of the sources.
        collection: of which these are all sources; null: they are some.

    """
    sources = {"local_root": str((folder / "raw").resolve())}
    chosen = {"collection": collection} if collection else {"include": [manifest.name for manifest in manifests]}
    profile = {
        "sources": chosen | sources,
        "normalize": {"shard_rows": 100_000},
        "languages": {"backend": "bundled"},
        "dedup": {"shingle": 5, "num_perm": 128, "threshold": 0.8},
        "decontaminate": {"sets": ["evaluation/planted"]},
        "mining": {"preset": "f2llm", "teacher": "bm25", "num_negatives": 24},
        "mixes": {"retrieval": {"validation": 0.01}, "instruction": {"validation": 0.01}},
    }
    (folder / "params.yaml").write_text(yaml.safe_dump({"profile": PROFILE, PROFILE: profile}, sort_keys=False))


def command_of(folder: Path, step: str, *options: str) -> list[str]:
    """Return the command that runs a step of the project in a folder."""
    program = [sys.executable, "-m", "curation.cli.app"]
    return [*program, *step.split(), "--params", str(folder / "params.yaml"), *options]


def environment() -> dict[str, str]:
    """Return the environment of the commands: this checkout, no Hub, and no setting of `curate`."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CURATE_")}
    return own | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}


def run(folder: Path, step: str, workers: int) -> Ran:
    """Run one step; what it prints goes to `logs/` in the folder."""
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    # the report is made in one process
    command = command_of(folder, step, *([] if step == "report" else ["--workers", str(workers)]))
    log = logs / f"{step.replace(' ', '-')}.log"
    cost = measured(command, log=log, environment=environment())
    work = sum(path.stat().st_size for path in (folder / "work").rglob("*") if path.is_file())
    return Ran(step, cost, work, log)
