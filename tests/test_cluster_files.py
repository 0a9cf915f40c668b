"""The files of docs/cluster/ are what their programs take, and their commands are ones that there are."""

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from curation.cli.app import app
from tests.support import ROOT

FOLDER = ROOT / "docs" / "cluster"
STEPS = [
    "fetch",
    "normalize",
    "identify",
    "measure",
    "dedup",
    "decontaminate",
    "mine",
    '"mix retrieval"',
    '"mix instruction"',
]


def test_ray_takes_the_file_of_ray_up():
    util = pytest.importorskip("ray.autoscaler._private.util")
    config = yaml.safe_load((FOLDER / "ray-up.yaml").read_text())
    util.validate_config(util.prepare_config(config))
    with pytest.raises(Exception, match="node_typ"):
        util.validate_config(config | {"available_node_typ": {}})


@pytest.mark.parametrize("name", ["slurm.sh", "train-slurm.sh", "train-torchrun.sh"])
def test_the_files_for_a_shell_are_scripts(name):
    subprocess.run(["bash", "-n", FOLDER / name], check=True)
    assert os.access(FOLDER / name, os.X_OK) or name == "slurm.sh"


def test_the_file_for_kubernetes_has_a_claim_for_every_mount():
    job = yaml.safe_load((FOLDER / "kuberay.yaml").read_text())
    cluster = job["spec"]["rayClusterSpec"]
    pods = [group["template"]["spec"] for group in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]]
    for pod in pods:
        mounted = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")


@pytest.mark.parametrize("name", ["slurm.sh", "kuberay.yaml"])
def test_the_commands_are_all_steps_in_order(name):
    text = " ".join((FOLDER / name).read_text().split())
    (steps,) = re.findall(r"for step in (.*?) ?; do curate \$step", text)
    assert re.findall(r'"[^"]+"|\S+', steps) == STEPS
    options = re.findall(r"--[a-z-]+", "".join(re.findall(r"do curate \$step ([^|;]*)", text)))
    verbs = get_command(app).commands
    for step in STEPS:
        known = {option for parameter in verbs[step.strip('"').split()[0]].params for option in parameter.opts}
        assert set(options) <= known, step


PROGRAM = """#!{python}
import os, sys
names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
line = " ".join([*sys.argv[1:], *(f"{{name}}={{os.environ.get(name)}}" for name in names)])
with open({log!r}, "a") as log:
    log.write(line + "\\n")
sys.exit({code} if sys.argv[1] == "fit" else 0)
"""
SRUN = """#!{python}
import os, subprocess, sys
tasks = [(n, l) for n in range(2) for l in range(3)]
arguments = sys.argv[1:]
while arguments[0].startswith("--"):
    tasks = tasks[:1] if arguments.pop(0) == "--ntasks=1" else tasks
codes = [
    subprocess.call(arguments, env=os.environ | {{"SLURM_PROCID": str(3 * n + l), "SLURM_LOCALID": str(l)}})
    for n, l in tasks
]
sys.exit(max(codes))
"""
SCONTROL = """#!/bin/sh
if [ "$1" = show ]; then printf 'node-a\\nnode-b\\n'; else echo "scontrol $*" >> {log}; fi
"""


@pytest.fixture
def project(tmp_path: Path):
    """A folder whose environment has programs that write down how they were called, and end with a code."""

    def make(code: int = 0) -> tuple[Path, Path]:
        programs, log = tmp_path / ".venv" / "bin", tmp_path / "log"
        programs.mkdir(parents=True)
        for name, text in (("train3d", PROGRAM), ("srun", SRUN), ("scontrol", SCONTROL)):
            (programs / name).write_text(text.format(python=sys.executable, log=str(log), code=code))
            (programs / name).chmod(0o755)
        (programs / "activate").write_text(f"PATH={programs}:{Path(sys.executable).parent}:$PATH\n")
        return tmp_path, log

    return make


def options_of(command: str, verb: str) -> None:
    """Check that a command line of `train3d` has a verb and options that there are."""
    from train.cli import app as train3d

    known = {option for parameter in get_command(train3d).commands[verb].params for option in parameter.opts}
    used = [word for word in shlex.split(command) if word.startswith("--")]
    assert used
    assert set(used) <= known, command


@pytest.mark.parametrize("code", [0, 1, 143])
def test_the_file_that_trains_on_slurm_starts_a_process_a_gpu(project, code: int) -> None:
    root, log = project(code)
    slurm = {"SLURM_SUBMIT_DIR": str(root), "SLURM_JOB_NODELIST": "node-[a-b]", "SLURM_JOB_ID": "123456",
             "SLURM_NTASKS": "6", "SLURM_CPUS_PER_TASK": "12"}  # fmt: skip
    done = subprocess.run([FOLDER / "train-slurm.sh"], env=os.environ | slurm, check=False)
    assert done.returncode == code
    tokenize, *fits = log.read_text().splitlines()
    assert tokenize.startswith("tokenize --profile full --workers 12 ")
    assert "WORLD_SIZE=None" in tokenize
    again = [line for line in fits if line.startswith("scontrol")]
    assert again == (["scontrol requeue 123456"] if code == 143 else [])
    fits = [line for line in fits if line not in again]
    where = "WORLD_SIZE=6 MASTER_ADDR=node-a MASTER_PORT=23456"
    assert fits == [f"fit --profile full RANK={rank} LOCAL_RANK={rank % 3} {where}" for rank in range(6)]
    for line in (tokenize, fits[0]):
        options_of(line, line.split()[0])


def test_the_file_for_torchrun_starts_what_torchrun_takes(project) -> None:
    pytest.importorskip("torch")
    root, log = project()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    said = {"NODES": "1", "NODE": "0", "HEAD": "127.0.0.1", "GPUS": "2", "PORT": port, "OMP_NUM_THREADS": "1"}
    subprocess.run([FOLDER / "train-torchrun.sh", "--no-resume"], cwd=root, env=os.environ | said, check=True)
    lines = sorted(log.read_text().splitlines())
    where = f"WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT={port}"
    assert lines == [f"fit --profile full --no-resume RANK={rank} LOCAL_RANK={rank} {where}" for rank in range(2)]
    options_of(lines[0].replace("--no-resume", ""), "fit")


def test_the_names_in_the_environment_are_those_that_are_read() -> None:
    read = set(
        re.findall(r'os\.environ(?:\.get\(|\[)"([A-Z_]+)"', (ROOT / "train/distributed/parallel.py").read_text())
    )
    script = (FOLDER / "train-slurm.sh").read_text()
    given = set(re.findall(r"\b(RANK|LOCAL_RANK|WORLD_SIZE|MASTER_ADDR|MASTER_PORT)=", script))
    assert read == {"RANK", "LOCAL_RANK", "WORLD_SIZE"}
    # The last two are torch's own: `env://` of `init_process_group`.
    assert given == read | {"MASTER_ADDR", "MASTER_PORT"}
