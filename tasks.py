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
INTEROP = ROOT / ".venv-interop"
PINS = ROOT / "tests" / "interop" / "pins"
QUICK = (
    "tests/sources/test_text.py",
    "tests/sources/shapes/test_shapes.py",
    "tests/sources/shapes/test_retrieval.py",
    "tests/sources/test_contract.py",
    "tests/core/test_engine.py",
)
FOR_DEMO = "build,report,train"
SIZES = {"dev": "about three minutes and 2.6 GB", FOR_DEMO: "about two minutes and 2 GB"}
"""Extras → what their installation takes."""
NO_CALLS_HOME = {
    "DVC_NO_ANALYTICS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "NO_MKDOCS_2_WARNING": "1",
}


def setup(extras: str = "dev") -> None:
    """Make `.venv/` with everything pinned in constraints.txt; does nothing when that is done.

    The constraints pin PyTorch to the build this project is tested with. With a GPU, install without them:
    `pip install -e '.[dev]'` in an environment that has the PyTorch you want.
    """
    files = [ROOT / "pyproject.toml", ROOT / "constraints.txt"]
    wanted = hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()
    if STAMP.is_file() and STAMP.read_text() in (f"{wanted} dev", f"{wanted} {extras}"):
        return
    if sys.version_info < (3, 11):  # noqa: UP036 (this file runs before anything checks)
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}")
    print(f"installing into .venv/: {SIZES[extras]}, once", flush=True)
    if not BIN.is_dir():
        venv.create(VENV, with_pip=True)
    # torch first: pip then sees it as installed and does not look for a larger build
    run("pip", "install", "--quiet", "--disable-pip-version-check", torch_pin())
    run("pip", "install", "--quiet", "--disable-pip-version-check", "-c", "constraints.txt", "-e", f".[{extras}]")
    STAMP.write_text(f"{wanted} {extras}")


def demo(*arguments: str) -> None:
    """Build both mixes, the report and a small model from real text in 112 languages: minutes. `--large`: in 519.

    Stopped at any point, the same command goes on from there.
    """
    started = time.monotonic()
    setup(FOR_DEMO)
    if unknown := set(arguments) - {"--large"}:
        sys.exit(f"no option {', '.join(sorted(unknown))}; there is --large")
    profile = "sample" if arguments else "demo"
    run("curate", "run", "--profile", profile, "--until", "mix")
    run("train3d", "fit", "--profile", profile)
    run("train3d", "evaluate", "--profile", profile)
    run("curate", "run", "--profile", profile)
    run("curate", "status", "--profile", profile)
    print(
        f"""
{time.monotonic() - started:.0f} s. What was made:
  out/{profile}/report.html                 every row accounted for, by source and language
  out/{profile}/mixes/{{retrieval,instruction}}  Parquet, with a dataset card each
  out/{profile}/model                       a folder that sentence-transformers loads
Next:
  .venv/bin/curate show mediawiki_messages et --profile {profile}       # rows with all that is known of them
  .venv/bin/curate export retrieval --profile {profile} --format sentence-transformers --to data
  .venv/bin/curate init my-project                                # a project of your own"""
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
    run("python", "-m", "mkdocs", "build", "--strict")
    print("site/index.html")


def matrix() -> None:
    """Load exports with transformers 4 and sentence-transformers 5, in an environment of their own, and compare."""
    setup()
    if not OLD.is_dir():
        print("installing the older versions into .venv-matrix/: about 1 GB, once", flush=True)
        venv.create(OLD, with_pip=True)
        subprocess.run([OLD / "bin" / "pip", "install", "--quiet", torch_pin(), *OLD_PACKAGES], check=True)
    os.environ["EXPORT_MATRIX_PYTHON"] = str(OLD / "bin" / "python")
    run("pytest", "-q", "tests/train/export/test_readers.py")


def interop(*arguments: str) -> None:
    """Read and train on exports with the programs they are for, all or those named, in environments of their own."""
    setup()
    known = sorted(path.stem for path in PINS.glob("*.txt"))
    if unknown := set(arguments) - set(known):
        sys.exit(f"no program {', '.join(sorted(unknown))}; there is {', '.join(known)}")
    chosen = arguments or tuple(known)
    for name in chosen:
        install_program(name)
    run("pytest", "-q", *(f"tests/interop/test_{name.replace('-', '_')}.py" for name in chosen))


def install_program(name: str) -> None:
    """Make the environment of another program with the versions of its file; does nothing when that is done."""
    pins, folder = PINS / f"{name}.txt", INTEROP / name
    wanted, stamp = hashlib.sha256(pins.read_bytes() + torch_pin().encode()).hexdigest(), folder / "installed"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    print(f"installing {name} into {folder.relative_to(ROOT)}/: 1 to 2 GB, once", flush=True)
    venv.create(folder, with_pip=True, clear=True)
    install = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, torch_pin()], check=True)
    subprocess.run([*install, "--no-deps", "-r", pins], check=True)
    stamp.write_text(wanted)


def torch_pin() -> str:
    """Return the line of constraints.txt for torch, which is installed before all else."""
    return next(line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch=="))


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


TASKS = {task.__name__: task for task in (setup, demo, test, check, bench, docs, matrix, interop, real, clean)}


def main() -> None:
    """Run the task that the command line names."""
    name, *arguments = sys.argv[1:] or ["help"]
    if name not in TASKS:
        print("usage: python3 tasks.py TASK\n")
        for task in TASKS.values():
            print(f"  {task.__name__:7} {(task.__doc__ or '').splitlines()[0]}")
        sys.exit(0 if name in ("help", "-h", "--help") else 2)
    TASKS[name](*arguments)


if __name__ == "__main__":
    main()
