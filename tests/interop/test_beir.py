"""BEIR loads a folder of held-out samples, evaluates a model on it, and trains one."""

from __future__ import annotations

import pytest

from curation.export.run import export
from tests.curation.export.mixes import make
from tests.interop.environments import check_training, needs, run

pytestmark = [pytest.mark.slow, needs("beir")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("mix") / "two")


@pytest.fixture(scope="module")
def read(made, tmp_path_factory):
    root = tmp_path_factory.mktemp("beir")
    export(made.root, "beir", root / "to")
    return run("beir", {"folder": str(root / "to"), "texts": made.texts}, root / "work")


def of(made) -> list[dict]:
    """Return the samples that an export has."""
    return [sample for sample in made.validation if sample["family"] == "retrieval"]


def test_its_loader_has_all_queries_documents_and_answers(made, read):
    samples = of(made)
    assert sorted(read["queries"].values()) == sorted(sample["query"] for sample in samples)
    texts = {number: document["text"] for number, document in read["corpus"].items()}
    named = {n for s in samples for n in (s["positive_id"], *s["other_positive_ids"], *s["negative_ids"])}
    assert texts == {str(number): made.texts[number] for number in named}
    answers = {(read["queries"][query], texts[d]) for query, of in read["judged"].items() for d in of}
    assert answers == {(s["query"], text) for s in samples for text in made.positives(s)}


def test_its_search_and_its_measures_take_the_set(read):
    assert read["scores"]["Recall@1000"] == 1, "the whole corpus is within the first thousand"
    assert 0 <= read["scores"]["NDCG@1"] <= 1


def test_its_trainer_has_all_pairs_and_trains_two_steps(made, read):
    expected = [[s["query"], f" {text}"] for s in of(made) for text in made.positives(s)]
    assert sorted(read["trained"]["pairs"]) == sorted(expected), "it puts the title and a space before a document"
    check_training(read["trained"])
