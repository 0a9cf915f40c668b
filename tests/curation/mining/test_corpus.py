"""`mining.corpus`: negatives from a corpus larger than the positives, by the real commands against plain loops."""

import gzip
import json
import random
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from open_ml_embed.core.errors import PublishError, SettingsError, UnknownNameError
from sources.fetch import hub
from tests.support import project
from tests.support.hub.server import serving
from tests.support.searched import alike, folded, tables, text, vector, write_vectors

PLAIN = {"preset": "none", "num_negatives": 8, "range_max": 30, "teacher": "vectors:vectors"}


def corpus(root: Path) -> Path:
    """Write a project of 40 queries with one to three positives each, and a corpus of 500 documents in three files."""
    rng = random.Random(3)
    project.make(root, rows=70)
    lines, positives = [], []
    for number in range(40):
        query = text(rng, 6)
        for _ in range(1 + number % 3):
            positives.append(text(rng, 30))
            lines.append({"q": query, "d": positives[-1]})
    (root / "raw/asked").mkdir()
    (root / "raw/asked/all.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    project.manifest(
        root, "asked",
        tables={"records": {"files": ["*.jsonl"], "format": "jsonl", "fields": {"q": "string", "d": "string"}}},
        shape={"kind": "pair", "args": {"query": "q", "positive": "d"}},
    )  # fmt: skip
    documents = [text(rng, 30) for _ in range(470)]
    documents += [one.upper().replace(" ", "  ") for one in positives[:20]]  # the same texts
    documents += [f"{one} and" for one in positives[20:35]]  # near-duplicates of positives
    leaked = [json.loads(line)["text"] for line in (root / "raw/leaked/corpus.jsonl").read_text().splitlines()]
    documents += leaked[:5]
    rng.shuffle(documents)
    wiki = root / "raw/wiki"
    wiki.mkdir()
    (wiki / "a.jsonl").write_text(
        "".join(json.dumps({"_id": str(i), "title": "T", "text": d}) + "\n" for i, d in enumerate(documents[:200]))
    )
    lines_of_b = [json.dumps({"id": i, "contents": d}) for i, d in enumerate(documents[200:350])]
    lines_of_b.append(json.dumps({"id": "empty", "contents": " "}))
    (wiki / "b.jsonl.gz").write_bytes(gzip.compress("\n".join(lines_of_b).encode(), mtime=0))
    rest = documents[350:]
    pq.write_table(pa.table({"docid": [str(i) for i in range(len(rest))], "text": rest}), wiki / "c.parquet")
    write_vectors(root / "vectors", [line["q"] for line in lines], [*positives, *documents])
    return settle(root)


def settle(root: Path, mining: dict | None = None, **changes: object) -> Path:
    """Write the settings."""
    settings = {
        "sources": {"include": ["asked"], "local_root": "raw"},
        "normalize": {"shard_rows": 60},
        "decontaminate": {"sets": ["raw/leaked"]},
        "mining": PLAIN | {"corpus": "raw/wiki"} | (mining or {}),
        "mixes": {"told": {"validation": 0.1}},
    } | changes
    (root / "params.yaml").write_text(yaml.safe_dump({"profile": "tiny", "tiny": settings}))
    recipe = {"name": "told", "title": "Told", "sources": "all", "cap": None, "instructions": False}
    (root / "mixes").mkdir(exist_ok=True)
    (root / "mixes/told.yaml").write_text(yaml.safe_dump(recipe))
    return root


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = corpus(tmp_path_factory.mktemp("searched"))
    project.run(root, "run", "--until", "mix", "--workers", "1")
    return root


