"""`curate status` on a build of many shards: the seconds it takes, and where they go.

    .venv/bin/python -m benchmarks.status --shards 50000

Makes a build of all sources of the corpus with that many shards: step files as the steps write them, and files of one
byte in `work/`. Nothing is computed; status reads step files, manifests and the sizes of files, and no table. Asserts
that every step is done, that one lost file is named, and that a changed setting is.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from curation.build import Build, Shard, StepResult
from curation.pipeline.freshness import save_as_made
from curation.settings import load_profile
from open_ml_embed.core.records import Records
from open_ml_embed.core.store import Output

ROOT = Path(__file__).resolve().parent.parent
PROFILE = "many"
TABLES = {
    "identify": (("languages", "languages"), ("verdicts", "verdicts")),
    "measure": (("quality", "quality"),),
    "dedup": (("clusters", "clusters"), ("merges", "merges")),
    "mine": (("negatives", "negatives"),),
}
"""Step → (operation, suffix) of its row-aligned tables."""


def make(root: Path, shards: int) -> Build:
    """Write a build of all sources with about that many shards below `root`, and return it."""
    settings = {"sources": {"collection": "ml-embed", "local_root": "raw"}, "mixes": {}}
    (root / "params.yaml").write_text(yaml.safe_dump({"profile": PROFILE, PROFILE: settings}))
    build = Build(*load_profile(root / "params.yaml", None), root)
    pools = [(manifest, subset) for manifest in build.manifests() for subset in manifest.subsets]
    each, more = divmod(shards, len(pools))
    rows, quarantine = [], []
    for number, (manifest, subset) in enumerate(pools):
        stem = f"{manifest.name}/{subset}/00000"
        quarantine.append(f"rows/{stem}.quarantine.arrow")
        rows += [
            Shard(manifest.name, subset, f"{stem}-{i:05d}", 1000, f"{number:08x}{i:08x}" * 2)
            for i in range(each + (number < more))
        ]
    files = {}
    for manifest, subset in pools:
        entry = {"table": "records", "name": "a", "path": "<local_root>/a", "size": 1, "identity": "1"}
        files.setdefault(manifest.name, {})[subset] = [entry]
    save_as_made(build, StepResult("fetch", stats={"files": files}))
    counts = {manifest.name: {"rows": 1000} for manifest, _ in pools}
    _step(build, "normalize", rows, {"sources": counts}, [*(f"rows/{s.path}.rows.arrow" for s in rows), *quarantine])
    for step, tables in TABLES.items():
        names = [f"{operation}/{s.path}.{suffix}.arrow" for operation, suffix in tables for s in rows]
        confusion = {name: {"confusion": {}, "programming": []} for name in counts}
        _step(build, step, rows, {"sources": confusion} if step == "identify" else {}, names)
        for operation, _ in tables:
            for shard in rows:
                _touch(build, f"{operation}/{shard.path}.done.json")
    _step(build, "decontaminate", [], {"tasks": {}, "sources": {}}, [])
    return build


def _step(build: Build, step: str, shards: list[Shard], stats: dict[str, object], files: list[str]) -> None:
    for file in files:
        _touch(build, file)
    outputs = [Output(file, 1000, 1, f"{i:032x}") for i, file in enumerate(files)]
    save_as_made(build, StepResult(step, Records(Shard, shards), stats, files=Records(Output, outputs)))


def _touch(build: Build, name: str) -> None:
    path = Path(build.store.full(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"1")


def status(build: Build) -> tuple[dict[str, object], float]:
    """Run the command in a process of its own and return what it says, and its CPU seconds."""
    command = [sys.executable, "-m", "curation.cli.app", "status", "--json"]
    before = os.times()
    done = subprocess.run(
        command, cwd=build.root, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return json.loads(done.stdout), used


def main() -> None:
    """Make the build, time the command, and check what it says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=50_000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="make the build in this folder and keep it")
    arguments = parser.parse_args()
    root = arguments.keep or Path(tempfile.mkdtemp())
    root.mkdir(parents=True, exist_ok=True)
    try:
        started = time.perf_counter()
        build = make(root, arguments.shards)
        print(f"made in {time.perf_counter() - started:.0f} s")
        walls, cpus = [], []
        for _ in range(arguments.times):
            started = time.perf_counter()
            said, cpu = status(build)
            walls.append(time.perf_counter() - started)
            cpus.append(cpu)
        assert said["rows"] == arguments.shards * 1000
        stages = {name: said["stages"][name] for name in ("normalize", "identify", "dedup", "mine")}
        assert set(stages.values()) == {"done"}, (stages, said["problems"])
        assert said["tasks_done"]["languages"] == arguments.shards
        lost = next(Path(build.store.full("clusters")).rglob("*.clusters.arrow"))
        lost.unlink()
        without, _ = status(build)
        assert without["stages"]["dedup"] == "lost"
        assert str(lost.relative_to(build.store.full(""))) in without["problems"]["dedup"]["why"]
        print(f"curate status on {arguments.shards:,} shards: {statistics.median(walls):.2f} s, of them CPU "
              f"{statistics.median(cpus):.2f} s (medians of {arguments.times})")  # fmt: skip
    finally:
        if arguments.keep is None:
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
