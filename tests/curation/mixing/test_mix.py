"""Mixes: nothing lost without a reason, caps and splits that hold, and files that `datasets` reads."""

import random
import shutil
from collections import Counter
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
import yaml
from datasets import load_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.mixing.step.run import _files as slices_of_files
from curation.mixing.step.select import REASONS
from curation.mixing.step.write import WriteFile
from curation.pipeline.freshness import load
from curation.pipeline.run import run_step
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.errors import StageError, UnknownNameError
from open_ml_embed.core.store import Marker


def text(rng: random.Random, length: int) -> str:
    return " ".join(f"w{rng.randrange(4000)}" for _ in range(length))


@pytest.fixture
def ready(workshop):
    """A build with three families up to `mine`; source a asks some queries twice."""
    rng = random.Random(1)
    workshop.manifest("a", ["x", "y"])
    workshop.manifest("b", ["x"], family="clustering", task="topic-classification", instruction="Same topic please.")
    workshop.manifest("c", ["x"], family="classification", task="sentiment")
    workshop.mix("plain", sources=["a"])
    workshop.mix("told", cap=60, instructions=True, instructed_documents=0.3)

    def pairs(n: int) -> list[dict]:
        rows = [{"query": text(rng, 6), "positive": text(rng, 20), "negatives": [text(rng, 9)]} for _ in range(n)]
        return rows + [{"query": row["query"], "positive": text(rng, 20)} for row in rows[:20]] + rows[:5]

    pools = {
        ("a", "x"): pairs(200), ("a", "y"): pairs(50),
        ("b", "x"): [{"query": text(rng, 9), "positive": text(rng, 9), "label": f"c{i % 4}"} for i in range(100)],
        ("c", "x"): [
            {"query": text(rng, 9), "positive": ["good", "bad"][i % 2], "negatives": [["bad", "good"][i % 2]],
             "label": ["good", "bad"][i % 2]} for i in range(80)
        ],
    }  # fmt: skip

    def build(**mixes):
        made = workshop.build(mixes={"plain": {"validation": 0.1}, "told": {"validation": 0.1}} | mixes)
        workshop.rows(made, pools, shard_rows=64)
        run_step(made, "dedup")
        run_step(made, "mine")
        return made

    return build


def samples(build, name, split="*"):
    files = sorted((build.out / "mixes" / name / "samples").glob(f"{split}-*.parquet"))
    return [row for f in files for row in pq.read_table(f).to_pylist()]


def documents(build, name):
    files = sorted((build.out / "mixes" / name / "documents").glob("*.parquet"))
    return [row for f in files for row in pq.read_table(f).to_pylist()]


def test_every_row_has_one_verdict(ready):
    build = ready()
    stats = run_step(build, "mix-told").stats
    rows = load(build, "normalize").stats["sources"]
    for source, funnel in stats["sources"].items():
        assert set(funnel) == set(REASONS)
        assert sum(funnel.values()) == rows[source]["rows"]
    assert stats["sources"]["a"]["exact-duplicate"] == 10
    assert stats["counts"]["samples"] == len(samples(build, "told"))


def test_documents_are_dense_and_negatives_are_no_positives(ready):
    build = ready()
    run_step(build, "mix-plain")
    docs = documents(build, "plain")
    assert [d["document_id"] for d in docs] == list(range(len(docs)))
    for row in samples(build, "plain"):
        assert docs[row["positive_id"]]["text"] == row["positive"]
        clusters = {docs[i]["cluster"] for i in row["negative_ids"]}
        assert docs[row["positive_id"]]["cluster"] not in clusters
        assert 1 <= len(row["negative_ids"]) == len(set(row["negative_ids"])) <= 24


def test_given_negatives_come_first(ready):
    build = ready()
    run_step(build, "mix-plain")
    docs = documents(build, "plain")
    first = {docs[row["negative_ids"][0]]["text"] for row in samples(build, "plain")}
    assert sum(len(t.split()) == 9 for t in first) > 150


def test_the_split_shares_no_query_and_no_document(ready):
    build = ready()
    run_step(build, "mix-plain")
    train, held = samples(build, "plain", "train"), samples(build, "plain", "validation")
    assert 10 < len(held) < 50
    assert not {r["query"] for r in train} & {r["query"] for r in held}
    assert not {r["positive"] for r in train} & {r["positive"] for r in held}


def test_cap_holds_and_takes_a_part_of_what_a_larger_cap_takes(ready):
    chosen = []
    for cap in (20, 40):
        build = ready(told={"cap": cap, "validation": 0.1})
        run_step(build, "mix-told")
        rows = samples(build, "told")
        assert max(sum(r["source"] == s for r in rows) for s in "abc") == cap
        chosen.append({r["row_id"] for r in rows})
    assert chosen[0] < chosen[1]


def test_instructions_are_on_every_query_and_on_a_share_of_symmetric_documents(ready):
    build = ready()
    run_step(build, "mix-told")
    run_step(build, "mix-plain")
    assert all(r["query"].startswith("Instruct: ") and "\nQuery: " in r["query"] for r in samples(build, "told"))
    assert not any("Instruct:" in r["query"] for r in samples(build, "plain"))
    share = {}
    for source in "abc":
        own = [d["text"].startswith("Instruct: ") for d in documents(build, "told") if d["source"] == source]
        share[source] = sum(own) / len(own)
    assert share["a"] == share["c"] == 0
    assert 0.15 < share["b"] < 0.45