def read(root: Path, kind: str) -> list[dict]:
    folder = root / "out/tiny/mixes/told" / kind
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def test_negatives_are_the_best_of_all_documents_that_are_no_positives(built):
    """Score every document for every query, and leave out what is a positive, resembles one, or was evaluated on."""
    rows, documents = tables(built, "rows", "asked"), tables(built, "rows", "corpus")
    assert len(documents) == 510
    assert {row["query"] for row in documents} == {""}
    leaked = [json.loads(line)["text"] for line in (built / "raw/leaked/corpus.jsonl").read_text().splitlines()]
    positives: dict[str, list[str]] = {}
    for row in rows:
        positives.setdefault(row["query"], []).append(row["positive"])
    distinct = {}
    for row in (*rows, *documents):
        distinct.setdefault(folded(row["positive"]), row["positive"])
    scored = np.stack([vector(one) for one in distinct.values()]).astype(np.float32)
    offered = {d["document_id"]: d for d in read(built, "documents")}
    kept = {row["row_id"]: row for row in read(built, "samples")}
    mined = tables(built, "negatives", "asked")
    from_corpus = 0
    for row, found in zip(rows, mined, strict=True):
        masked = {
            key for key, one in distinct.items()
            if any(alike(one, positive) for positive in positives[row["query"]])
            or any(alike(one, bad) for bad in leaked)
        }  # fmt: skip
        scores = dict(zip(distinct, (scored @ vector(row["query"]).astype(np.float32)).tolist(), strict=True))
        best = sorted((key for key in distinct if key not in masked), key=lambda key: -scores[key])[:8]
        np.testing.assert_allclose(found["scores"], [scores[key] for key in best], atol=2e-3)
        sample = kept.get(row["row_id"].hex())
        if sample is None:
            continue
        texts = [offered[number]["text"] for number in sample["negative_ids"]]
        assert [folded(one) for one in texts] == best
        from_corpus += sum(offered[number]["source"] == "corpus" for number in sample["negative_ids"])
    assert from_corpus > 200


def test_a_mix_has_the_texts_and_the_origin_and_no_sample_of_a_corpus(built):
    documents = {folded(row["positive"]): row for row in tables(built, "rows", "corpus")}
    samples = read(built, "samples")
    assert {row["source"] for row in samples} == {"asked"}
    assert all(row["query"] for row in samples)
    of_corpus = [d for d in read(built, "documents") if d["source"] == "corpus"]
    assert of_corpus
    assert {d["subset"] for d in of_corpus} == {"documents"}
    assert {folded(d["text"]) for d in of_corpus} <= documents.keys()
    card = (built / "out/tiny/mixes/told/README.md").read_text()
    assert "| corpus | documents only | – | – | LicenseRef-unknown | no |" in card
    with pytest.raises(PublishError, match=r"corpus \(LicenseRef-unknown\)"):
        project.run(built, "publish", "told", "--to", "me/mix", "--dry-run")
    statistics = json.loads((built / "out/tiny/steps/mix-told.json").read_text())["stats"]
    assert list(statistics["sources"]) == ["asked"]
    mined = json.loads((built / "out/tiny/steps/mine.json").read_text())["stats"]
    assert list(mined["sources"]) == ["asked"]
    assert mined["pools"]["asked"]["documents"] > 480


def test_the_bytes_are_the_same_for_any_number_of_workers(built, tmp_path):
    other = corpus(tmp_path)
    project.run(other, "run", "--until", "mix", "--workers", "2")
    assert project.tree(other) == project.tree(built)


def test_every_verb_knows_a_corpus(built):
    assert json.loads(project.run(built, "status", "--json"))["sources"] == ["asked", "corpus"]
    shown = json.loads(project.run(built, "show", "corpus", "--json").splitlines()[0])
    assert (shown["query"], shown["source"]) == ("", "corpus")
    project.run(built, "report")
    project.run(built, "verify", "--deep")
    project.run(built, "dvc", "--dry-run")
    project.run(built, "settings", "--dry-run")
    assert "asked" in project.run(built, "mix", "told", "--dry-run")
    part = json.loads(project.run(built, "run", "asked", "--until", "fetch", "--dry-run", "--json"))
    assert part["profile"] == "tiny"


