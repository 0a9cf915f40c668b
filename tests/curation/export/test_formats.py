"""Every format holds the chosen samples with the right texts, as the programs that read it find them."""

from __future__ import annotations

import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, load_dataset

from curation.export.exporters import EXPORTERS
from curation.export.options import Options
from curation.export.run import export
from tests.curation.export.mixes import FAMILY, make

ALL = [name for name in EXPORTERS.names() if not EXPORTERS.get(name).tokens]
"""Those without a tokenizer; the others are in test_upstream.py."""
TEXTS = {"sentence-transformers", "flagembedding", "ms-swift", "triplets"}
FOLDERS = ("retrieval", "clustering", "classification")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("mix") / "two")


@pytest.fixture
def cache(tmp_path):
    return str(tmp_path / "cache")


def loaded(kind: str, files, cache: str) -> Dataset:
    return load_dataset(kind, data_files=sorted(map(str, files)), split="train", cache_dir=cache)


def bare(sample: dict) -> tuple[str, str]:
    first, _, query = sample["query"].partition("\nQuery: ")
    return first.removeprefix("Instruct: "), query


def with_negatives(samples: list[dict], least: int = 1) -> list[dict]:
    return [sample for sample in samples if len(sample["negative_ids"]) >= least]


def of(samples: list[dict], family: str) -> list[dict]:
    return [sample for sample in samples if sample["family"] == family]


@pytest.mark.parametrize("family", FOLDERS)
def test_sentence_transformers_reads_n_tuples(made, tmp_path, cache, family):
    done = export(made.root, "sentence-transformers", tmp_path / "to", Options(negatives=3, shard_rows=7))
    rows = loaded("parquet", (tmp_path / "to" / family).glob("*.parquet"), cache)
    assert rows.column_names == ["anchor", "positive", "negative_1", "negative_2", "negative_3"]
    expected = {s["query"]: (s["positive"], made.negatives(s)[:3]) for s in of(with_negatives(made.train, 3), family)}
    found = {r["anchor"]: (r["positive"], [r[f"negative_{i}"] for i in (1, 2, 3)]) for r in rows}
    assert found == expected
    assert len(rows) == len(expected) == done.families[family]
    assert max(done.files.values()) == 7


def test_its_own_number_of_negatives_is_the_family_s(made, tmp_path, cache):
    export(made.root, "sentence-transformers", tmp_path / "to", Options(shortage="repeat"))
    widths = {}
    for family in FOLDERS:
        rows = loaded("parquet", (tmp_path / "to" / family).glob("*.parquet"), cache)
        widths[family] = len(rows.column_names) - 2
    assert widths == {"retrieval": 7, "clustering": 9, "classification": 1}


def test_repeated_negatives_go_round_from_the_first(made, tmp_path, cache):
    done = export(made.root, "sentence-transformers", tmp_path / "to", Options(negatives=4, shortage="repeat"))
    rows = loaded("parquet", (tmp_path / "to").glob("*/*.parquet"), cache)
    samples = {s["query"]: s for s in with_negatives(made.train)}
    assert {r["anchor"] for r in rows} == samples.keys()
    for row in rows:
        own = made.negatives(samples[row["anchor"]])
        assert [row[f"negative_{i + 1}"] for i in range(4)] == [own[i % len(own)] for i in range(4)]
    assert done.repeated == sum(len(s["negative_ids"]) < 4 for s in samples.values())
    assert done.left_out == {"negatives": len(made.train) - len(samples)}


def test_a_model_is_trained_on_an_export(made, tmp_path, cache):
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    export(made.root, "sentence-transformers", tmp_path / "to", Options(negatives=2))
    rows = loaded("parquet", (tmp_path / "to/retrieval").glob("*.parquet"), cache)
    words = sorted({word for row in rows for text in row.values() for word in text.split()})
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(["?", *words])}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    torch.manual_seed(0)
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=8)], device="cpu")
    columns = [rows[name][:8] for name in rows.column_names]
    loss = MultipleNegativesRankingLoss(model)([model.preprocess(list(texts)) for texts in columns], None)
    loss.backward()
    assert model[0].embedding.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("family", FOLDERS)
def test_flagembedding_reads_lists(made, tmp_path, cache, family):
    folder = tmp_path / "to" / (family if family == "retrieval" else f"{family}_no_in_batch_neg")
    export(made.root, "flagembedding", tmp_path / "to")
    rows = loaded("json", folder.glob("*.jsonl"), cache)
    expected = {}
    for sample in of(with_negatives(made.train), family):
        prompt, query = bare(sample)
        expected[query] = (prompt, made.positives(sample), made.negatives(sample))
    assert {r["query"]: (r["prompt"], r["pos"], r["neg"]) for r in rows} == expected
    kinds = {"retrieval": "normal", "clustering": "symmetric_clustering", "classification": "symmetric_class"}
    assert set(rows["type"]) == {kinds[family]}


