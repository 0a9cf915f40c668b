"""The files of the trainer of F2LLM: names that it knows, exact numbers of negatives, and the corpus of token ids."""

from __future__ import annotations

import json
from collections import Counter, defaultdict

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from curation.export.formats import upstream
from curation.export.options import Options
from curation.export.run import export
from open_ml_embed.core.errors import SettingsError
from sources import registry
from sources.released import NEGATIVES, read_release
from tests.curation.export.mixes import Made, write

POOLS = [
    ("squad", "en", "retrieval", "squad"), ("paq", "en", "retrieval", "paq|paq_part2"),
    ("mr_tydi", "english", "retrieval", "mrtidy"), ("mmarco", "german", "retrieval", "mmarco_german"),
    ("xcodeeval_nl2code", "csharp", "retrieval", "xcodeeval_nl2code_C#"),
    ("clirmatrix", "de2en", "retrieval", "clirmatrix_ja-de"), ("webfaq", "cor", "retrieval", "unlisted/webfaq-cor"),
    ("europarl", "all", "clustering", "europarl"), ("arxiv_clustering_p2p", "en", "clustering", "arxiv_clustering_p2p"),
    ("mela", "en", "classification", "mela"), ("scala", "sv", "classification", "mela"),
    ("dala", "da", "classification", "mela"), ("imdb", "en", "classification", "imdb"),
    ("debian_descriptions", "de", "retrieval", "unlisted/debian_descriptions-de"),
    ("fever", "en", "clustering", "unlisted/fever-en"),
]  # fmt: skip
"""Source, subset, family, and the file; `fever` is a retrieval source, so that the file of its name is not for it, and
`webfaq` has no subset `cor`."""
ROWS = 9


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    """Write a mix of `ROWS` samples of each pool, of which the first has a negative too few."""
    texts = [f"document {d}" for d in range(700)]
    samples = []
    for n, (source, subset, family, _) in enumerate(POOLS):
        for i in range(ROWS):
            row = n * ROWS + i
            count = NEGATIVES[family] - (i == 0)
            samples.append(
                {
                    "row_id": f"{row:032x}", "source": source, "subset": subset, "license": "MIT", "family": family,
                    "provenance": [f"{source}/{subset}"], "task": "t", "language": "eng", "positive_language": "eng",
                    "query": f"Instruct: Find it.\nQuery: {source} {subset} {i}", "other_queries": [],
                    "positive": texts[row], "query_cluster": row, "positive_id": row, "other_positive_ids": [],
                    "negative_ids": [200 + (row * 31 + k * 7) % 500 for k in range(count)],
                }
            )  # fmt: skip
    return write(tmp_path_factory.mktemp("mix") / "mix", {"train": samples, "validation": samples[:2]}, texts)


def pool_of(query: str) -> tuple[str, str]:
    source, subset, _ = query.partition("\nQuery: ")[2].split(" ")
    return source, subset


@pytest.mark.parametrize("shortage", ["drop", "repeat"])
def test_each_file_has_the_rows_of_its_sources_in_the_columns_that_step_1_reads(made, tmp_path, shortage):
    done = export(made.root, "upstream", tmp_path / "to", Options(shortage=shortage))
    expected = {
        s["query"]: s for s in made.train
        if len(s["negative_ids"]) == NEGATIVES[s["family"]] or (shortage == "repeat" and s["negative_ids"])
    }  # fmt: skip
    found: dict[str, str] = {}
    for path in sorted((tmp_path / "to").rglob("*.parquet")):
        table = pq.read_table(path)
        (family,) = {expected[query]["family"] for query in table["query"].to_pylist()}
        width = {"retrieval": 24, "clustering": 24, "classification": 1}[family]
        assert table.schema.names == ["query", "passage", *(f"negative_{i + 1}" for i in range(width))]
        assert {str(field.type) for field in table.schema} == {"string"}
        assert not any(column.null_count for column in table.columns)
        for row in table.to_pylist():
            sample = expected[row["query"]]
            own = made.negatives(sample)
            assert row["passage"] == sample["positive"]
            assert [row[f"negative_{i + 1}"] for i in range(width)] == [own[i % len(own)] for i in range(width)]
            assert row["query"] not in found, "a sample is in one file"
            found[row["query"]] = path.relative_to(tmp_path / "to").as_posix()
    assert found.keys() == expected.keys()
    assert done.samples == len(found)
    files = defaultdict(set)
    for query, path in found.items():
        files[pool_of(query)].add(path.removeprefix("raw_training_data/").removesuffix(".parquet"))
    names = {(source, subset): name for source, subset, _, name in POOLS}
    assert {pool: "|".join(sorted(paths)) for pool, paths in files.items()} == names
    assert not (tmp_path / "to/raw_training_data/README.md").exists(), "step 1 would read it as parquet"


