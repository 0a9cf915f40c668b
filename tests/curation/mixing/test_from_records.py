"""A mix from records, against what the records say in plain Python."""

from __future__ import annotations

from pathlib import Path

import datasets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.mixing import from_records
from curation.mixing.files import SPLITS, MixFiles
from curation.mixing.schemas import DOCUMENT_SCHEMA, SAMPLE_SCHEMA
from open_ml_embed import Mix
from open_ml_embed.core.errors import SchemaError, SettingsError

TEXTS = st.sampled_from(["salt", "ice", "water melts", "é 漢", "a longer text with words", "x"])
RECORDS = st.lists(
    st.fixed_dictionaries(
        {"query": TEXTS, "positive": TEXTS | st.lists(TEXTS, min_size=1, max_size=3)},
        optional={"negatives": st.none() | st.lists(TEXTS, max_size=3), "negative_2": TEXTS, "negative_10": TEXTS},
    ),
    min_size=1,
    max_size=20,
)


def listed(value) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def read(folder: Path):
    mix = MixFiles(folder)
    texts = [row for batch in mix.read("documents", DOCUMENT_SCHEMA.names) for row in batch.to_pylist()]
    samples = {s: [row for b in mix.read(s, SAMPLE_SCHEMA.names) for row in b.to_pylist()] for s in SPLITS}
    return texts, samples


@settings(max_examples=60, deadline=None)
@given(records=RECORDS, share=st.sampled_from([0.0, 0.3]), rows=st.integers(1, 5))
def test_the_samples_are_the_records(tmp_path_factory, records, share, rows):
    folder = tmp_path_factory.mktemp("made") / "mix"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(from_records, "BATCH_ROWS", rows)
        patch.setattr(from_records, "FILE_ROWS", 4)
        try:
            Mix.from_records(records, folder, validation=share, instruction="Find it.", language="eng")
        except SettingsError:
            assert share
            assert not folder.exists()
            return
    documents, samples = read(folder)
    texts = [document["text"] for document in documents]
    assert len(set(texts)) == len(texts)
    assert [document["document_id"] for document in documents] == list(range(len(texts)))
    held_out = {sample["query"] for sample in samples["validation"]}
    held_texts = {texts[n] for s in samples["validation"] for n in (s["positive_id"], *s["other_positive_ids"])}
    expected = {split: [] for split in SPLITS}
    for record in records:
        positives = list(dict.fromkeys(listed(record["positive"])))
        given_ = [
            *listed(record.get("negatives")),
            *listed(record.get("negative_2")),
            *listed(record.get("negative_10")),
        ]
        negatives = [text for text in dict.fromkeys(given_) if text not in positives]
        query = f"Instruct: Find it.\nQuery: {record['query']}"
        split = "validation" if query in held_out else "train"
        if split == "validation" or held_texts.isdisjoint(positives):
            expected[split].append((query, positives, negatives))
    found = {
        split: [
            (
                sample["query"],
                [texts[n] for n in (sample["positive_id"], *sample["other_positive_ids"])],
                [texts[n] for n in sample["negative_ids"]],
            )
            for sample in samples[split]
        ]
        for split in SPLITS
    }
    assert found == expected
    clusters = {sample["query"]: sample["query_cluster"] for split in SPLITS for sample in samples[split]}
    assert len(set(clusters.values())) == len(clusters)
    assert all(sample["positive"] == texts[sample["positive_id"]] for split in SPLITS for sample in samples[split])


def test_a_hugging_face_dataset_and_other_names_of_columns_do(tmp_path):
    data = datasets.Dataset.from_dict({"anchor": ["a b"], "pos": [["c d", "e f"]], "neg": [["g h"]]})
    mix = Mix.from_records(data, tmp_path / "mix", source="faq", family="classification")
    assert repr(mix).endswith("1 samples to train on, 0 held out, 3 documents)")
    assert mix.statistics.table.to_pylist() == [
        {"source": "faq", "family": "classification", "train": 1, "validation": 0}
    ]


@pytest.mark.parametrize(
    ("record", "what"),
    [
        ({"query": "a"}, "without a positive"), ({"positive": "a"}, "without a query"), ({}, "it has nothing"),
        ({"query": "", "positive": "a"}, "query holds no text"), ({"query": "a", "positive": []}, "holds no text"),
        ({"query": "a", "positive": None}, "holds no text: None"),
        ({"query": ["a", "b"], "positive": "c"}, "one query"),
        ({"query": "a", "positive": "b", "negative": [3]}, "negative holds no text: 3"),
        ({"query": "a", "positive": "half \ud800"}, "holds no text"),
    ],
)  # fmt: skip
def test_a_record_that_is_none_is_named(tmp_path, record, what):
    with pytest.raises(SchemaError, match=what) as caught:
        Mix.from_records([{"query": "q", "positive": "p"}, record], tmp_path / "mix")
    assert caught.value.where == "record 1"
    assert list(tmp_path.iterdir()) == []


def test_values_that_cannot_be_are_refused(tmp_path):
    record = {"query": "q", "positive": "p"}
    for values, what in (
        ({"family": "other"}, "no family"),
        ({"validation": 1.0}, "no share"),
        ({"source": "A b"}, "no name"),
    ):
        with pytest.raises(SettingsError, match=what):
            Mix.from_records([record], tmp_path / "mix", **values)
    Mix.from_records([record], tmp_path / "mix")
    with pytest.raises(SettingsError, match="there already"):
        Mix.from_records([record], tmp_path / "mix")
