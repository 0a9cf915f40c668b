"""What a duplicate sample is: each side resembles, within one family. Judged by brute force over the whole corpus."""

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.dedup.step import sample_pairs
from curation.pipeline.freshness import inputs_of, load
from curation.pipeline.run import run_step
from curation.report.data import collect
from tests.curation.dedup.test_step import make_text, near
from tests.support.workshop import written_report

THRESHOLD = 0.8


def shingles(text: str, k: int = 5) -> set[tuple[str, ...]]:
    parts = text.lower().split()
    return {tuple(parts[i : i + k]) for i in range(len(parts) - k + 1)}


def resembles(a: str, b: str) -> bool:
    """The rule for one side, as docs/dedup.md states it."""
    if a.lower().split() == b.lower().split():
        return True
    x, y = shingles(a), shingles(b)
    return bool(x and y) and len(x & y) / len(x | y) >= THRESHOLD


def same_sample(a: dict, b: dict) -> bool:
    if a["family"] != b["family"] or not resembles(a["query"], b["query"]):
        return False
    return resembles(a["positive"], b["positive"]) if a["family"] == "retrieval" else a["label"] == b["label"]


def who_stays(rows: list[dict]) -> list[bool]:
    """The oracle: in order of rank, a sample stays unless it is one with a sample that stays."""
    staying: list[dict] = []
    stays = []
    for row in rows:
        stays.append(not any(same_sample(row, other) for other in staying))
        if stays[-1]:
            staying.append(row)
    return stays


def columns(build, result) -> dict:
    tables = [build.store.read_table(f"clusters/{s.path}.clusters.arrow") for s in result.shards]
    return pa.concat_tables(tables).to_pydict()


def numbered(rows: list[dict], start: int = 0) -> list[dict]:
    """Give rows ids in their own order, which is then that of their ranks, with different first halves."""
    return [row | {"row_id": (start + i + 1 << 100).to_bytes(16, "big")} for i, row in enumerate(rows)]