def test_parts_of_a_subset_differ_by_one_row_at_most(made, tmp_path):
    done = export(made.root, "upstream", tmp_path / "to", Options(shortage="repeat"))
    sizes = [done.files[f"raw_training_data/{name}.parquet"] for name in ("paq", "paq_part2")]
    assert sum(sizes) == ROWS
    assert max(sizes) - min(sizes) == 1


def test_the_table_beside_the_files_says_whose_each_row_is(made, tmp_path):
    done = export(made.root, "upstream", tmp_path / "to")
    table = read_release(tmp_path / "to/release.tsv")
    assert {f"{name}.parquet" for name in table.by_file} == {
        path.rpartition("/")[2] for path in done.files if path.endswith(".parquet")
    }
    for path in (tmp_path / "to").rglob("*.parquet"):
        sources = [pool_of(query)[0] for query in pq.read_table(path)["query"].to_pylist()]
        said = [""] * len(sources)
        for line in table.by_file[path.stem]:
            end = len(sources) if line.end is None else line.end
            said[line.first : end] = [line.source] * (end - line.first)
        assert said == sources


def test_files_of_unknown_names_and_large_files_are_named(made, tmp_path, monkeypatch):
    monkeypatch.setattr(upstream, "DRAWN", 8)
    done = export(made.root, "upstream", tmp_path / "to", Options(shortage="repeat"))
    unknown = [note for note in done.notes if "does not know the name" in note]
    assert [note.partition(",")[0] for note in unknown] == [
        "unlisted/debian_descriptions-de.parquet", "unlisted/fever-en.parquet", "unlisted/webfaq-cor.parquet",
    ]  # fmt: skip
    large = {note.partition(".parquet")[0] for note in done.notes if "draws 8" in note}
    assert {"squad", "mela"} <= large
    assert not large & {"paq", "paq_part2"}
    text = (tmp_path / "to/README.md").read_text("utf-8")
    assert all(f"- {note}" in text for note in done.notes)


def test_files_that_step_2_cannot_split_are_named(made, tmp_path):
    """Step 2 splits each file by `train_test_split(train_size=0.99)` of `datasets`, which leaves nothing of one row."""
    done = export(made.root, "upstream", tmp_path / "to", Options(shortage="repeat", limit=30))
    refused = set()
    for path in sorted((tmp_path / "to/raw_training_data").glob("*.parquet")):
        rows = load_dataset("parquet", data_files=str(path), cache_dir=str(tmp_path / "cache"))["train"]
        try:
            rows.train_test_split(train_size=0.99, seed=0)
        except ValueError:
            refused.add(path.name)
    named = {note.partition(" has one row")[0] for note in done.notes if "has one row" in note}
    assert refused == {name for name in named if (tmp_path / "to/raw_training_data" / name).is_file()}
    assert refused


def test_the_numbers_of_negatives_are_the_reader_s(made, tmp_path):
    with pytest.raises(SettingsError, match="24 in retrieval, 24 in clustering, 1 in classification"):
        export(made.root, "upstream", tmp_path / "to", Options(negatives=7))


