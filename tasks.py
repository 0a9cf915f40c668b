#!/usr/bin/env python3
"""The task runner: `python3 tasks.py TASK`. Needs Python 3.11 and nothing else; the environment lands in `.venv/`."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
STAMP = VENV / "installed"
OLD = ROOT / ".venv-matrix"
OLD_PACKAGES = ("transformers==4.57.3", "sentence-transformers==5.1.2")
QUICK = (
    "tests/sources/test_text.py",
    "tests/sources/shapes/test_shapes.py",
    "tests/sources/shapes/test_retrieval.py",
    "tests/sources/test_contract.py",
    "tests/core/test_engine.py",
)
NO_CALLS_HOME = {
    "DVC_NO_ANALYTICS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "NO_MKDOCS_2_WARNING": "1",
}


def setup() -> None:
    """Make `.venv/` with everything pinned in constraints.txt; does nothing when that is done.

    The constraints pin PyTorch to the build this project is tested with. With a GPU, install without them:
    `pip install -e '.[dev]'` in an environment that has the PyTorch you want.
    """
    files = [ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    wanted = hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()
    if STAMP.is_file() and STAMP.read_text() == wanted:
        return
    if sys.version_info < (3, 11):  # noqa: UP036 (this file runs before anything checks)
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}")
    print("installing into .venv/: about three minutes and 2.6 GB, once", flush=True)
    if not BIN.is_dir():
        venv.create(VENV, with_pip=True)
    # torch first: pip then sees it as installed and does not look for a larger build
    pin = next(line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch=="))
    run("pip", "install", "--quiet", "--disable-pip-version-check", pin)
    run("pip", "install", "--quiet", "--disable-pip-version-check", "-c", "constraints.txt", "-e", ".[dev]")
    STAMP.write_text(wanted)


def demo(*arguments: str) -> None:
    """Build both mixes, the report and a trained model from real text: 25 to 40 minutes on two cores."""
    setup()
    started = time.monotonic()
    run("dvc", "repro", "pipelines/sample/dvc.yaml", *arguments)
    run("curate", "status", "--profile", "sample")
    print(
        f"\n{time.monotonic() - started:.0f} s. Open out/sample/report.html; look at rows with `.venv/bin/curate show`."
    )


def test(*arguments: str) -> None:
    """Run all tests, two files at a time."""
    setup()
    run("pytest", "-n", "2", "--dist", "loadfile", *arguments)


def check() -> None:
    """Lint, format, types, and the tests that take no time: under a minute."""
    setup()
    run("ruff", "check", ".")
    run("ruff", "format", "--check", ".")
    types = start("mypy")  # beside the tests: each is one core's work
    run("pytest", "-q", "-m", "not slow", *QUICK)
    if types.wait():
        sys.exit(types.returncode)


def bench(*arguments: str) -> None:
    """Run the benchmarks: all of them, or those named (`tasks.py bench dedup`)."""
    setup()
    chosen = arguments or tuple(sorted(path.stem for path in (ROOT / "benchmarks").glob("[!_]*.py")))
    for name in chosen:
        run("python", "-m", f"benchmarks.{name}")


def docs() -> None:
    """Build the documentation site into site/, offline; a warning or a broken link is an error."""
    setup()
    run("python", "-m", "mkdocs", "build", "--strict", "--quiet")
    print("site/index.html")


def matrix() -> None:
    """Load exports with transformers 4 and sentence-transformers 5, in an environment of their own, and compare."""
    setup()
    if not OLD.is_dir():
        print("installing the older versions into .venv-matrix/: about 1 GB, once", flush=True)
        venv.create(OLD, with_pip=True)
        pin = next(line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch=="))
        subprocess.run([OLD / "bin" / "pip", "install", "--quiet", pin, *OLD_PACKAGES], check=True)
    os.environ["EXPORT_MATRIX_PYTHON"] = str(OLD / "bin" / "python")
    run("pytest", "-q", "tests/train/export/test_readers.py")


def real(*arguments: str) -> None:
    """Run samples of real records through the normalizer: `tasks.py real FOLDER [SOURCE...]`."""
    setup()
    run("python", "-m", "tests.support.real_records", *arguments)


def clean() -> None:
    """Remove what builds left: work/, out/, caches. The environment and fetched raw files' origins stay."""
    for name in ("work", "out", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".dvc/tmp", ".dvc/cache"):
        shutil.rmtree(ROOT / name, ignore_errors=True)
    for lock in (ROOT / "dvc.lock", *ROOT.glob("pipelines/*/dvc.lock")):
        lock.unlink(missing_ok=True)


def run(program: str, *arguments: str) -> None:
    """Run a program of the environment; its failure is ours."""
    code = start(program, *arguments).wait()
    if code:
        sys.exit(code)


def start(program: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a program of the environment."""
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = os.environ | NO_CALLS_HOME | {"PATH": path, "VIRTUAL_ENV": str(VENV)}
    return subprocess.Popen([BIN / program, *arguments], cwd=ROOT, env=environment)


TASKS = {task.__name__: task for task in (setup, demo, test, check, bench, docs, matrix, real, clean)}


def main() -> None:
    """Run the task that the command line names."""
    name, *arguments = sys.argv[1:] or ["help"]
    if name not in TASKS:
        print("usage: python3 tasks.py TASK\n")
        for task in TASKS.values():
            print(f"  {task.__name__:6} {(task.__doc__ or '').splitlines()[0]}")
        sys.exit(0 if name in ("help", "-h", "--help") else 2)
    TASKS[name](*arguments)


if __name__ == "__main__":
    main()
