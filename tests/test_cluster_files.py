"""The files of docs/cluster/ are what their programs take, and their commands are ones that there are."""

import re
import subprocess

import pytest
import yaml
from typer.main import get_command

from curation.cli.app import app
from tests.support import ROOT

FOLDER = ROOT / "docs" / "cluster"
STEPS = ["fetch", "normalize", "identify", "dedup", "decontaminate", "mine", '"mix retrieval"', '"mix instruction"']


def test_ray_takes_the_file_of_ray_up():
    util = pytest.importorskip("ray.autoscaler._private.util")
    config = yaml.safe_load((FOLDER / "ray-up.yaml").read_text())
    util.validate_config(util.prepare_config(config))
    with pytest.raises(Exception, match="node_typ"):
        util.validate_config(config | {"available_node_typ": {}})


def test_the_file_for_slurm_is_a_script():
    subprocess.run(["bash", "-n", FOLDER / "slurm.sh"], check=True)


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