def test_same_bytes_again_and_other_bytes_with_another_seed(ready):
    def tree(build):
        folder = build.out / "mixes" / "told"
        return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    build = ready()
    run_step(build, "mix-told")
    first = tree(build)
    run_step(build, "mix-told")
    assert tree(build) == first
    other = ready(told={"seed": 2, "validation": 0.1})
    run_step(other, "mix-told")
    assert tree(other) != first


@pytest.mark.filterwarnings("default")
def test_datasets_reads_the_mix_and_the_card_has_front_matter(ready, tmp_path):
    build = ready()
    run_step(build, "mix-told")
    folder = build.out / "mixes" / "told"
    front = yaml.safe_load((folder / "README.md").read_text().split("---")[1])
    for config in front["configs"]:
        files = config["data_files"]
        files = {f["split"]: str(folder / f["path"]) for f in files} if isinstance(files, list) else str(folder / files)
        loaded = load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
        assert sum(split.num_rows for split in loaded.values())
    assert front["language"] == ["eng"]


def test_a_mix_without_rows_says_so(ready, workshop):
    build = ready()
    workshop.manifest("elsewhere", ["all"], collection="community")
    workshop.mix("other", sources=["elsewhere"])
    with pytest.raises(StageError, match="no rows of the sources"):
        run_step(build, "mix-other")
    with pytest.raises(UnknownNameError, match="did you mean plain"):
        run_step(build, "mix-plane")


@given(st.integers(1, 50), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), max_size=8))
@settings(deadline=None)
def test_files_hold_every_row_once_and_know_the_numbers_before(limit, sizes):
    numbered = [(None, Marker("", (), {"train": size, "documents": documents})) for size, documents in sizes]
    files = list(slices_of_files(numbered, "train", limit))
    rows = [(part.pool, row) for slices in files for part in slices for row in range(part.start, part.stop)]
    assert rows == [(pool, row) for pool, (size, _) in enumerate(sizes) for row in range(size)]
    assert all(sum(part.stop - part.start for part in slices) == limit for slices in files[:-1])
    assert len(files) >= 1
    for slices in files:
        for part in slices:
            assert part.first_id == sum(documents for _, documents in sizes[: part.pool])


def test_a_mix_is_the_same_whatever_the_workers_and_after_a_kill_at_any_file(ready, monkeypatch):
    """Killed after each of its files in turn; what was written before is not written again."""

    def tree(build):
        folder = build.out / "mixes" / "told"
        return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    class KilledError(Exception):
        pass

    build = ready(told={"validation": 0.1, "shard_rows": 40})
    run_step(replace(build, workers=Workers(count=2)), "mix-told")
    whole = tree(build)
    assert len(whole) > 8
    shutil.rmtree(build.out / "mixes" / "told")
    for folder in ("contaminated", "selected", "limits", "numbered", "files"):
        shutil.rmtree(build.root / "work" / build.name / "mix" / folder)
    write, runs = WriteFile.run, []

    def killed(self, task, store, out):
        if len(runs) % 2:
            runs.append(task.path)
            raise KilledError
        runs.append(task.path)
        return write(self, task, store, out)

    monkeypatch.setattr(WriteFile, "run", killed)
    kills = 0
    while True:
        try:
            run_step(replace(build, workers=Workers(count=1)), "mix-told")
            break
        except KilledError:
            kills += 1
    assert kills > 5
    assert tree(build) == whole
    written = [path for path, count in Counter(runs).items() if count == 1]
    assert written, "a file that is there is not written again"
    before = len(runs)
    monkeypatch.setattr(WriteFile, "run", write)
    run_step(replace(build, workers=Workers(count=1)), "mix-told")
    assert (tree(build), len(runs)) == (whole, before)


def test_negatives_of_a_duplicate_are_taken_over_unless_they_answer_the_query(workshop):
    rng = random.Random(5)
    query, answer, other = text(rng, 8), text(rng, 60), text(rng, 60)
    nearly = [told.rsplit(" ", 1)[0] + " changed" for told in (answer, other)]
    for name in "abc":
        workshop.manifest(name, ["x"])
    workshop.mix("plain", sources=["a", "b", "c"])
    wrong = [answer.upper(), other, *nearly, query.title()]
    more = {name: [{"query": text(rng, 8), "positive": text(rng, 20)} for _ in range(30)] for name in "abc"}
    build = workshop.build(mixes={"plain": {"validation": 0.0}})
    pools = {
        ("a", "x"): [{"query": query, "positive": answer}, *more["a"]],
        ("b", "x"): [{"query": query, "positive": answer, "negatives": ["one of another kind", *wrong]}, *more["b"]],
        ("c", "x"): [{"query": query.upper(), "positive": other}, *more["c"]],
    }
    workshop.rows(build, pools)
    run_step(build, "dedup")
    run_step(build, "mine")
    run_step(build, "mix-plain")
    docs = documents(build, "plain")
    (sample,) = [row for row in samples(build, "plain") if row["query"] == query]
    assert sample["provenance"] in (["a/x", "b/x"], ["b/x", "a/x"])
    negatives = {docs[i]["text"] for i in sample["negative_ids"]}
    assert "one of another kind" in negatives
    assert len(negatives) > 1
    assert not negatives & set(wrong)
