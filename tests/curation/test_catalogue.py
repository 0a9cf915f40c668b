"""`curate plan`, `curate sources` and `curate lock`: what the manifests say, before any work."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curation import locking
from curation.cli import app
from curation.plan import make_plan
from curation.selection import Filter
from sources import registry
from sources.errors import StageError, UnknownNameError
from sources.fetch import hub
from sources.languages import LanguageCodeError
from sources.lock import read_lock
from tests.hub.server import serving

OPEN = {"id": "CC0-1.0", "commercial": True, "redistribution": True}
CLOSED = {"id": "LicenseRef-x", "commercial": False, "redistribution": False, "note": "Ask."}
GATED = {"kind": "gated", "terms": "No resale of the texts."}


def test_the_corpus_adds_up_before_anything_is_downloaded():
    params = Path(__file__).resolve().parents[2] / "params.yaml"
    said = CliRunner().invoke(app, ["plan", "--profile", "full", "--params", str(params), "--json"])
    made = json.loads(said.stdout)
    assert made["sources"] == 121
    assert made["corpus"]["rows"] == 50_513_802
    assert made["corpus"]["families"] == {
        "retrieval": 44_698_699, "clustering": 5_450_183, "classification": 364_920,
    }  # fmt: skip
    assert made["mixes"]["retrieval"]["rows"] == 26_693_280
    assert made["mixes"]["instruction"]["rows"] == 8_317_566


@pytest.fixture
def library(workshop):
    """Four sources that differ in all that one can ask for."""
    tags = {"de": "deu-Latn", "sr": "srp-Cyrl", "zu": "zul-Latn", "py": "python-Code"}
    subsets = {code: {"query_lang": tag} for code, tag in tags.items()}

    def add(name, codes, samples, **more):
        workshop.manifest(name, [], subsets={c: subsets[c] for c in codes}, samples=samples, **more)

    add("stories", ["de", "sr"], 700, licence=OPEN, download=3_000_000)
    add("tweets", ["zu"], 50, licence=CLOSED, family="clustering", task="topic-classification")
    add("laws", ["de"], 250, licence=OPEN, access=GATED, origin={"kind": "hub", "repo": "court/laws"})
    add("snippets", ["py"], 30, task="code-to-text")
    workshop.mix("retrieval", sources=["stories", "snippets"])
    workshop.mix("instruction", cap=100)
    (workshop.root / "manifests/rates.yaml").write_text("normalise: 1000\nmine: 10\n")
    return workshop


def plan(library, *chosen, **more):
    return make_plan(library.build(), Filter(*chosen), **more)


def test_plan_adds_up(library):
    made = plan(library)
    assert made["sources"] == 4
    assert made["corpus"]["rows"] == 1030
    assert made["corpus"]["families"] == {"clustering": 50, "retrieval": 980}
    assert made["corpus"]["access"] == {"gated": 250, "open": 780}
    assert made["corpus"]["licences"] == {"CC0-1.0": 980, "LicenseRef-x": 50}
    assert (made["corpus"]["languages"], made["corpus"]["programming_languages"]) == (3, 1)
    assert made["corpus"]["download"] == {"bytes": 3_000_000, "of_sources": 1}
    assert {name: mix["rows"] for name, mix in made["mixes"].items()} == {"retrieval": 730, "instruction": 280}


def test_plan_says_what_is_lost(library):
    lost = plan(library)["lost"]
    assert lost["licence commercial"] == {
        "sources": ["tweets"], "rows": 50, "languages": ["zul"], "mixes": {"retrieval": 0, "instruction": 50},
    }  # fmt: skip
    gated = lost["no token (without gated)"]
    assert (gated["sources"], gated["rows"], gated["languages"]) == (["laws"], 250, [])


def test_plan_of_a_choice_counts_and_loses_only_that(library):
    made = plan(library, None, None, None, "commercial")
    assert made["corpus"]["rows"] == 980
    assert made["lost"]["licence commercial"]["sources"] == []


def test_hours_follow_from_the_rates_and_the_workers(library):
    assert plan(library)["hours"]["mine"] == round(1030 / 10 / 3600, 2)
    assert plan(library, workers=2)["hours"]["mine"] == round(1030 / 10 / 2 / 3600, 2)


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
        ({"licence": "commercial", "access": "open"}, ["snippets", "stories"]),
        ({"licence": "LicenseRef-x"}, ["tweets"]),
        ({"access": "gated, manual"}, ["laws"]),
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
        ({"licence": "comercial"}, "commercial"),
        ({"access": "open,gate"}, "gated"),
    ],
)
def test_a_filter_nobody_could_meet_names_the_nearest(library, chosen, nearest):
    with pytest.raises(UnknownNameError) as caught:
        Filter(**chosen).choose(registry.load_all())
    assert nearest in caught.value.remedy


def test_a_language_that_is_none(library):
    with pytest.raises(LanguageCodeError):
        Filter(language="klingonish").choose(registry.load_all())


def test_commands(library):
    run = CliRunner().invoke
    listed = json.loads(run(app, ["sources", "--language", "deu", "--json"]).stdout)
    assert [(e["name"], e["access"], e["download"]) for e in listed] == [
        ("laws", "gated", None), ("stories", "open", 3_000_000),
    ]  # fmt: skip
    text = run(app, ["sources", "show", "laws"], env={"COLUMNS": "200"}).stdout
    for word in ("No resale of the texts.", "court/laws", "read access to public gated repositories", "deu-Latn"):
        assert word in text
    assert json.loads(run(app, ["sources", "show", "laws", "--json"]).stdout)["access"]["kind"] == "gated"
    wrong = run(app, ["sources", "show", "law"])
    assert isinstance(wrong.exception, UnknownNameError)
    assert "laws" in wrong.exception.remedy
    assert "stories" in run(app, ["sources"], env={"COLUMNS": "200"}).stdout


def test_plan_command_takes_the_same_choices(library):
    (library.root / "params.yaml").write_text("profile: p\np: {sources: {collection: offline}}\n")
    arguments = ["plan", "--params", str(library.root / "params.yaml"), "--json"]
    run = CliRunner().invoke
    assert json.loads(run(app, arguments).stdout)["sources"] == 4
    assert json.loads(run(app, [*arguments, "--licence", "commercial"]).stdout)["sources"] == 3
    assert json.loads(run(app, [*arguments, "--without-gated"]).stdout)["sources"] == 3
    table = run(app, arguments[:-1], env={"COLUMNS": "200"}).stdout
    assert "1,030 rows" in table
    assert "licence commercial" in table


def test_lock_keeps_what_it_cannot_resolve_and_says_so(library, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "PAUSE_S", 0.01)
    monkeypatch.setattr(hub, "_listings", {})
    library.manifest("more", ["de"], origin={"kind": "hub", "repo": "court/rulings"})
    with serving(tmp_path / "hub") as server:
        server.add("court/laws", "a.jsonl", b'{"q": "x"}\n')
        server.add("court/rulings", "b.jsonl", b'{"q": "y"}\n')
        build = library.build(sources={"collection": "offline", "endpoint": server.endpoint})
        assert "2 revisions, 2 new or changed" in locking.run_lock(build)
        before = read_lock(locking.lock_path())
        assert "2 revisions, 0 new or changed" in locking.run_lock(build)
        server.add("court/laws", "a.jsonl", b'{"q": "z"}\n')
        (tmp_path / "hub/court/rulings/main/b.jsonl").rename(tmp_path / "hub/court/rulings/main/b.txt")
        hub._listings.clear()
        with pytest.raises(StageError, match=r"1 of 2 sources could not be locked: more") as caught:
            locking.run_lock(build)
        assert "1 new or changed" in caught.value.where
        after = read_lock(locking.lock_path())
    assert before is not None
    assert after is not None
    assert after.find("court/rulings", "main") == before.find("court/rulings", "main")
    assert after.find("court/laws", "main") != before.find("court/laws", "main")
