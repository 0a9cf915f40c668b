"""The environments of other programs that `python3 tasks.py interop` makes, and how a test runs a script in one."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT

PINS = Path(__file__).parent / "pins"
"""A file of exact versions for each environment; its first line says what it is for."""
PROGRAMS = Path(__file__).parent / "programs"
FOLDER = ROOT / ".venv-interop"


def python_of(name: str) -> Path:
    """Return the interpreter of an environment, which may not be there."""
    return FOLDER / name / "bin" / "python"


def needs(name: str) -> pytest.MarkDecorator:
    """Skip tests where the environment is missing."""
    reason = f"needs the environment that `python3 tasks.py interop {name}` makes"
    return pytest.mark.skipif(not python_of(name).is_file(), reason=reason)


def version(name: str, package: str) -> str:
    """Return the version of a package that an environment is pinned to."""
    pins = (line.split("==") for line in (PINS / f"{name}.txt").read_text("utf-8").splitlines() if "==" in line)
    return next(number for pinned, number in pins if _normal(pinned) == _normal(package))


def _normal(package: str) -> str:
    return re.sub(r"[-_. ]+", "-", package).lower()


def run(name: str, job: dict[str, Any], folder: Path, **variables: str) -> dict[str, Any]:
    """Run an environment's script on a job, without a network, and return its result.

    Args:
        name: of the environment; the script is `run_NAME.py`.
        job: what the script reads, in JSON.
        folder: for the job, the result and what the program leaves.
        variables: of its environment.

    """
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps(job), "utf-8")
    mine = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "HF_", "VIRTUAL_ENV"))}
    caches = dict.fromkeys(("HF_HOME", "MODELSCOPE_CACHE", "MPLCONFIGDIR"), str(folder / "home"))
    offline = {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", **caches}
    script = PROGRAMS / f"run_{name.replace('-', '_')}.py"
    done = subprocess.run(
        [python_of(name), script, folder / "job.json", folder / "result.json"],
        cwd=folder, env=mine | offline | variables, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
    result: dict[str, Any] = json.loads((folder / "result.json").read_text("utf-8"))
    return result


def check_training(trained: dict[str, Any]) -> None:
    """Check that a trainer made two steps, with a loss each, and that the weights are others than before."""
    assert trained["steps"] == 2
    assert len(trained["losses"]) == 2
    assert trained["moved"]