def question_set(rng: random.Random) -> list[dict]:
    """100 passages of 20 to 400 words with 20 questions each, some of them asked again in nearly the same words."""
    rows = []
    for number in range(100):
        passage = make_text(rng, rng.choice([20, 60, 92, 150, 200, 400]))
        questions = [make_text(rng, rng.choice([4, 8, 10, 15, 30])) for _ in range(14)]
        for _ in range(6):  # the same question again, in other words at most
            question = rng.choice(questions[:14])
            words = len(question.split())
            questions.append(near(rng, question, rng.choice([0, 1, 1, max(1, words // 3)])))
        for at, question in enumerate(questions):
            text = passage
            if at % 3 == 2:  # another edition of the passage
                text = near(rng, passage, rng.choice([1, 1, 2, max(1, len(passage.split()) // 4)]))
            rows.append({"query": question, "positive": text, "family": "retrieval"})
        if number % 4 == 3:  # the same questions of another passage
            for row in rows[-20:-10]:
                row["positive"] = make_text(rng, 60)
    rng.shuffle(rows)
    return rows


def test_every_question_of_a_passage_stays_and_every_repetition_goes(workshop):
    rows = numbered(question_set(random.Random(11)))
    workshop.manifest("qa", ["x"])
    workshop.mix("all")
    build = workshop.build(mixes={"all": {"validation": 0.0}})
    workshop.rows(build, {("qa", "x"): [{k: v for k, v in r.items() if k != "family"} for r in rows]}, 300)
    result = run_step(build, "dedup")
    expected = who_stays(rows)
    assert columns(build, result)["keep"] == expected
    assert 100 < expected.count(False) < 600
    run_step(build, "mine")
    run_step(build, "mix-all")
    mixed = {
        (sample["query"], sample["positive"])
        for file in (build.out / "mixes" / "all" / "samples").glob("*.parquet")
        for sample in pq.read_table(file).to_pylist()
    }
    assert mixed == {(r["query"], r["positive"]) for r, stays in zip(rows, expected, strict=True) if stays}


def test_ten_questions_about_one_long_passage_are_ten_samples(workshop):
    rng = random.Random(1)
    rows = [
        {"query": make_text(rng, 10), "positive": passage}
        for passage in (make_text(rng, 200) for _ in range(20))
        for _ in range(10)
    ]
    workshop.manifest("qa", ["x"])
    build = workshop.build()
    workshop.rows(build, {("qa", "x"): rows})
    result = run_step(build, "dedup")
    assert columns(build, result)["keep"] == [True] * 200
    assert result.stats["sources"] == {"qa": {"rows": 200, "exact_duplicates": 0, "near_duplicates": 0}}
    assert result.stats["document"]["clusters"] == 20


def test_a_class_sample_needs_the_same_label_and_no_other_positive(workshop):
    rng = random.Random(2)
    text, other = make_text(rng, 80), make_text(rng, 80)
    variants = [
        {"query": text, "label": "good", "positive": make_text(rng, 9)},
        {"query": near(rng, text, 1), "label": "good", "positive": make_text(rng, 9)},
        {"query": near(rng, text, 1), "label": "bad", "positive": make_text(rng, 9)},
        {"query": text, "label": "bad", "positive": make_text(rng, 9)},
        {"query": other, "label": "good", "positive": make_text(rng, 9)},
    ]
    workshop.manifest("a", ["x"], family="clustering")
    build = workshop.build()
    workshop.rows(build, {("a", "x"): numbered(variants)})
    found = columns(build, run_step(build, "dedup"))
    assert found["reason"] == [None, "near-duplicate", None, "near-duplicate", None]
    assert len(set(found["query_cluster"])) == 2


def test_no_pair_across_families_is_ever_compared(workshop):
    """One long text with one long label: in a single stream of words the family is lost in the text."""
    rng = random.Random(3)
    text, label = make_text(rng, 200), make_text(rng, 40)
    pools = {}
    for name, family in (("a", "retrieval"), ("b", "clustering"), ("c", "classification")):
        workshop.manifest(name, ["x"], family=family)
        queries = (text, near(rng, text, 1))
        pools[name, "x"] = numbered([{"query": query, "positive": label, "label": label} for query in queries])
    build = workshop.build()
    workshop.rows(build, pools)
    result = run_step(build, "dedup")
    assert columns(build, result)["keep"] == [True, False] * 3
    assert (result.stats["sample"]["groups"], result.stats["sample"]["compared"]) == (3, 6)


def test_other_wordings_of_a_question_are_kept(workshop):
    rng = random.Random(4)
    question, passage = make_text(rng, 80), make_text(rng, 60)
    asked = [question, near(rng, question, 1), question.upper(), near(rng, question, 1)]
    rows = numbered(
        [{"query": q, "positive": passage} for q in asked]
        + [{"query": make_text(rng, 9), "positive": make_text(rng, 20)} for _ in range(9)]
    )
    workshop.manifest("a", ["x"])
    workshop.mix("plain", instructions=False)
    workshop.mix("told", instructions=True)
    build = workshop.build(mixes={"plain": {"validation": 0.0}, "told": {"validation": 0.0}})
    workshop.rows(build, {("a", "x"): rows})
    run_step(build, "dedup")
    (shard,) = load(build, "dedup").shards
    first, *rest = build.store.read_table(f"merges/{shard.path}.merges.arrow")["merged"].to_pylist()
    # in order of rank; the one in capitals only repeats the first
    assert [(m["query"], m["positive"]) for m in first] == [(asked[1], None), (None, None), (asked[3], None)]
    assert not any(rest)
    run_step(build, "mine")
    for name, before in (("plain", ""), ("told", "Instruct: Given a query, find its document.\nQuery: ")):
        run_step(build, f"mix-{name}")
        (file,) = (build.out / "mixes" / name / "samples").glob("train-*.parquet")
        samples = {sample["query"]: sample["other_queries"] for sample in pq.read_table(file).to_pylist()}
        assert samples[before + question] == [before + asked[1], before + asked[3]]
        assert sum(map(len, samples.values())) == 2


words = st.sampled_from([f"w{i}" for i in range(40)])
short_texts = st.lists(words, min_size=1, max_size=12).map(" ".join)


@st.composite
def corpora(draw) -> list[dict]:
    """Rows of three families that share texts, some of them edits of others."""
    texts = draw(st.lists(short_texts, min_size=2, max_size=5))
    for _ in range(draw(st.integers(0, 6))):
        parts = draw(st.sampled_from(texts)).split() * draw(st.sampled_from([1, 3]))
        parts[draw(st.integers(0, len(parts) - 1))] = draw(words)
        texts.append(" ".join(parts))
    rows = []
    for _ in range(draw(st.integers(1, 24))):
        family = draw(st.sampled_from(sample_pairs.FAMILIES))
        rows.append(
            {
                "family": family,
                "query": draw(st.sampled_from(texts)),
                "positive": draw(st.sampled_from(texts)),
                "label": None if family == "retrieval" else draw(st.sampled_from(texts[:2])),
                "negatives": draw(st.lists(st.sampled_from(texts), max_size=2)),
            }
        )
    return rows


@given(corpora(), st.sampled_from([3, 1000]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_small_corpus_loses_what_the_oracle_says(workshop, rows, shard_rows):
    """64 bands miss a pair at the threshold with probability 10⁻²⁹."""
    rows = numbered(rows)
    pools: dict = {}
    for family in sample_pairs.FAMILIES:
        workshop.manifest(family, ["x"], family=family)
        own = [{k: v for k, v in row.items() if k != "family"} for row in rows if row["family"] == family]
        if own:
            pools[family, "x"] = own
    build = workshop.build(dedup={"bands": 64})
    workshop.rows(build, pools, shard_rows)
    found = columns(build, run_step(build, "dedup"))
    ordered = sorted(rows, key=lambda row: (row["family"], row["row_id"]))
    stays = dict(zip((r["row_id"] for r in rows), who_stays(rows), strict=True))
    assert found["keep"] == [stays[row["row_id"]] for row in ordered]
    for name, side in (("query_cluster", "query"), ("document_cluster", "positive")):
        for i, row in enumerate(ordered):
            for j in range(i):
                if resembles(row[side], ordered[j][side]):
                    assert found[name][i] == found[name][j]
    documents = [(row["positive"], number) for row, number in zip(ordered, found["document_cluster"], strict=True)]
    for row, numbers in zip(ordered, found["negative_clusters"], strict=True):
        for text, number in zip(row["negatives"], numbers, strict=True):
            assert {n for other, n in documents if resembles(text, other)} <= {number}


def test_a_group_of_many_is_compared_up_to_a_limit(workshop, monkeypatch):
    """Every second question repeats one that stays; only those of the first that stay are looked at."""
    rng = random.Random(5)
    passage, base = make_text(rng, 40), make_text(rng, 60)
    chain = [base]
    for _ in range(30):  # neighbors are near, the ends are not: one component, many samples that stay
        parts = chain[-1].split()
        chain.append(" ".join([*parts[4:], *make_text(rng, 4).split()]))
    rows = numbered([{"query": q, "positive": passage} for q in chain + [near(rng, q, 1) for q in chain]])
    workshop.manifest("a", ["x"])
    workshop.rows(workshop.build(), {("a", "x"): rows})
    build = workshop.build(dedup={"bands": 64})
    expected = who_stays([row | {"family": "retrieval"} for row in rows])
    assert columns(build, run_step(build, "dedup"))["keep"] == expected
    monkeypatch.setattr(sample_pairs.Match, "version", 99)
    monkeypatch.setattr(sample_pairs, "MOST_COMPARED", 5)
    fewer = sample_pairs._keepers.py_func
    monkeypatch.setattr(sample_pairs, "_keepers", fewer)
    found = columns(build, run_step(build, "dedup"))["keep"]
    staying = [row for row, stays in zip(rows, expected, strict=True) if stays][:5]
    assert found == [row in staying or not any(resembles(row["query"], s["query"]) for s in staying) for row in rows]
    assert found.count(False) < expected.count(False)


@pytest.mark.parametrize("threshold", [0.5, 0.8])
def test_the_reports_examples_lie_at_or_above_the_threshold(workshop, threshold):
    rng = random.Random(6)
    texts = [make_text(rng, 120) for _ in range(60)]
    pools: dict = {}
    for name, family in (("a", "retrieval"), ("b", "clustering"), ("c", "classification")):
        workshop.manifest(name, ["x"], family=family)
        rows = [{"query": t, "positive": texts[-1 - i], "label": f"c{i % 3}"} for i, t in enumerate(texts[:30])]
        pools[name, "x"] = rows + [row | {"query": near(rng, row["query"], 2)} for row in rows]
    workshop.mix("all")
    build = workshop.build(dedup={"threshold": threshold, "bands": 42})
    workshop.rows(build, pools)
    run_step(build, "dedup")
    run_step(build, "mine")
    shown = collect(build, inputs_of(build, "report"))["near_duplicates"].rows
    assert {row["pair"] for row in shown} == {1, 2, 3, 4, 5}
    assert {row["source"] for row in shown} == {"a", "b", "c"}
    for row in shown:
        assert row["similarity"] >= threshold
        assert row["source"] == row["kept_in"]
    assert "Jaccard" in written_report(build)