def test_bm25_searches_a_corpus_too(tmp_path):
    root = settle(corpus(tmp_path), {"teacher": "bm25", "corpus": {"data": "raw/wiki", "files": ["c.parquet"]}})
    lines = (root / "raw/asked/all.jsonl").read_text().splitlines()
    query = json.loads(lines[0])["q"]
    near = [f"{query} {number}" for number in range(8)]
    table = pq.read_table(root / "raw/wiki/c.parquet")
    more = pa.table({"docid": [f"n{i}" for i in range(8)], "text": near})
    pq.write_table(pa.concat_tables([table, more]), root / "raw/wiki/c.parquet")
    project.run(root, "run", "--until", "mix", "--workers", "1")
    assert len(tables(root, "rows", "corpus")) == 168
    documents = {d["document_id"]: d["text"] for d in read(root, "documents")}
    found = [row for row in read(root, "samples") if row["query"] == query]
    assert {documents[number] for row in found for number in row["negative_ids"]} == set(near)


def test_titles_are_part_of_the_documents_where_the_settings_say_so(tmp_path):
    corpora = {"titled": {"data": "raw/wiki", "files": ["a.jsonl"], "title": True, "sources": ["asked"]}}
    root = settle(corpus(tmp_path), {"corpus": corpora})
    project.run(root, "run", "--until", "normalize", "--workers", "1")
    rows = tables(root, "rows", "titled")
    assert len(rows) == 200
    assert all(row["positive"].startswith("T\nw") or row["positive"].startswith("T\nW") for row in rows)


@pytest.mark.parametrize(
    ("settings", "changes", "error", "message"),
    [
        ({"corpus": "raw/wikki/deep"}, {}, SettingsError, "there is no folder"),
        ({"corpus": {"corpus": {"data": "raw/wiki", "sources": ["askd"]}}}, {}, UnknownNameError, "did you mean asked"),
        ({"corpus": {"wiki": {"data": "raw/wiki", "titel": True}}}, {}, UnknownNameError, "did you mean title"),
        ({"corpus": {"asked": "raw/wiki"}}, {}, SettingsError, "that is the name of a source"),
        ({"corpus": {"wiki": {"data": "raw/wiki", "sources": ["classes"]}}}, {}, SettingsError, "its own classes"),
        ({"corpus": "vectors"}, {}, SettingsError, "not below `sources.local_root`"),
        ({}, {"sources": {"include": ["asked", "german"], "local_root": "raw"}}, SettingsError, "add `language:"),
    ],
    ids=str,
)
def test_mistakes_are_named_before_any_work(tmp_path, settings, changes, error, message):
    root = corpus(tmp_path)
    project.manifest(root, "german", subsets={"all": {"query_lang": "deu-Latn"}})
    if "classes" in str(settings):
        changes = {"sources": {"include": ["asked", "classes"], "local_root": "raw"}}
    settle(root, settings, **changes)
    with pytest.raises(error, match=message):
        project.run(root, "plan" if not settings else "fetch")
    assert not (root / "work").exists()


def test_a_corpus_may_be_a_repository_of_the_hub(tmp_path):
    from curation.pipeline.opening import open_build

    root = settle(corpus(tmp_path), {"corpus": "owner/passages@" + "a" * 40})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORPUS_MANIFESTS", str(root / "manifests"))
        (found,) = open_build(None, root / "params.yaml").corpora().values()
    assert found.manifest.origin.model_dump() == {
        "kind": "hub", "repo": "owner/passages", "ref": "a" * 40, "mirrors": []
    }  # fmt: skip
    assert found.sources == ("asked",)


def test_documents_of_a_repository_are_fetched_and_searched(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "PAUSE_S", 0.01)
    monkeypatch.setattr(hub, "_listings", {})
    root = corpus(tmp_path / "project")
    files = {path.name: path.read_bytes() for path in (root / "raw/wiki").iterdir()}
    shutil.rmtree(root / "raw/wiki")
    with serving(tmp_path / "hub") as running:
        for name, content in files.items():
            running.add("owner/passages", f"corpus/{name}", content)
        running.add("owner/passages", "README.md", b"# passages")
        chosen = {"include": ["asked"], "local_root": "raw", "endpoint": running.endpoint}
        settle(root, {"corpus": "owner/passages"}, sources=chosen)
        project.run(root, "run", "--until", "mine", "--workers", "1")
    assert len(tables(root, "rows", "corpus")) == 510
    found = [number for row in tables(root, "negatives", "asked") for number in row["negatives"]]
    assert max(found) > len({folded(row["positive"]) for row in tables(root, "rows", "asked")})
