"""ms-swift reads all rows of an export, its template gives the texts of the mix, and its trainer trains."""

from __future__ import annotations

import pytest

from curation.export.run import export
from tests.curation.export.mixes import make
from tests.interop.environments import check_training, needs, run

pytestmark = [pytest.mark.slow, needs("ms-swift")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("mix") / "two")


@pytest.fixture(scope="module")
def read(made, tmp_path_factory):
    root = tmp_path_factory.mktemp("ms_swift")
    export(made.root, "ms-swift", root / "to")
    job = {"files": sorted(map(str, (root / "to").rglob("*.jsonl"))), "texts": made.texts}
    return run("ms-swift", job, root / "work")


def said(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def test_its_loader_has_every_row_with_all_messages(made, read):
    rows = {row["messages"][0]["content"]: row for row in read["rows"]}
    assert len(read["rows"]) == len(rows) == len(made.train), "rows without negatives too"
    for sample in made.train:
        row = rows[sample["query"]]
        assert row["messages"] == said(sample["query"])
        assert row["positive_messages"] == [said(sample["positive"])]
        assert (row["negative_messages"] or []) == [said(text) for text in made.negatives(sample)]


def test_its_template_for_qwen3_embedding_gives_the_texts_of_the_mix_and_the_end_token(made, read):
    expected = {s["query"]: [s["query"], s["positive"], *made.negatives(s)] for s in made.train}
    samples = [[text.removesuffix("<|endoftext|>") for text in texts] for texts in read["samples"]]
    assert all(text.endswith("<|endoftext|>") for texts in read["samples"] for text in texts)
    assert {query: [query, *others] for query, *others in samples} == expected


def test_its_trainer_trains_two_steps(read):
    check_training(read["trained"])
