"""Workflow files: nothing that others can change runs in them, and they may do no more than read."""

import re
import shlex

import pytest
import yaml

from tests.support import ROOT

FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40}")


def jobs(path):
    return yaml.safe_load(path.read_text())["jobs"].values()


def test_there_are_some():
    assert [path.name for path in FILES] == ["check.yml", "dependencies.yml", "release.yml"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_are_pinned_to_commits_and_rights_are_to_read(path):
    text = path.read_text()
    data = yaml.safe_load(text)
    assert data["permissions"] == {"contents": "read"}
    used = [step["uses"] for job in jobs(path) for step in job["steps"] if "uses" in step]
    assert used
    assert all(PINNED.fullmatch(action) for action in used)
    assert "pull_request_target" not in text
    assert not re.search(r"run:.*\$\{\{", text)  # text of an event is never part of a command
    for job in jobs(path):
        assert job["timeout-minutes"] <= 120
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"] == {"persist-credentials": False}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_they_install_is_pinned(path):
    for job in jobs(path):
        for line in "\n".join(step.get("run", "") for step in job["steps"]).splitlines():
            words = shlex.split(line)
            if "install" in words:
                wanted = [word for word in words[words.index("install") + 1 :] if not word.startswith("-")]
                assert "-c" in words or all("==" in word for word in wanted)