def test_without_instructions_there_is_no_prompt(tmp_path, cache):
    plain = make(tmp_path / "plain", instructed=False)
    export(plain.root, "flagembedding", tmp_path / "to")
    rows = loaded("json", (tmp_path / "to/retrieval").glob("*.jsonl"), cache)
    assert rows.column_names == ["query", "pos", "neg", "type"]
    assert set(rows["query"]) == {s["query"] for s in of(with_negatives(plain.train), "retrieval")}
    export(plain.root, "ms-swift", tmp_path / "swift")
    (message,) = loaded("json", (tmp_path / "swift/retrieval").glob("*.jsonl"), cache)[0]["messages"]
    assert message["role"] == "user"


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_kalm_has_a_folder_for_each_source(made, tmp_path, cache, kind):
    done = export(made.root, "kalm", tmp_path / "to", Options(negatives=3, files=kind))
    for source, count in done.sources.items():
        rows = loaded(kind.replace("jsonl", "json"), (tmp_path / "to/data" / source).glob(f"*.{kind}"), cache)
        assert rows.column_names == ["query", "pos", "neg"]
        samples = {s["query"]: s for s in with_negatives(made.train) if s["source"] == source}
        assert {row["query"]: (row["pos"], row["neg"]) for row in rows} == {
            query: (made.positives(s), made.negatives(s)[:3]) for query, s in samples.items()
        }
        assert len(rows) == count
    assert done.sources.keys() == FAMILY.keys()


def test_kalm_s_trainer_finds_nothing_but_sources_in_its_folder(made, tmp_path, cache):
    """It lists the folder, and reads each entry as JSON: a README or a table beside them would end it."""
    done = export(made.root, "kalm", tmp_path / "to", Options(files="jsonl"))
    entries = {path.name: path for path in (tmp_path / "to/data").iterdir()}
    assert entries.keys() == done.sources.keys()
    for source, path in entries.items():
        rows = load_dataset("json", data_dir=str(path), split="train", cache_dir=cache)
        assert len(rows) == done.sources[source]
        assert all(isinstance(row["pos"], list) and row["pos"] and row["neg"] for row in rows)


@pytest.mark.parametrize("name", ["sentence-transformers", "tevatron", "triplets", "kalm"])
def test_each_kind_of_files_has_the_same_rows(made, tmp_path, name):
    rows = {}
    for kind in EXPORTERS.get(name).kinds:
        done = export(made.root, name, tmp_path / kind, Options(negatives=2, files=kind, shard_rows=9))
        assert all(path.endswith(f".{kind}") for path in done.files)
        rows[kind] = [row for path in done.files for row in read_back(tmp_path / kind / path, kind)]
        assert len(rows[kind]) == sum(done.files.values())
    assert rows["parquet"] == rows["jsonl"] == rows["jsonl.zst"]


def read_back(path, kind: str) -> list[dict]:
    if kind == "parquet":
        return pq.read_table(path).to_pylist()
    content = pa.input_stream(str(path), compression="zstd").read() if kind == "jsonl.zst" else path.read_bytes()
    return [json.loads(line) for line in content.decode().split("\n")[:-1]]


def test_tevatron_reads_ids_and_a_corpus(made, tmp_path, cache):
    export(made.root, "tevatron", tmp_path / "to", Options(shard_rows=40))
    rows = loaded("json", (p for f in FOLDERS for p in (tmp_path / "to" / f).glob("*.jsonl")), cache)
    corpus = loaded("json", (tmp_path / "to/corpus").glob("*.jsonl"), cache)
    texts = dict(zip(corpus["docid"], corpus["text"], strict=True))
    assert len(texts) == len(corpus)
    expected = {s["row_id"]: s for s in with_negatives(made.train)}
    assert set(rows["query_id"]) == expected.keys()
    for row in rows:
        sample = expected[row["query_id"]]
        assert row["query_text"] == sample["query"]
        assert [texts[i] for i in row["positive_document_ids"]] == made.positives(sample)
        assert [texts[i] for i in row["negative_document_ids"]] == made.negatives(sample)
    named = {i for row in rows for i in (*row["positive_document_ids"], *row["negative_document_ids"])}
    assert texts.keys() == named, "and no document that nobody names"


