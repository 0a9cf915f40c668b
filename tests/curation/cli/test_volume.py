"""`--quiet`, `--verbose` and `status --watch`: how much a command says, and what is at work while another runs."""

import json
import os
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from curation.cli.app import app
from curation.pipeline.lock import LIVE, LIVE_TRAINING
from curation.pipeline.status import duration
from open_ml_embed.core.live import Doing, show, shown_at
from open_ml_embed.core.printing import Volume, volume
from tests.support import project
from train.cli import app as train_app


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = project.make(tmp_path_factory.mktemp("volume"), rows=60)
    project.run(root, "fetch")
    return root


def again(root, *options):
    """Normalize once more, in a process of its own."""
    for path in (root / "work").rglob("*.done.json"):
        path.unlink()
    return project.curate(root, "normalize", "--workers", "1", *options, check=False)


def test_quiet_prints_the_outcome_and_no_progress(root):
    done = again(root, "-q")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "normalize, profile tiny: 3 sources" in done.stdout


def test_verbose_prints_every_task(root):
    lines = [json.loads(line) for line in again(root, "--verbose").stderr.splitlines()]
    assert [line["done"] for line in lines] == [0, 1, 2, 3, 4, 5, 5]
    assert {line["at"].split("/")[0] for line in lines if "at" in line} == {"pairs", "classes", "opinions"}
    usual = [json.loads(line) for line in again(root).stderr.splitlines()]
    assert (usual[0]["done"], usual[-1]["done"]) == (0, 5)
    assert len(usual) < len(lines), "a line every five seconds"


def test_verbose_tells_where_an_error_came_from(root):
    plain, verbose = (project.curate(root, "show", "pears", *option, check=False) for option in ((), ("-v",)))
    assert plain.returncode == verbose.returncode == 1
    assert "Traceback" not in plain.stderr
    assert verbose.stderr.startswith(plain.stderr.rstrip("\n"))
    assert "registry.py" in verbose.stderr


def test_one_command_does_not_change_the_next(root):
    project.run(root, "status", "-q")
    assert volume() is Volume.QUIET
    project.run(root, "status")
    assert volume() is Volume.USUAL


@pytest.mark.parametrize("program", [app, train_app])
def test_every_verb_takes_both(program):
    def verbs(group, path=()):
        for command in group.registered_commands:
            yield (*path, command.name or command.callback.__name__.replace("_", "-"))
        for inner in group.registered_groups:
            yield from verbs(inner.typer_instance, (*path, inner.name))

    found = list(verbs(program))
    assert len(found) > 6
    for verb in found:
        said = CliRunner().invoke(program, [*verb, "--help"]).stdout
        assert "--quiet" in said, verb
        assert "--verbose" in said, verb


def test_the_shell_completes_verbs():
    environment = os.environ | {
        "_CURATE_COMPLETE": "complete_bash", "COMP_WORDS": "curate nor", "COMP_CWORD": "1"
    }  # fmt: skip
    code = "import sys; sys.argv = ['curate']; from curation.cli.app import app; app(prog_name='curate')"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["normalize"]


def test_status_says_what_is_at_work(root):
    with shown_at(root / "work/tiny" / LIVE):
        show(Doing("mined", 30, 100, 10, 40.0, note="pairs/00003"), now=True)
        said = project.run(root, "status")
        assert "at work: mined 30 of 100, 0.5 a second, 2 min left; pairs/00003" in said
        (now,) = json.loads(project.run(root, "status", "--json"))["now"]
        assert (now["step"], now["rate"], now["seconds_left"]) == ("mined", 0.5, 140)
    with shown_at(root / "work/tiny" / LIVE):
        show(Doing("fetch", 1, 9, 0, 10.0, bytes=500_000_000, total_bytes=2_000_000_000), now=True)
        assert "at work: fetch 500 of 2,000 MB, 50.0 MB a second, 30 s left" in project.run(root, "status")
    with shown_at(root / "work/tiny" / LIVE_TRAINING):
        show(Doing("train", 5, 100, 5, 0.0), now=True)
        assert "at work: train 5 of 100\n" in project.run(root, "status")
    assert json.loads(project.run(root, "status", "--json"))["now"] == []


def test_watching_goes_on_until_it_is_interrupted(root):
    command = [sys.executable, "-m", "curation.cli.app", "status", "--json", "--watch", "0.5"]
    with subprocess.Popen(
        command, cwd=root, env=project.environment(root), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        lines = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert all(line["profile"] == "tiny" for line in lines)
    assert process.returncode == 128 + signal.SIGINT
    assert "Traceback" not in error


def test_durations_are_said_as_people_say_them():
    assert [duration(seconds) for seconds in (0, 99.4, 100, 3600)] == ["0 s", "99 s", "2 min", "1 h 0 min"]
