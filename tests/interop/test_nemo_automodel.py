"""NeMo Automodel's retrieval data set reads all questions and documents, and its recipe trains."""

from __future__ import annotations

import pytest

from curation.export.options import Options
from curation.export.run import export
from tests.curation.export.mixes import make
from tests.interop.environments import check_training, needs, run

pytestmark = [pytest.mark.slow, needs("nemo-automodel")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("mix") / "two")


@pytest.fixture(scope="module")
def read(made, tmp_path_factory):
    root = tmp_path_factory.mktemp("nemo_automodel")
    export(made.root, "nemotron", root / "to", Options(shard_rows=11))
    job = {"files": sorted(map(str, (root / "to").glob("*/train-*.json"))), "texts": made.texts}
    return run("nemo-automodel", job, root / "work")


def of(made) -> dict[str, dict]:
    """Return the samples that an export has, by query."""
    return {sample["query"]: sample for sample in made.train if sample["negative_ids"]}


def test_its_loader_has_every_question_and_every_document(made, read):
    (texts,) = read["corpora"].values()
    rows = {row["question"]: row for row in read["rows"]}
    assert len(read["rows"]) == len(rows)
    assert rows.keys() == of(made).keys()
    for query, sample in of(made).items():
        assert rows[query]["question_id"] == sample["row_id"]
        assert [texts[document["id"]] for document in rows[query]["pos_doc"]] == made.positives(sample)
        assert [texts[document["id"]] for document in rows[query]["neg_doc"]] == made.negatives(sample)


def test_its_samples_have_the_query_with_its_instruction_the_positive_and_the_first_negatives(made, read):
    expected = {}
    for query, sample in of(made).items():
        repeated = made.negatives(sample) * 2
        expected[query] = [sample["positive"], *repeated[:2]]
    assert {query: documents for query, *documents in read["samples"]} == expected


def test_its_recipe_trains_two_steps(read):
    check_training(read["trained"])
