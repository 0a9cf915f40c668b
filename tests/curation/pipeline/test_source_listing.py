"""`curate sources` and `curate lock`: what the manifests say, before any work."""

import json

import pytest
from typer.testing import CliRunner

from curation.cli.app import app
from curation.fetch import lock as locking
from curation.pipeline.source_filter import Filter
from curation.raw_files import lock_path
from open_ml_embed.core.errors import StageError, UnknownNameError
from sources import registry
from sources.fetch import hub
from sources.languages import LanguageCodeError
from sources.lock import read_lock
from tests.support.hub.server import serving


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ({"language": "deu"}, ["laws", "stories"]),
        ({"language": "de"}, ["laws", "stories"]),
        ({"language": "srp"}, ["stories"]),
        ({"language": "srp-Cyrl"}, ["stories"]),
        ({"language": "srp-Latn"}, []),
        ({"language": "sr-Latn"}, []),
        ({"language": "python"}, ["snippets"]),
        ({"language": "Python"}, ["snippets"]),
        ({"family": "clustering"}, ["tweets"]),
        ({"task": "code-to-text"}, ["snippets"]),
        ({"license": "commercial", "access": "open"}, ["snippets", "stories"]),
        ({"license": "LicenseRef-x"}, ["tweets"]),
        ({"access": "gated, manual"}, ["laws"]),
        ({"collection": "offline", "family": "retrieval"}, ["laws", "snippets", "stories"]),
        ({"collection": "ml-embed"}, []),
        ({}, ["laws", "snippets", "stories", "tweets"]),
    ],
)
def test_filters(library, chosen, names):
    assert [m.name for m in Filter(**chosen).choose(registry.load_all())] == names


@pytest.mark.parametrize(
    ("chosen", "nearest"),
    [
        ({"family": "clusters"}, "clustering"),
        ({"task": "code-text"}, "code-to-text"),
        ({"license": "comercial"}, "commercial"),
        ({"access": "open,gate"}, "gated"),
        ({"collection": "f2llm"}, "f2llm-v2"),
    ],
)
def test_a_filter_nobody_could_meet_names_the_nearest(library, chosen, nearest):
    with pytest.raises(UnknownNameError) as caught:
        Filter(**chosen).choose(registry.load_all())
    assert nearest in caught.value.remedy


def test_a_language_that_is_none(library):
    with pytest.raises(LanguageCodeError):
        Filter(language="klingonish").choose(registry.load_all())


def test_commands(library, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # manifests beside the settings file count too
    run = CliRunner().invoke
    listed = json.loads(run(app, ["sources", "--language", "deu", "--json"]).stdout)
    assert [(e["name"], e["access"], e["download"]) for e in listed] == [
        ("laws", "gated", None),
        ("stories", "open", 3_000_000),
    ]
    text = run(app, ["sources", "show", "laws"], env={"COLUMNS": "200"}).stdout
    for word in ("No resale of the texts.", "court/laws", "read access to public gated repositories", "deu-Latn"):
        assert word in text
    assert json.loads(run(app, ["sources", "show", "laws", "--json"]).stdout)["access"]["kind"] == "gated"
    wrong = run(app, ["sources", "show", "law"])
    assert isinstance(wrong.exception, UnknownNameError)
    assert "laws" in wrong.exception.remedy
    assert "stories" in run(app, ["sources"], env={"COLUMNS": "200"}).stdout


def test_lock_says_which_mirrors_it_does_without(library, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(hub, "PAUSE_S", 0.01)
    monkeypatch.setattr(hub, "_listings", {})
    origin = {"kind": "hub", "repo": "court/laws", "mirrors": ["court/gone", "court/copy"]}
    library.manifest("laws", ["de", "sr"], origin=origin)
    with serving(tmp_path / "hub") as server:
        for repo in ("court/laws", "court/copy"):
            server.add(repo, "a.jsonl", b'{"q": "x"}\n')
        build = library.build(sources={"collection": "offline", "endpoint": server.endpoint})
        locked = locking.run_lock(build).stats
        assert (locked["revisions"], locked["changed"]) == (2, 2)
    lock = read_lock(lock_path(build))
    assert lock is not None
    assert sorted(lock.revisions) == [("court/copy", "main"), ("court/laws", "main")]
    said = [line for line in capsys.readouterr().err.splitlines() if "without" in line]
    assert said == ["locked laws without court/gone at main: no such repository, or a private one"]


def test_lock_keeps_what_it_cannot_resolve_and_says_so(library, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "PAUSE_S", 0.01)
    monkeypatch.setattr(hub, "_listings", {})
    library.manifest("more", ["de"], origin={"kind": "hub", "repo": "court/rulings"})
    with serving(tmp_path / "hub") as server:
        server.add("court/laws", "a.jsonl", b'{"q": "x"}\n')
        server.add("court/rulings", "b.jsonl", b'{"q": "y"}\n')
        build = library.build(sources={"collection": "offline", "endpoint": server.endpoint})
        locked = locking.run_lock(build).stats
        assert (locked["revisions"], locked["changed"]) == (2, 2)
        before = read_lock(lock_path(build))
        locked = locking.run_lock(build).stats
        assert (locked["revisions"], locked["changed"]) == (2, 0)
        server.add("court/laws", "a.jsonl", b'{"q": "z"}\n')
        (tmp_path / "hub/court/rulings/main/b.jsonl").rename(tmp_path / "hub/court/rulings/main/b.txt")
        hub._listings.clear()
        with pytest.raises(StageError, match=r"1 of 2 sources could not be locked: more") as caught:
            locking.run_lock(build)
        assert "1 new or changed" in caught.value.where
        after = read_lock(lock_path(build))
    assert before is not None
    assert after is not None
    assert after.find("court/rulings", "main") == before.find("court/rulings", "main")
    assert after.find("court/laws", "main") != before.find("court/laws", "main")
