"""`mining.language: both`: negatives of bitext from both sides, by the real commands against plain loops."""

import json
import random
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from tests.support import project
from tests.support.searched import alike, folded, tables, text, vector, write_vectors

NEGATIVES = 7


def bitext(root: Path, **mining: object) -> Path:
    """Write a project of two directions; some queries occur twice, resemble each other, or are positives over there."""
    rng = random.Random(5)
    project.make(root, rows=70)
    there = [(text(rng, 24), text(rng, 24, "z")) for _ in range(60)]
    there += [(there[i][0], text(rng, 24, "z")) for i in range(5)]  # another translation
    there += [(f"{there[i][0]} and", text(rng, 24, "z")) for i in range(5, 10)]  # nearly the same query
    back = [(text(rng, 24, "z"), text(rng, 24)) for _ in range(20)]
    back += [(text(rng, 24, "z"), there[i][0].upper()) for i in range(10, 15)]  # a query there is a positive here
    (root / "raw/sentences").mkdir()
    for name, pairs in (("there", there), ("back", back)):
        lines = [json.dumps({"q": query, "d": positive}) + "\n" for query, positive in pairs]
        (root / f"raw/sentences/{name}.jsonl").write_text("".join(lines))
    project.manifest(
        root, "sentences", task="bitext-mining",
        tables={"records": {"files": ["{subset}.jsonl"], "format": "jsonl", "fields": {"q": "string", "d": "string"}}},
        shape={"kind": "pair", "args": {"query": "q", "positive": "d"}},
        subsets={
            "there": {"query_lang": "eng-Latn", "positive_lang": "deu-Latn"},
            "back": {"query_lang": "deu-Latn", "positive_lang": "eng-Latn"},
        },
    )  # fmt: skip
    every = [side for pair in (*there, *back) for side in pair]
    write_vectors(root / "sides", every, every)
    rules = {"preset": "none", "num_negatives": NEGATIVES, "range_max": 30, "teacher": "vectors:sides"}
    settings = {
        "sources": {"include": ["sentences"], "local_root": "raw"},
        "languages": {"trust": {"default": {"policy": "trust-declared"}}},
        "normalize": {"shard_rows": 30},
        "mining": rules | {"language": "both"} | mining,
        "mixes": {"told": {"validation": 0}},
    }
    (root / "params.yaml").write_text(yaml.safe_dump({"profile": "tiny", "tiny": settings}))
    recipe = {"name": "told", "title": "Told", "sources": "all", "cap": None, "instructions": False}
    (root / "mixes").mkdir(exist_ok=True)
    (root / "mixes/told.yaml").write_text(yaml.safe_dump(recipe))
    return root


def read(root: Path, kind: str) -> list[dict]:
    folder = root / "out/tiny/mixes/told" / kind
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = bitext(tmp_path_factory.mktemp("sides"))
    project.run(root, "run", "--until", "mix", "--workers", "1")
    return root


def test_negatives_are_the_best_texts_of_both_sides_that_do_not_say_the_same(built):
    rows = tables(built, "rows", "sentences")
    distinct = {}
    for row in rows:
        for side in ("positive", "query"):
            distinct.setdefault(folded(row[side]), row[side])
    scored = np.stack([vector(one) for one in distinct.values()]).astype(np.float32)
    offered = {d["document_id"]: d["text"] for d in read(built, "documents")}
    kept = {row["row_id"]: row for row in read(built, "samples")}
    queries = {folded(row["query"]) for row in rows}
    of_own_side = checked = 0
    for row, found in zip(rows, tables(built, "negatives", "sentences"), strict=True):
        same = [other for other in rows if alike(other["query"], row["query"])]
        said = [text for other in same for text in (other["query"], other["positive"])]
        masked = {key for key, one in distinct.items() if any(alike(one, text) for text in said)}
        scores = dict(zip(distinct, (scored @ vector(row["query"]).astype(np.float32)).tolist(), strict=True))
        best: list[str] = []
        for key in sorted(scores, key=lambda key: -scores[key]):
            if key not in masked and not any(alike(key, better) for better in best):
                best.append(key)
        best = best[:NEGATIVES]
        np.testing.assert_allclose(found["scores"], [scores[key] for key in best], atol=2e-3)
        sample = kept.get(row["row_id"].hex())
        if sample is not None:
            assert [folded(offered[number]) for number in sample["negative_ids"]] == best
            of_own_side += sum(key in queries for key in best)
            checked += 1
    assert checked > 80
    assert of_own_side > 100


def test_the_other_policies_search_positives_alone(tmp_path):
    root = bitext(tmp_path, language="any")
    project.run(root, "run", "--until", "mine", "--workers", "1")
    stats = json.loads((root / "out/tiny/steps/mine.json").read_text())["stats"]["pools"]["sentences"]
    assert stats["documents"] == len({folded(row["positive"]) for row in tables(root, "rows", "sentences")})


def test_the_bytes_are_the_same_for_any_number_of_workers(built, tmp_path):
    other = bitext(tmp_path)
    project.run(other, "run", "--until", "mix", "--workers", "2")
    assert project.tree(other) == project.tree(built)


def test_bm25_finds_queries_that_share_words_and_their_translations(tmp_path):
    root = bitext(tmp_path, teacher="bm25", shortage="keep")
    lines = (root / "raw/sentences/there.jsonl").read_text().splitlines()
    query = json.loads(lines[30])["q"]
    words = query.split()
    near = [{"q": " ".join(words[:12] + [f"w{i}{j}" for j in range(12)]), "d": f"z{i} zz zzz {i}"} for i in range(3)]
    with (root / "raw/sentences/there.jsonl").open("a") as file:
        file.writelines(json.dumps(pair) + "\n" for pair in near)
    project.run(root, "run", "--until", "mix", "--workers", "1")
    offered = {d["document_id"]: d["text"] for d in read(root, "documents")}
    (sample,) = [row for row in read(root, "samples") if row["query"] == query]
    found = {offered[number] for number in sample["negative_ids"]}
    assert {pair["q"] for pair in near} | {pair["d"] for pair in near} <= found
