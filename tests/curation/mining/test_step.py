"""Step `mine` from rows to negatives: who may be one, in which order, from which pool."""

import random
from pathlib import Path

import numpy as np
import pytest

from curation.pipeline.freshness import load
from curation.pipeline.overrides import with_folders
from curation.pipeline.run import run_step
from curation.tables.pools import documents_of
from open_ml_embed.core.errors import SettingsError, StageError
from tests.support.leaks import folder
from tests.support.mining_rows import PLAIN, make_rows, make_text, mine, texts_of


def test_a_positive_in_disguise_is_never_mined(workshop):
    """The same passage twice, nearly the same passage, across subsets, and the same query with other positives."""
    rng = random.Random(3)
    rows, subsets = [], {("a", "x"): [], ("a", "y"): []}
    for topic in range(30):
        query = f"topic{topic} about subject{topic}"
        passage = f"topic{topic} about subject{topic} " + " ".join(f"v{rng.randrange(3000)}" for _ in range(60))
        nearly = passage.rsplit(" ", 1)[0] + " changed"
        rows += [{"query": query, "positive": passage}, {"query": f"{query} too", "positive": passage}]
        rows += [{"query": f"{query} again", "positive": nearly}]
        rows += [{"query": query.upper(), "positive": f"another answer {make_text(rng, 30)}"}]
    for i, row in enumerate(rows):
        subsets["a", "xy"[i % 2]].append(row)
    workshop.manifest("a", ["x", "y"])
    _, found = mine(workshop, subsets, num_negatives=24, range_max=100, shortage="fill")
    taken = {key: iter(of) for key, of in found.items()}
    for i, row in enumerate(rows):
        mined = next(taken["a", "xy"[i % 2]])
        family = rows[i // 4 * 4 : i // 4 * 4 + 4]
        positives = {other["positive"] for other in family[:3]}
        if i % 4 == 3:
            positives.add(row["positive"])
        if i % 4 == 0:  # asked twice: the other answer is an answer to this one too
            positives.add(family[3]["positive"])
        assert i % 4 == 3 or not positives & set(mined["texts"])
        assert row["positive"] not in mined["texts"]
        assert len(mined["texts"]) == len(set(mined["texts"])) == 24


def test_what_another_source_answers_is_never_mined(workshop):
    """The same question in two sources, with two answers; each source also holds what the other answers, or nearly."""
    rng = random.Random(4)
    pools = {("a", "x"): [], ("b", "x"): []}
    for topic in range(30):
        query, tail = f"topic{topic} about subject{topic}", " ".join(f"v{rng.randrange(3000)}" for _ in range(60))
        answer, other = f"topic{topic} subject{topic} {tail}", f"topic{topic} subject{topic} {make_text(rng, 40)}"
        nearly = answer.rsplit(" ", 1)[0] + " changed"
        pools["a", "x"] += [
            {"query": query, "positive": other, "negatives": [answer.upper(), nearly] if topic % 2 else []},
            {
                "query": f"of something else {topic}",
                "positive": f"{make_text(rng, 5)} {nearly}" if topic % 2 else answer,
            },
        ]
        pools["b", "x"] += [
            {"query": query.upper(), "positive": answer},
            {"query": f"of another thing {topic}", "positive": other + " too"},
        ]
    for name in "ab":
        workshop.manifest(name, ["x"])
    build, found = mine(workshop, pools, num_negatives=24, range_max=100, shortage="fill")
    for (source, _), mined in found.items():
        answers = [row["positive"].casefold() for row in pools["b" if source == "a" else "a", "x"][::2]]
        for topic, (own, said) in enumerate(zip(mined[::2], answers, strict=True)):
            assert len(own["texts"]) == 24
            assert said not in {text.casefold() for text in own["texts"]}, topic
            assert not any(text.startswith(said[:200]) for text in own["texts"]), topic
    assert load(build, "mine").stats["pools"]["a"]["rejected"]["near-query-positive"] >= 30


def test_given_negatives_come_first_but_for_positives_in_disguise(workshop):
    rows = make_rows(40)
    passage = " ".join(f"v{i}" for i in range(60))
    rows[0] |= {"positive": passage, "negatives": ["given one", passage.upper(), passage + " more", "given two"]}
    rows[1] |= {"query": "given one", "positive": "an answer"}
    workshop.manifest("a", ["x"])
    build, found = mine(workshop, {("a", "x"): rows})
    first = found["a", "x"][0]
    assert first["texts"][:2] == ["given one", "given two"]
    assert first["origins"][:2] == ["given", "given"]
    assert set(first["origins"][2:]) == {"mined"}
    assert not {passage, passage.upper(), passage + " more"} & set(first["texts"])
    # a given negative is a document like any other
    assert found["a", "x"][1]["texts"] == [] or "given one" not in found["a", "x"][1]["texts"]
    stats = load(build, "mine").stats
    assert stats["sources"]["a"]["origins"]["given"] == 2
    assert stats["pools"]["a"]["rejected"]["own-positive"] >= 1
    assert stats["pools"]["a"]["rejected"]["near-positive"] >= 1


def test_a_source_is_one_pool_and_the_settings_can_join_several(workshop):
    for name in ("a", "b", "c"):
        workshop.manifest(name, ["x", "y"])
    pools = {(s, sub): make_rows(20, hash_of(s + sub)) for s in "abc" for sub in "xy"}
    own = {key: {row["positive"] for row in rows} for key, rows in pools.items()}
    _, found = mine(workshop, pools)
    for (source, subset), rows in found.items():
        texts = {text for row in rows for text in row["texts"]}
        assert texts & own[source, "x"]
        assert texts & own[source, "y"]
        assert texts <= own[source, "x"] | own[source, "y"]
        assert subset in "xy"
    build, found = mine(workshop, pools, pools={"both": ["a", "b"]})
    texts = {text for row in found["a", "x"] for text in row["texts"]}
    assert texts & (own["b", "x"] | own["b", "y"])
    assert texts <= own["a", "x"] | own["a", "y"] | own["b", "x"] | own["b", "y"]
    assert {text for row in found["c", "x"] for text in row["texts"]} <= own["c", "x"] | own["c", "y"]
    assert load(build, "mine").stats["pools"]["both"]["sources"] == ["a", "b"]


def hash_of(name: str) -> int:
    return sum(map(ord, name))


@pytest.mark.parametrize(
    ("pools", "message"),
    [({"a": ["b"]}, "name of a source"), ({"p": ["a"], "q": ["a"]}, "stands in pool p"), ({"p": ["k"]}, "clustering")],
)
def test_pools_that_cannot_be(workshop, pools, message):
    for name in ("a", "b"):
        workshop.manifest(name, ["x"])
    workshop.manifest("k", ["x"], family="clustering")
    with pytest.raises(SettingsError, match=message):
        mine(workshop, {("a", "x"): make_rows(3), ("b", "x"): make_rows(3, 1)}, pools=pools)


@pytest.mark.parametrize(("policy", "wanted"), [("same", {0}), ("cross", {1}), ("any", {0, 1})])
def test_negatives_speak_the_language_that_the_policy_says(workshop, policy, wanted):
    workshop.manifest("a", ["x"])
    languages = ["eng-Latn", "deu-Latn"]
    rows = [
        row | {"positive_lang": languages[i % 2], "query_lang": languages[i % 2], "positive": f"{row['positive']} {i}"}
        for i, row in enumerate(make_rows(60))
    ]
    _, found = mine(workshop, {("a", "x"): rows}, language=policy)
    for i, texts in enumerate(texts_of(found)):
        assert {(int(text.rsplit(" ", 1)[1]) + i) % 2 for text in texts} <= wanted
    assert {(int(t.rsplit(" ", 1)[1]) + i) % 2 for i, texts in enumerate(texts_of(found)) for t in texts} == wanted


def test_bitext_searches_by_the_query_and_answers_with_translations(workshop):
    """Also where two languages ask for one document, and where a pool holds plain questions besides."""
    workshop.manifest("a", ["x", "y", "z"])
    names = ["red apple pie", "red apple cake", "green tea", "black tea pot", "blue sky"]
    german = ["roter apfel strudel", "roter apfel kuchen", "grüner tee", "schwarzer tee pott", "blauer himmel"]
    answers = [f"tõlge number {i}" for i in range(5)]
    pools = {
        ("a", sub): [
            {"query": q, "positive": d, "query_lang": lang, "positive_lang": "est-Latn"}
            for q, d in zip(asked, answers, strict=True)
        ]
        for sub, asked, lang in (("x", names, "eng-Latn"), ("y", german, "deu-Latn"))
    }
    pools["a", "z"] = [{"query": f"q{i} moon", "positive": f"q{i} the moon {i}"} for i in range(2)]
    _, found = mine(workshop, pools)
    pairs = [[answers[1]], [answers[0]], [answers[3]], [answers[2]], []]
    assert texts_of(found) == texts_of(found, ("a", "y")) == pairs
    assert texts_of(found, ("a", "z")) == [["q1 the moon 1"], ["q0 the moon 0"]]


def test_class_negatives_come_from_other_classes_balanced(workshop):
    workshop.manifest("a", ["x"], family="clustering")
    rng = random.Random(4)
    rows = [
        {"query": make_text(rng, 9), "positive": f"{make_text(rng, 9)} {i}", "label": f"c{i % 5}"} for i in range(200)
    ]
    rows += [{"query": "in two classes", "positive": "shared text", "label": label} for label in ("c0", "c1")]
    label_of = {row["positive"]: row["label"] for row in rows}
    for i, texts in enumerate(texts_of(mine(workshop, {("a", "x"): rows}, 50)[1])):
        labels = [label_of[text] for text in texts if text != "shared text"]
        assert len(texts) == 8
        assert rows[i]["label"] not in labels
        assert max(labels.count(label) for label in labels) <= 3
        if rows[i]["label"] in ("c0", "c1"):
            assert "shared text" not in texts


def test_where_classes_are_languages_negatives_are_in_other_languages(workshop):
    """With `language: same`, no text of another class would be left."""
    workshop.manifest("a", ["x"], family="clustering", task="language-classification")
    workshop.manifest("b", ["x"], family="clustering", task="topic-classification")
    languages = ["eng-Latn", "deu-Latn", "fra-Latn"]
    rng = random.Random(4)
    rows = [
        {"query": make_text(rng, 9), "positive": f"{make_text(rng, 9)} {i}", "label": languages[i % 3],
         "query_lang": languages[i % 3], "positive_lang": languages[i % 3]} for i in range(60)
    ]  # fmt: skip
    _, found = mine(workshop, {("a", "x"): rows, ("b", "x"): rows[:30]}, language="same")
    language_of = {row["positive"]: row["label"] for row in rows}
    for row, texts in zip(rows, texts_of(found), strict=True):
        assert len(texts) == 8
        assert row["label"] not in {language_of[text] for text in texts}
    assert not any(texts_of(found, ("b", "x"))), "topics are told apart within a language"


def test_classification_has_its_other_label_and_no_more(workshop):
    workshop.manifest("a", ["x"], family="classification")
    names = ["good", "bad"]
    rows = [
        {"query": f"q {i}", "positive": names[i % 2], "negatives": [names[1 - i % 2]], "label": names[i % 2]}
        for i in range(9)
    ]
    build, found = mine(workshop, {("a", "x"): rows}, 4)
    assert texts_of(found) == [row["negatives"] for row in rows]
    assert load(build, "mine").stats["sources"]["a"]["short"] == 0


def test_duplicate_queries_share_their_negatives_and_each_row_has_its_line(workshop):
    rows = make_rows(30)
    rows += [row | {"positive": make_text(random.Random(i), 20)} for i, row in enumerate(rows[:10])]
    workshop.manifest("a", ["x"])
    build, found = mine(workshop, {("a", "x"): rows}, 7)
    assert texts_of(found)[30:] == texts_of(found)[:10]
    result = load(build, "mine")
    assert [(s.path, s.rows) for s in result.shards] == [(s.path, s.rows) for s in load(build, "normalize").shards]
    assert result.stats["pools"]["a"]["queries"] == 30
    assert result.stats["sources"]["a"]["rows"] == 40


@pytest.mark.parametrize("shard_rows", [9, 1000])
@pytest.mark.parametrize("family", ["retrieval", "clustering"])
def test_the_same_negatives_whatever_the_shards_and_blocks(workshop, monkeypatch, shard_rows, family):
    workshop.manifest("a", ["x", "y"], family=family)
    label = {} if family == "retrieval" else {"label": "c"}
    pools = {("a", sub): [r | label for r in make_rows(60, i)] for i, sub in enumerate("xy")}
    for i, row in enumerate(row for rows in pools.values() for row in rows):
        row.update({"label": f"c{i % 4}"} if label else {})
    _, expected = mine(workshop, pools, 25, shortage="fill")
    for module in ("search", "run", "row_alignment"):
        monkeypatch.setattr(f"curation.mining.step.{module}.BLOCK_QUERIES", 11)
    _, found = mine(workshop, pools, shard_rows, shortage="fill")
    fields = ("texts", "scores", "origins", "positive_score", "positive_rank")
    for key, rows in expected.items():
        for name in fields:
            assert str([row[name] for row in found[key]]) == str([row[name] for row in rows])


def test_examples_of_rejected_candidates_name_their_query_in_every_block(workshop, monkeypatch):
    for module in ("search", "run", "row_alignment"):
        monkeypatch.setattr(f"curation.mining.step.{module}.BLOCK_QUERIES", 11)
    workshop.manifest("a", ["x"])
    build, _ = mine(workshop, {("a", "x"): make_rows(60)}, 1000)
    scores = np.concatenate(
        [
            build.store.read_table(str(path.relative_to(build.store.root)))["positive_score"].to_numpy()
            for path in sorted(Path(build.store.root, "mined").rglob("*.negatives.arrow"))
        ]
    )
    assert len(scores) == 60
    examples = load(build, "mine").stats["pools"]["a"]["examples"]
    assert {query // 11 for query, *_ in examples} >= {0, 1}
    for query, _document, _score, positive_score, _reason in examples:
        assert np.array_equal(np.float32(positive_score), scores[query], equal_nan=True)


def test_steps_before_must_have_been_run_on_these_rows(workshop):
    workshop.manifest("a", ["x"])
    build = workshop.build()
    workshop.rows(build, {("a", "x"): make_rows(10)})
    with pytest.raises(StageError, match="dedup has not been run"):
        run_step(build, "mine")
    run_step(build, "dedup")
    workshop.rows(build, {("a", "x"): make_rows(11)})
    with pytest.raises(StageError, match="made from other rows"):
        run_step(build, "mine")


def test_documents_that_an_evaluation_set_holds_are_left_out(workshop):
    """Also where the profile names no set, and the command line did."""
    workshop.manifest("a", ["x"])
    rows = make_rows(30)
    build = workshop.build(mining=PLAIN | {"shortage": "fill"})
    made = workshop.rows(build, {("a", "x"): rows}, 10)
    run_step(build, "dedup")
    known = {rows[i]["positive"] for i in (3, 13, 23)}
    heldout = folder(workshop.root, queries=["nobody asks for any of these"], documents=sorted(known))
    run_step(with_folders(build, [heldout]), "decontaminate")
    run_step(build, "mine")
    documents = documents_of(build, "a", "x")
    for shard in made.shards:
        for row in build.store.read_table(f"negatives/{shard.path}.negatives.arrow").to_pylist():
            assert not known & set(documents.texts(np.array(row["negatives"])).to_pylist())
