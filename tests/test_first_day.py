"""The ten tasks of docs/first-day.md, run one after the other in an empty folder, as the page has them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

PAGE = (ROOT / "docs/first-day.md").read_text("utf-8")
_FENCE = re.compile(r"^```(sh|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_ten_tasks_of_a_first_day(tmp_path):
    assert re.findall(r"^## (\d+)\. ", PAGE, re.MULTILINE) == [str(n) for n in range(1, 11)]
    lines = ["set -e"]
    for kind, text in _FENCE.findall(PAGE):
        if kind == "yaml":
            lines += ["cat >> params.yaml <<'END'", text, "END"]
            continue
        for line in text.splitlines():
            lines += [f"echo '$ {line.split()[0]} …' >&2", line]
            if line == "cd my-project":
                lines += ["sed -i '/^ *- python_docstrings/d' params.yaml"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)], cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    assert (tmp_path / "my-project/out/example/report.html").is_file()
    assert (tmp_path / "my-project/tables/tables.json").is_file()
    assert "dedup.threshold" in done.stdout
    assert list((tmp_path / "my-project/for-sentence-transformers").iterdir())