def test_every_subset_of_the_corpus_has_a_file_and_every_file_a_source():
    release = read_release()
    assert (len(release.by_file), len({row.source for row in release.rows})) == (500, 157)
    for manifest in registry.load_all("ml-embed"):
        for name, subset in manifest.subsets.items():
            lines = release.files_of(manifest.name, name, manifest.family)
            assert lines, f"{manifest.name}/{name}"
            for line in lines:
                assert line.task == manifest.task
                assert line.query_language in ("", subset.query_lang)
                assert line.positive_language in ("", subset.positive_lang or subset.query_lang)
    known = {m.name: m for m in registry.load_all()}
    for row in release.rows:
        if row.source in known:
            assert set(row.subsets) <= set(known[row.source].subsets)
    mela = [(row.source, row.first, row.end) for row in release.by_file["mela"]]
    assert mela == [("mela", 0, 40267), ("scala", 40267, 168738), ("dala", 168738, None)]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["?", "<end>", "document", "Instruct", "Query", *map(str, range(700))]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    folder = tmp_path_factory.mktemp("tokenizer")
    PreTrainedTokenizerFast(tokenizer_object=made, unk_token="?", eos_token="<end>").save_pretrained(folder)
    return folder


def test_step_2_reads_ids_of_queries_and_one_corpus(made, tmp_path, tokenizer):
    from transformers import AutoTokenizer

    export(made.root, "upstream-tokenized", tmp_path / "to", Options(tokenizer=tokenizer))
    theirs = AutoTokenizer.from_pretrained(tokenizer)

    def tokens(text: str) -> list[int]:
        return [*theirs(text, max_length=2047, truncation=True).input_ids, theirs.eos_token_id]

    folder = tmp_path / "to/tokenized_training_data"
    corpus = load_dataset("parquet", data_files=str(folder / "corpus.parquet"), cache_dir=str(tmp_path / "c"))["train"]
    ids = dict(zip(corpus["doc_id"], corpus["input_ids"], strict=True))
    assert len(ids) == len(corpus)
    text_of = {str(number): text for number, text in enumerate(made.texts)}
    assert all(ids[name] == tokens(text_of[name]) for name in ids)
    expected = Counter()
    for sample in made.train:
        if len(sample["negative_ids"]) == NEGATIVES[sample["family"]]:
            expected[tuple(tokens(sample["query"])), sample["positive"], tuple(made.negatives(sample))] += 1
    found = Counter()
    for path in [*folder.glob("*_query.parquet"), *(tmp_path / "to/unlisted").glob("*_query.parquet")]:
        for row in pq.read_table(path).to_pylist():
            names = [row[key] for key in row if key.startswith("negative_")]
            assert all(name in ids for name in [row["passage_input_ids"], *names])
            negatives = tuple(text_of[name] for name in names)
            found[tuple(row["query_input_ids"]), text_of[row["passage_input_ids"]], negatives] += 1
    assert found == expected


def test_long_texts_are_cut_before_the_end_token(tokenizer):
    from open_ml_embed.core.tokenizer_file import TextTokenizer

    short = TextTokenizer(tokenizer, where="--tokenizer", longest=3)
    assert short.encode(["document 1 2 3 4"]) == [[2, 6, 7]]
    assert short.end == 1


def test_a_tokenizer_is_needed_and_has_an_end_token(made, tmp_path, tokenizer):
    with pytest.raises(SettingsError, match="no tokenizer is named"):
        export(made.root, "upstream-tokenized", tmp_path / "to")
    with pytest.raises(SettingsError, match="has texts, not tokens"):
        export(made.root, "upstream", tmp_path / "to", Options(tokenizer=tokenizer))
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "tokenizer.json").write_bytes((tokenizer / "tokenizer.json").read_bytes())
    (bare / "tokenizer_config.json").write_text(json.dumps({}))
    with pytest.raises(SettingsError, match="does not name an end token"):
        export(made.root, "upstream-tokenized", tmp_path / "to", Options(tokenizer=bare))
    with pytest.raises(SettingsError, match="no such tokenizer"):
        export(made.root, "upstream-tokenized", tmp_path / "to", Options(tokenizer=tmp_path / "none"))
    assert not (tmp_path / "to").exists()
