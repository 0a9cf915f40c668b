"""A raw file that several subsets read is parsed once, and nothing else changes."""

import json

import pytest

from curation.normalize import shared_tables, step
from open_ml_embed.core.errors import CorpusError
from sources import normalize, read_once
from tests.support import project

SUBSETS = ("aa", "bb", "cc", "dd")


def make(root):
    """A source with a list of judgements for each subset, and documents that all of them read."""
    root = project.make(root, rows=30, sources={"include": ["shelf"], "local_root": str(root / "raw")})
    folder = root / "raw" / "shelf"
    folder.mkdir()
    for number, subset in enumerate(SUBSETS):
        asked = [json.dumps({"id": f"q{i}", "text": f"question {subset} {i}"}) for i in range(20)]
        judged = [json.dumps({"q": f"q{i}", "d": str(i * 3 + number)}) for i in range(20)]
        (folder / f"queries-{subset}.jsonl").write_text("\n".join(asked) + "\n")
        (folder / f"judged-{subset}.jsonl").write_text("\n".join(judged) + "\n")
    documents = [json.dumps({"id": str(i), "text": f"document {i} about {i * i}"}) for i in range(100)]
    documents[40] = "{broken"
    (folder / "documents.jsonl").write_text("\n".join(documents) + "\n")
    shelve(root, "jsonl", {"id": "string", "text": "string"})
    return root


def shelve(root, kind, fields):
    """Write the manifest; the documents are declared in a format and with fields."""
    texts = {"format": "jsonl", "fields": {"id": "string", "text": "string"}}
    project.manifest(
        root,
        "shelf",
        tables={
            "queries": {"files": ["queries-{to}.jsonl"], **texts},
            "judgements": {"files": ["judged-{to}.jsonl"], "format": "jsonl", "fields": {"q": "string", "d": "string"}},
            "corpus": {"files": ["documents.jsonl"], "format": kind, "fields": fields},
        },
        shape={
            "kind": "qrels",
            "args": {
                "queries": {"id": "id", "text": "text"},
                "corpus": {"id": "id", "text": "text"},
                "judgements": {"query": "q", "document": "d"},
            },
        },
        subsets={name: {"query_lang": "eng-Latn", "vars": {"to": name}} for name in SUBSETS},
    )


@pytest.fixture
def parsed(monkeypatch):
    """The names of the files that are parsed to be kept."""
    names: list[str] = []
    real = read_once.read_renamed
    monkeypatch.setattr(
        read_once, "read_renamed", lambda path, name, *more: names.append(name) or real(path, name, *more)
    )
    return names


def normalized(root):
    project.run(root, "fetch")
    project.run(root, "normalize")
    return project.tree(root)


def test_it_is_parsed_once_with_the_same_rows_and_counts(tmp_path, parsed, monkeypatch):
    once = normalized(make(tmp_path / "once"))
    assert parsed == ["documents.jsonl"]
    monkeypatch.setattr(shared_tables, "LEAST_USES", 1000)
    each = normalized(make(tmp_path / "each"))
    assert parsed == ["documents.jsonl"]
    assert once == each, "and nothing of the parsed file is left"
    counts = json.loads(once["out/tiny/steps/normalize.json"])["stats"]["sources"]["shelf"]
    assert counts["rows"] > 60
    assert counts["quarantined"] == {"invalid-json": len(SUBSETS), "missing-document": 1}


def test_a_pilot_that_counts_classes_first_reads_what_is_kept(tmp_path, parsed, monkeypatch):
    """Labeled rows are read twice in a pilot; the second reading went past what was kept, to the raw file."""
    root = project.make(
        tmp_path,
        rows=30,
        sources={"include": ["racks"], "local_root": str(tmp_path / "raw")},
        normalize={"rows_per_part": 20},
    )
    (root / "raw/racks").mkdir()
    lines = [{"kind": f"kind {i % 5}", **{name: f"text {name} {i}" for name in SUBSETS}} for i in range(100)]
    (root / "raw/racks/all.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    fields = dict.fromkeys(("kind", *SUBSETS), "string")
    project.manifest(
        root,
        "racks",
        family="clustering",
        task="topic-classification",
        tables={"texts": {"files": ["all.jsonl"], "format": "jsonl", "fields": fields}},
        shape={"kind": "label", "args": {"mode": "clustering", "text": "{to}", "label": "kind"}},
        subsets={name: {"query_lang": "eng-Latn", "vars": {"to": name}} for name in SUBSETS},
    )
    read_again = []
    monkeypatch.setattr(normalize, "read_renamed", lambda *given: read_again.append(given) or iter(()))
    tree = normalized(root)
    assert (parsed, read_again) == (["all.jsonl"], [])
    counts = json.loads(tree["out/tiny/steps/normalize.json"])["stats"]["sources"]["racks"]
    assert counts["rows"] == 20 * len(SUBSETS)


def test_only_what_is_left_to_do_counts(tmp_path, parsed):
    root = make(tmp_path)
    whole = normalized(root)
    parsed.clear()
    for subset in SUBSETS[:2]:
        for path in (root / "work/tiny/rows/shelf" / subset).rglob("*.done.json"):
            path.unlink()
    assert normalized(root) == whole
    assert parsed == [], "two parts read the file themselves"


def test_a_file_that_cannot_be_parsed_is_said_for_the_source(tmp_path, monkeypatch):
    root = make(tmp_path)
    shelve(root, "parquet", {"id": "string", "text": "string"})
    project.run(root, "fetch")
    with pytest.raises(CorpusError) as once:
        project.run(root, "normalize")
    monkeypatch.setattr(shared_tables, "LEAST_USES", 1000)
    with pytest.raises(CorpusError) as each:
        project.run(root, "normalize")
    assert str(once.value) == str(each.value)
    assert not list((root / "work/tiny").glob("shared-tables/**/*.*"))


def test_what_a_run_that_was_killed_kept_is_used_and_removed(tmp_path, parsed, monkeypatch):
    root = make(tmp_path)
    project.run(root, "fetch")

    def killed(*_):
        raise MemoryError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(step, "remove_shared", killed)
        with pytest.raises(CorpusError, match="memory"):
            project.run(root, "normalize")
    assert list((root / "work/tiny/shared-tables").rglob("*.done.json"))
    for path in (root / "work/tiny/rows").rglob("*.done.json"):
        path.unlink()
    whole = normalized(root)
    assert parsed == ["documents.jsonl"]
    assert not [name for name in whole if "shared-tables" in name]
