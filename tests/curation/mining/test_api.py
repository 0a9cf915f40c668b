"""`mine` for people outside the pipeline: positives in disguise, second opinions, languages, and what it refuses."""

import numpy as np
import pyarrow as pa
import pytest

from curation.mining import mine
from curation.mining.negatives import ORIGINS, REASONS
from curation.mining.settings import MiningSettings
from open_ml_embed.core.errors import SettingsError
from tests.support.disguises import disguised, word_vectors

NONE = MiningSettings(preset="none", relative_margin=None, shortage="keep")


@pytest.mark.parametrize("teacher", ["bm25", "vectors"])
@pytest.mark.parametrize("preset", ["none", "f2llm", "bge", "nv-retriever"])
def test_a_positive_in_disguise_is_never_mined(teacher, preset):
    made = disguised(60)
    vectors = (word_vectors(made.queries), word_vectors(made.documents)) if teacher == "vectors" else None
    found = mine(made.queries, made.documents, made.positives, preset, embeddings=vectors)
    assert sum(len(set(found.of(q)) & answers) for q, answers in enumerate(made.answers)) == 0
    assert (np.diff(found.offsets) > 0).mean() > 0.5
    assert (found.origins == ORIGINS.index("mined")).mean() > 0.2
    for reason in ("own-positive", "near-positive", "near-query-positive", "own-text"):
        assert found.rejected[reason] > 0
    assert {example.reason for example in found.examples} == {r for r, count in found.rejected.items() if count}


def test_without_its_masks_the_same_corpus_is_a_trap():
    """The planted test can fail: with clusters that know nothing, disguises are mined."""
    made = disguised(60)
    vectors = word_vectors(made.queries), word_vectors(made.documents)
    found = mine(*vectors, made.positives, "none")
    assert sum(len(set(found.of(q)) & answers) for q, answers in enumerate(made.answers)) > 100


def test_texts_may_be_arrow_and_lists_may_be_numbers():
    made = disguised(20)
    lists = mine(made.queries, made.documents, made.positives, "bge")
    arrow = mine(
        pa.array(made.queries),
        pa.chunked_array([made.documents[:30], made.documents[30:]]),
        np.array([own[0] for own in made.positives]),
        "bge",
        threads=1,
    )
    for name in ("offsets", "ids", "scores", "origins"):
        assert getattr(lists, name).tobytes() == getattr(arrow, name).tobytes()


def test_given_negatives_come_first_unless_they_are_positives():
    made = disguised(20)
    given = [[0, 10, 2, 15, 16] for _ in made.queries]
    found = mine(made.queries, made.documents, made.positives, NONE, given=given)
    assert found.of(0).tolist()[:2] == [10, 15]  # 0 is its positive, 2 nearly so, 16 the same as 15
    part = slice(found.offsets[0], found.offsets[1])
    assert [ORIGINS[o] for o in found.origins[part]][:3] == ["given", "given", "mined"]
    assert (found.scores[part][:2] >= 0).all()


@pytest.mark.parametrize(("policy", "expected"), [("same", {0, 2}), ("cross", {1}), ("any", {0, 1, 2})])
def test_languages(policy, expected):
    vectors = np.random.default_rng(0).standard_normal((30, 8)).astype(np.float32)
    language = np.array(["eng", "deu", "eng"])[np.arange(30) % 3]
    found = mine(
        vectors[:10],
        vectors,
        list(range(10)),
        NONE.model_copy(update={"language": policy}),
        languages=(["eng"] * 10, language),
    )
    assert {int(d) % 3 for d in found.ids} == expected
    assert found.short(24) == (10 if policy != "any" else 0)


def test_queries_in_a_language_of_their_own_get_nothing():
    vectors = np.eye(4, dtype=np.float32)
    found = mine(vectors, vectors, [0, 1, 2, 3], "f2llm", languages=(["a", "b", "a", "a"], ["a"] * 4))
    assert [found.of(q).size for q in range(4)] == [3, 0, 3, 3]


def test_labels_and_contaminated_documents():
    vectors = np.random.default_rng(1).standard_normal((20, 8)).astype(np.float32)
    labels, contaminated = np.arange(20) % 4, np.arange(20) >= 15
    found = mine(vectors, vectors, list(range(20)), NONE, labels=(labels, labels), contaminated=contaminated)
    assert found.ids.max() == 14
    for query in range(20):
        assert sorted(found.of(query)) == [d for d in range(15) if d % 4 != query % 4]


class Shorter:
    """Prefers short documents, and is asked about everything at once."""

    def __init__(self) -> None:
        self.calls = 0

    def score(self, queries, documents, query, document):
        self.calls += 1
        lengths = np.array([len(text) for text in documents.to_pylist()])
        return (1 / lengths[document]).astype(np.float32)


def test_a_second_opinion_orders_and_judges():
    made = disguised(20)
    judge = Shorter()
    alone = np.arange(len(made.queries)), np.arange(len(made.documents))
    settings = MiningSettings(preset="none", range_max=30, num_negatives=30)
    plain = mine(made.queries, made.documents, made.positives, settings, clusters=alone)
    settings = settings.model_copy(update={"relative_margin": 0})
    found = mine(made.queries, made.documents, made.positives, settings, clusters=alone, second_opinion=judge)
    assert judge.calls == 1
    length = np.array([len(text) for text in made.documents])
    for query, (own,) in enumerate(made.positives):
        candidates = plain.of(query)
        wanted = [d for d in candidates if length[d] > length[own]]
        score = (1 / length).astype(np.float32)
        assert found.of(query).tolist() == sorted(wanted, key=lambda d: (-score[d], d))
        assert found.positive_score[query] == score[own]


def test_a_ceiling_has_no_meaning_for_bm25_but_has_for_a_second_opinion():
    made = disguised(20)
    low = MiningSettings(preset="none", max_score=0.0001)
    assert len(mine(made.queries, made.documents, made.positives, low).ids)
    assert not len(mine(made.queries, made.documents, made.positives, low, second_opinion=Shorter()).ids)


def test_no_queries_and_no_documents():
    empty = np.zeros((0, 3), np.float32)
    assert len(mine(empty, np.ones((2, 3), np.float32), [])) == 0
    found = mine(np.ones((2, 3), np.float32), empty, [[], []])
    assert found.offsets.tolist() == [0, 0, 0]
    assert mine([], [], []).rejected == dict.fromkeys(REASONS[1:], 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positives": [0, 3]}, "not between 0 and 2"),
        ({"positives": np.array([0, 2**32])}, "not between 0 and 2"),
        ({"positives": [0]}, "positives: 1 entries for 2 queries"),
        ({"given": [[0]]}, "given: 1 entries for 2 queries"),
        ({"queries": ["a", "b"]}, "of different kinds"),
        ({"languages": (["a"], ["a"] * 3)}, "languages are 1 and 3 for 2 queries and 3 documents"),
        ({"second_opinion": Shorter()}, "reads texts"),
        ({"documents": np.ones((3, 5), np.float32)}, "queries have 4 dimensions, documents 5"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(change, message):
    arguments = {
        "queries": np.ones((2, 4), np.float32),
        "documents": np.ones((3, 4), np.float32),
        "positives": [0, 1],
        "settings": "none",
    } | change
    with pytest.raises(SettingsError, match=message):
        mine(**arguments)
