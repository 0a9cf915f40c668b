"""Plants corruptions in a copy of a build: `curate verify --deep` has to find each, and the repair has to undo them.

    .venv/bin/python -m benchmarks.verify_sample                     # of the sample that `python3 tasks.py demo` makes

Damaged are files of `work/<profile>`, `work/evaluations` and `out/<profile>`, each in one of the ways of the torture.
Raw files are left alone: `curate fetch` would ask their servers for them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks._results import results
from benchmarks.torture.corruptions import WAYS
from curation.build import STEPS
from open_ml_embed.core.hashing import hash_file

ROOT = Path(__file__).resolve().parent.parent
MARKERS = (".done.json", ".writer")


def main() -> None:
    """Plant, verify, repair, compare; exit with 1 if anything is not found or not undone."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verify_sample", description=__doc__)
    parser.add_argument("--project", type=Path, default=ROOT, help="folder of params.yaml, work/ and out/")
    parser.add_argument("--profile", default="sample")
    parser.add_argument("--count", type=int, default=200, help="corruptions")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        copied(options.project, root, options.profile)
        before = {str(path.relative_to(root)): hash_file(path) for path in results(root)}
        planted = plant(root, options.profile, options.count, random.Random(options.seed))
        print(
            f"{len(planted)} files damaged: {', '.join(f'{n} {way}' for way, n in Counter(planted.values()).items())}"
        )
        code, seconds, output = curate(root, "verify", "--deep", "--json", "--profile", options.profile)
        assert code == 1, output
        findings = json.loads(output[output.index("{") :])["findings"]
        missed = [name for name in planted if not named(name, [finding["path"] for finding in findings])]
        print(f"verify --deep: {len(findings)} findings, {len(missed)} of the damaged files not named, {seconds:.0f} s")
        code, seconds, output = curate(root, "verify", "--deep", "--repair", "--json", "--profile", options.profile)
        left = json.loads(output[output.index("{") :])["left"] if code == 0 else output[-2000:]
        print(f"verify --deep --repair: exit code {code}, {seconds:.0f} s; left: {left}")
        again, seconds, output = curate(root, "run", "--profile", options.profile)
        print(f"curate run: exit code {again}, {seconds:.0f} s" + (f"\n{output[-2000:]}" if again else ""))
        after = {str(path.relative_to(root)): hash_file(path) for path in results(root)}
    differing = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    print(f"{len(before):,} files, {len(differing)} differ at the end{': ' if differing else ''}{differing[:5]}")
    for name in missed:
        print(f"  not named: {name}, {planted[name]}")
    sys.exit(bool(missed or code or again or differing))


def copied(project: Path, root: Path, profile: str) -> None:
    """Copy a build; raw files are linked, since they are only read."""
    for name in (f"work/{profile}", "work/evaluations", "work/raw", "out"):
        linked = os.link if name == "work/raw" else shutil.copy2
        if (project / name).is_dir():
            shutil.copytree(project / name, root / name, copy_function=linked, symlinks=True)
    for name in ("params.yaml", "manifests"):
        path = project / name
        if path.is_dir():
            shutil.copytree(path, root / name)
        elif path.exists():
            shutil.copy2(path, root / name)
    for name in (f"{step}.json" for step in STEPS):
        assert (root / "out" / profile / "steps" / name).is_file(), f"{project}: {profile} is not built: run it first"


def plant(root: Path, profile: str, count: int, rng: random.Random) -> dict[str, str]:
    """Damage files of a build; return path below the root → how."""
    tops = (f"work/{profile}/", "work/evaluations/", f"out/{profile}/")
    files = [path for path in results(root) if str(path.relative_to(root)).startswith(tops)]
    planted: dict[str, str] = {}
    for path in rng.sample(files, count):
        way = rng.choice(WAYS)
        beside = [other for other in path.parent.iterdir() if other.is_file() and not other.is_symlink()]
        way(path, beside, rng)
        planted[str(path.relative_to(root))] = way.__name__.strip("_")
    return planted


def named(name: str, findings: list[str]) -> bool:
    """Tell whether a finding is about a file; a marker that is gone is told by the files that it described."""
    stem = next((name.removesuffix(suffix) for suffix in MARKERS if name.endswith(suffix)), None)
    return any(path == name or (stem is not None and path.startswith(stem)) for path in findings)


def curate(root: Path, *arguments: str) -> tuple[int, float, str]:
    """Run a verb in a project; return its exit code, the seconds, and what it printed."""
    began = time.monotonic()
    command = [sys.executable, "-m", "curation.cli.app", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, time.monotonic() - began, done.stdout or done.stderr


if __name__ == "__main__":
    main()
