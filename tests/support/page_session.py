"""Pages of docs/ whose commands are one session: run in an empty folder, as the page has them."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.support import ROOT

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