@pytest.mark.parametrize("family", FOLDERS)
def test_ms_swift_reads_messages(made, tmp_path, cache, family):
    export(made.root, "ms-swift", tmp_path / "to")
    rows = loaded("json", (tmp_path / "to" / family).glob("*.jsonl"), cache)
    samples = {s["query"]: s for s in of(made.train, family)}
    assert len(rows) == len(samples), "rows without negatives too"
    for row in rows:
        (message,) = row["messages"]
        sample = samples[message["content"]]
        assert message["role"] == "user", "templates put a system message elsewhere than before the query"
        assert row["positive_messages"] == [[{"role": "user", "content": sample["positive"]}]]
        said = [[{"role": "user", "content": text}] for text in made.negatives(sample)]
        assert row["negative_messages"] == said


def test_nemo_reads_questions_and_the_corpus_folder(made, tmp_path, cache):
    export(made.root, "nemotron", tmp_path / "to", Options(shard_rows=11))
    found = {}
    for file in sorted(path for family in FOLDERS for path in (tmp_path / "to" / family).glob("*.json")):
        data = json.loads(file.read_text("utf-8"))
        (place,) = data["corpus"]
        assert len(data["data"]) <= 11
        found |= {row["question_id"]: row for row in data["data"]}
        folder = (file.parent / place["path"]).resolve()
    assert json.loads((folder / "merlin_metadata.json").read_text()) == {
        "class": "TextQADataset",
        "corpus_id": "corpus",
    }
    corpus = load_dataset(str(folder), cache_dir=cache)["train"]  # as the reader loads it
    texts = dict(zip(corpus["id"], corpus["text"], strict=True))
    expected = {s["row_id"]: s for s in with_negatives(made.train)}
    assert found.keys() == expected.keys()
    for row_id, row in found.items():
        sample = expected[row_id]
        assert (row["question"], row["corpus_id"]) == (sample["query"], "corpus")
        assert [texts[one["id"]] for one in row["pos_doc"]] == made.positives(sample)
        assert [texts[one["id"]] for one in row["neg_doc"]] == made.negatives(sample)


def test_triplets_have_a_row_for_each_negative(made, tmp_path, cache):
    done = export(made.root, "triplets", tmp_path / "to", Options(negatives=3, shard_rows=13))
    rows = loaded("parquet", (tmp_path / "to").glob("*/*.parquet"), cache)
    assert rows.column_names == ["anchor", "positive", "negative"]
    expected = Counter((s["query"], s["positive"], negative) for s in made.train for negative in made.negatives(s)[:3])
    assert Counter(tuple(row.values()) for row in rows) == expected
    assert sum(done.files.values()) == expected.total()


def test_beir_has_queries_corpus_and_judgements_that_agree(made, tmp_path):
    done = export(made.root, "beir", tmp_path / "to")
    lines = {
        name: [json.loads(line) for line in (tmp_path / "to" / f"{name}.jsonl").read_text("utf-8").split("\n")[:-1]]
        for name in ("queries", "corpus")
    }
    samples = {s["row_id"]: s for s in of(made.validation, "retrieval")}
    assert {row["_id"]: row["text"] for row in lines["queries"]} == {i: s["query"] for i, s in samples.items()}
    corpus = {row["_id"]: row["text"] for row in lines["corpus"]}
    head, *judged = [line.split("\t") for line in (tmp_path / "to/qrels/test.tsv").read_text().splitlines()]
    assert head == ["query-id", "corpus-id", "score"]
    answers = Counter((query, corpus[document]) for query, document, _ in judged)
    assert answers == Counter((i, text) for i, s in samples.items() for text in made.positives(s))
    assert set(corpus.values()) == {t for s in samples.values() for t in (*made.positives(s), *made.negatives(s))}
    assert done.left_out == {"family": len(made.validation) - len(samples)}


@pytest.mark.parametrize("name", ALL)
def test_the_readme_has_every_column_and_configurations_that_load(made, tmp_path, cache, name):
    asked = Options(shortage="repeat") if EXPORTERS.get(name).fixed else Options(negatives=2)
    done = export(made.root, name, tmp_path / "to", asked)
    text = (tmp_path / "to/README.md").read_text("utf-8")
    assert all(f"| `{column}` |" in text for column in EXPORTERS.get(name).columns)
    said = "--shortage repeat" if EXPORTERS.get(name).fixed else "--negatives 2"
    assert f"curate export two --format {name} --to FOLDER {said}" in text
    assert f"{done.samples:,} of the {done.total:,} samples" in text
    if name in TEXTS:
        rows = load_dataset(str(tmp_path / "to"), "retrieval", split="train", cache_dir=cache)
        assert len(rows) == done.files[next(f for f in done.files if f.startswith("retrieval/"))]


def test_the_families_of_the_made_mix_are_all_there():
    assert set(FAMILY.values()) == set(FOLDERS)
