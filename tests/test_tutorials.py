"""The tutorials of docs/, each run in an empty folder as its page has it."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.rehearsal.generate import generate
from sources import registry
from tests.sources.raw import linked
from tests.support import ROOT
from tests.support.hub.server import serving

FENCE = re.compile(r"^```(sh|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def script_of(page: str, *, without: str | None = None) -> str:
    """Return the commands of a page; settings are appended to the file, and a source of the example left out."""
    lines = ["set -e"]
    for kind, text in FENCE.findall((ROOT / "docs" / page).read_text("utf-8")):
        if kind == "yaml":
            lines += ["cat >> params.yaml <<'END'", text, "END"]
            continue
        for line in text.splitlines():
            lines += [f"echo '$ {line.split()[0]} …' >&2", line]
            if line.startswith("cd ") and without:
                lines += [f"sed -i '/^ *- {without}/d' params.yaml"]
    return "\n".join(lines)


def run(script: str, folder: Path, **more: str) -> str:
    """Run a script in a folder; ends what it left running, and returns what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["bash", "-c", script], cwd=folder, env=os.environ | {"PATH": path} | more, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    try:
        out, error = process.communicate(timeout=900)
    finally:
        if process.poll() is None or process.returncode:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, out[-1000:] + error[-3000:]
    return out


@pytest.fixture
def hub(tmp_path):
    """A Hub on this machine with made-up files of the sources of the slice."""
    raw = tmp_path / "served"
    for name, fraction in {"webfaq": 0.0002, "mkqa": 0.03, "massive_intent": 0.03}.items():
        manifest = registry.load(name)
        generate(tmp_path / name, [manifest], fraction)
        shutil.copytree(tmp_path / name / "raw", raw, dirs_exist_ok=True)
        linked(manifest, raw)
    with serving(raw / "hub", page=500) as server:
        yield server


@pytest.mark.slow
def test_rebuild_a_slice(tmp_path, hub):
    said = run(script_of("tutorial-slice.md"), tmp_path, HF_ENDPOINT=hub.endpoint, HF_HUB_OFFLINE="0")
    project = tmp_path / "slice"
    assert (project / "sources.lock.json").is_file()
    assert (project / "out/german/report.html").is_file()
    assert (project / "tables/tables.json").is_file()
    for mix in ("retrieval", "instruction"):
        assert list((project / "out/german/mixes" / mix).glob("**/train-*.parquet"))
    assert "mkqa" in said
    fetched = {path.as_posix() for path in (project / "work/raw").rglob("*.parquet")}
    assert any("/de-corpus/" in name for name in fetched)
    assert not any("/fr-corpus/" in name for name in fetched), "one language was asked for"


@pytest.mark.slow
def test_train_and_evaluate(tmp_path):
    said = run(script_of("tutorial-train.md"), tmp_path)
    assert "(1, 32)" in said
    assert (tmp_path / "my-model/sizes.svg").is_file()
    assert (tmp_path / "my-model/out/tiny/model/model.safetensors").is_file()


@pytest.mark.slow
def test_scale_out(tmp_path):
    run(script_of("tutorial-scale-out.md", without="python_docstrings"), tmp_path)
    assert (tmp_path / "on-ray/out/tiny/model/model.safetensors").is_file()
