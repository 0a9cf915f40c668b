"""The short form of the torture: a few tries of every row that needs no cluster; docs/reliability.md has the whole."""

import pytest

from benchmarks.torture import archives, configurations, corruptions, disks, kills, mixes, network, records
from benchmarks.torture.rows import Row, table

SHORT = {
    "records": (records.row, 1500),
    "configurations": (configurations.row, 150),
    "mixes": (mixes.row, 60),
    "archives": (archives.row, 60),
}
LONGER = {
    "kills": (kills.at_operations, 8),
    "signals": (kills.at_times, 4),
    "disks": (disks.row, 6),
    "corruptions": (corruptions.row, 6),
}


@pytest.mark.parametrize("name", SHORT)
def test_what_is_hostile_is_taken_or_refused_in_words(name):
    survived(*SHORT[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", LONGER)
def test_what_happens_to_a_build_leaves_the_same_bytes(name):
    survived(*LONGER[name])


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


def survived(tries, count: int) -> None:
    row = tries(count, 5)
    assert row.faults == []
    assert row.tried >= count
    assert (row.failed, row.differences) == (0, 0)
    assert f"| {row.tried:,} | {row.tried:,} | 0 |" in table([row])


def test_a_fault_is_counted_with_what_repeats_it():
    row = Row("made up")
    row.count()
    row.count("seed 1, case 7: a traceback")
    row.count(differences=2)
    assert (row.tried, row.survived, row.differences) == (3, 1, 2)
    assert row.faults == ["seed 1, case 7: a traceback", "2 files differ"]
    assert "| made up | 3 | 1 | 2 | 0.0 |" in table([row])
