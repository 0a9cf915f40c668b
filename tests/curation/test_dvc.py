"""DVC runs what a change touches, and nothing else."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.curation import project

CHECKOUT = Path(__file__).parents[2]
MIXES = ("mix@retrieval", "mix@instruction")


def dvc(root: Path, *arguments: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = project.environment(root) | {"PATH": path, "DVC_NO_ANALYTICS": "1"}
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ran(output: str) -> set[str]:
    return set(re.findall(r"Running stage '([^']+)'", output))


@pytest.mark.slow
def test_a_changed_cap_reruns_its_mix_alone(tmp_path):
    root = project.make(tmp_path, rows=60)
    shutil.copy(CHECKOUT / "dvc.yaml", root)
    dvc(root, "init", "--no-scm", "--quiet")
    first = ran(dvc(root, "repro", *MIXES))
    assert first == {"fetch", "normalise", "identify", "dedup", "decontaminate", "mine", *MIXES}
    assert ran(dvc(root, "repro", *MIXES)) == set()
    settings = yaml.safe_load((root / "params.yaml").read_text())
    settings["tiny"]["mixes"]["instruction"]["cap"] = 20
    (root / "params.yaml").write_text(yaml.safe_dump(settings))
    assert ran(dvc(root, "repro", *MIXES)) == {"mix@instruction"}
    settings["tiny"]["mining"] = {"keep": 3}
    (root / "params.yaml").write_text(yaml.safe_dump(settings))
    assert ran(dvc(root, "repro", *MIXES)) == {"mine", *MIXES}


def test_training_and_report_follow_the_mixes():
    stages = yaml.safe_load((CHECKOUT / "dvc.yaml").read_text())["stages"]
    assert {"out/${profile}/mixes/retrieval", "out/${profile}/mixes/instruction"} <= set(stages["train"]["deps"])
    assert "out/${profile}/model" in stages["evaluate"]["deps"]
    assert "out/${profile}/evaluation.json" in stages["report"]["deps"]
    for stage in stages.values():
        for out in stage.get("do", stage)["outs"]:
            assert not next(iter(out)).startswith("work/"), "DVC would delete the shards before resuming"
