"""The short form of the torture: a few tries of every row that needs no cluster; docs/reliability.md has the whole."""

import re
import subprocess
import sys

import pytest

from benchmarks.torture import network
from benchmarks.torture.__main__ import ROWS
from benchmarks.torture.rows import Row, table
from tests.support import ROOT

SHORT = {"records": 1500, "configurations": 150, "mixes": 60, "archives": 60}
LONGER = {"kills": 8, "signals": 4, "disks": 6, "corruptions": 6}


@pytest.mark.parametrize("name", SHORT)
def test_what_is_hostile_is_taken_or_refused_in_words(name):
    all_survived(name, SHORT[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", LONGER)
def test_what_happens_to_a_build_leaves_the_same_bytes(name):
    all_survived(name, LONGER[name])


def all_survived(name: str, least: int) -> None:
    """Run a row by its command: it forks, which a process with threads, as that of the tests, must not."""
    share = least / ROWS[name][1]
    command = [sys.executable, "-m", "benchmarks.torture", "--only", name, "--share", str(share), "--seed", "5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    tried, survived, differing = (int(n.replace(",", "")) for n in re.findall(r"\| ([0-9,]+) (?=\|)", done.stdout)[:3])
    assert (tried >= least, survived, differing) == (True, tried, 0)


@pytest.mark.slow
def test_servers_that_misbehave_are_survived():
    names = [
        "a web page",
        "a reset in the body",
        "a body that ends early",
        "two lengths",
        "a redirect to a file",
        "TLS",
    ]
    row = Row("network")
    for number, name in enumerate(names):
        row.count(network.fault_with(name, times=2, number=number))
    assert row.faults == []


def test_a_fault_is_counted_with_what_repeats_it():
    row = Row("made up")
    row.count()
    row.count("seed 1, case 7: a traceback")
    row.count(differences=2)
    assert (row.tried, row.survived, row.differences) == (3, 1, 2)
    assert row.faults == ["seed 1, case 7: a traceback", "2 files differ"]
    assert "| made up | 3 | 1 | 2 | 0.0 |" in table([row])
