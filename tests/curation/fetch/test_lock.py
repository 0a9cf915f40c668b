"""Sources of one repository share its entry in the lock file, which has the files of all of them."""

import pytest

from curation.fetch.lock import run_lock
from curation.pipeline.run import run_step
from curation.raw_files import lock_path
from open_ml_embed.core.errors import CorpusError
from sources.fetch import hub
from sources.lock import Locked, read_lock
from tests.support.hub.server import serving

RECORD = b'{"q": "Who may fish?", "d": "Whoever has a boat."}\n'
GLOBS = {"titles": ["titles/*.jsonl"], "bodies": ["bodies/*.jsonl"], "both": ["titles/a.jsonl", "more/**"]}
FILES = ("titles/a.jsonl", "titles/b.jsonl", "bodies/a.jsonl", "more/x/a.jsonl", "README.md")


@pytest.fixture
def shared(workshop, tmp_path, monkeypatch):
    """Three sources with files of one repository, by different globs."""
    monkeypatch.setattr(hub, "PAUSE_S", 0.01)
    monkeypatch.setattr(hub, "_listings", {})
    for name, globs in GLOBS.items():
        fields = {"q": "string", "d": "string"}
        workshop.manifest(
            name,
            ["de"],
            origin={"kind": "hub", "repo": "town/all"},
            tables={"records": {"files": globs, "format": "jsonl", "fields": fields}},
            shape={"kind": "pair", "args": {"query": "q", "positive": "d"}},
        )
    with serving(tmp_path / "hub") as server:
        for number, name in enumerate(FILES):
            server.add("town/all", name, RECORD * (number + 1))

        def build(*names):
            return workshop.build(sources={"include": list(names), "endpoint": server.endpoint, "collection": None})

        yield build, server


def locked_files(build):
    lock = read_lock(lock_path(build))
    assert lock is not None
    return set(lock.find("town/all", "main").files)


TAKEN = {
    "titles": {"titles/a.jsonl", "titles/b.jsonl"},
    "bodies": {"bodies/a.jsonl"},
    "both": {"titles/a.jsonl", "more/x/a.jsonl"},
}


@pytest.mark.parametrize("names", [("titles", "bodies"), ("both", "titles"), ("titles", "bodies", "both")])
def test_all_sources_of_a_repository_can_be_fetched_after_lock(shared, names):
    build = shared[0](*names)
    stats = run_lock(build).stats
    assert (stats["revisions"], stats["changed"]) == (1, 1)
    assert locked_files(build) == set().union(*(TAKEN[name] for name in names))
    fetched = run_step(build, "fetch").stats["files"]
    for name in names:
        assert {entry["name"] for entry in fetched[name]["de"]} == TAKEN[name]
    again = run_lock(build).stats
    assert again["changed"] == 0
    assert {name: counts["changed"] for name, counts in again["sources"].items()} == dict.fromkeys(names, 0)


def test_the_lock_of_one_profile_keeps_the_files_of_another_while_the_commit_stays(shared):
    build, server = shared
    run_lock(build("titles"))
    run_lock(build("bodies"))
    assert locked_files(build("titles")) == TAKEN["titles"] | TAKEN["bodies"]
    run_step(build("titles"), "fetch")
    server.add("town/all", "bodies/a.jsonl", RECORD * 9)
    hub._listings.clear()
    run_lock(build("bodies"))
    assert locked_files(build("titles")) == TAKEN["bodies"], "files of the commit before are not files of this one"
    with pytest.raises(CorpusError, match=r"titles/a\.jsonl is not in the lock"):
        run_step(build("titles"), "fetch")
    run_lock(build("titles"))
    run_step(build("titles"), "fetch")


def test_a_source_that_fails_does_not_remove_the_files_of_the_others(shared):
    build, _ = shared
    run_lock(build("titles", "bodies"))
    shared_entry = read_lock(lock_path(build("titles")))
    hub._listings.clear()
    with pytest.raises(CorpusError, match="1 of 2 sources could not be locked: titles"):
        _lock_failing("titles", build("titles", "bodies"))
    after = read_lock(lock_path(build("titles")))
    assert shared_entry is not None
    assert after is not None
    assert after.revisions == shared_entry.revisions


def _lock_failing(name, build):
    path = build.root / "manifests/sources" / f"{name}.yaml"
    text = path.read_text()
    path.write_text(text.replace("titles/*.jsonl", "nothing/*.jsonl"))
    try:
        run_lock(build)
    finally:
        path.write_text(text)


def test_entries_of_different_commits_are_never_joined():
    old, new = Locked("1" * 40, {"a": (1, "git:x")}), Locked("2" * 40, {"b": (2, "git:y")})
    assert new.joined(old) is new
    assert new.joined(None) is new
    assert new.joined(Locked("2" * 40, {"a": (3, "git:z")})).files == {"a": (3, "git:z"), "b": (2, "git:y")}
