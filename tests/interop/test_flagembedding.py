"""FlagEmbedding reads all rows of an export, takes the instruction and the folder's name as meant, and trains."""

from __future__ import annotations

import pytest

from curation.export.run import export
from tests.curation.export.mixes import make
from tests.interop.environments import check_training, needs, run

pytestmark = [pytest.mark.slow, needs("flagembedding")]
FOLDERS = {"retrieval": "retrieval", "clustering": "clustering_no_in_batch_neg",
           "classification": "classification_no_in_batch_neg"}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("mix") / "two")


@pytest.fixture(scope="module")
def read(made, tmp_path_factory):
    root = tmp_path_factory.mktemp("flagembedding")
    export(made.root, "flagembedding", root / "to")
    job = {
        "folders": [str(root / "to" / name) for name in FOLDERS.values()],
        "format": "Instruct: {}\\nQuery: {}",
        "texts": made.texts,
    }
    return run("flagembedding", job, root / "work")


def of(made) -> dict[str, dict]:
    """Return the samples that an export has, by query."""
    return {sample["query"]: sample for sample in made.train if sample["negative_ids"]}


def test_its_data_set_has_every_row_with_all_texts(made, read):
    rows = {f"Instruct: {row['prompt']}\nQuery: {row['query']}": (row["pos"], row["neg"]) for row in read["rows"]}
    assert len(read["rows"]) == len(rows)
    assert rows == {query: (made.positives(s), made.negatives(s)) for query, s in of(made).items()}


def test_its_samples_have_the_query_with_its_instruction_a_positive_and_negatives(made, read):
    samples = of(made)
    assert sorted(query for query, _ in read["samples"]) == sorted(samples)
    for query, (positive, *negatives) in read["samples"]:
        assert positive in made.positives(samples[query])
        assert len(negatives) == 2
        assert set(negatives) <= set(made.negatives(samples[query]))


def test_batches_of_one_folder_have_in_batch_negatives_in_retrieval_alone(made, read):
    samples, seen = of(made), set()
    for batch in read["batches"]:
        (family,) = {samples[query]["family"] for query in batch["queries"]}
        assert batch["alone"] == (family != "retrieval")
        seen.add(family)
    assert seen == set(FOLDERS)


@pytest.mark.parametrize("how", ["mixed", "batched"])
def test_its_trainer_trains_two_steps(read, how):
    check_training(read["trained"][how])
