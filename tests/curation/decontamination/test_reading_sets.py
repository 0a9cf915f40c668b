"""Evaluation sets become texts: MTEB's tasks from a local Hub, and folders in BEIR's layout."""

import gzip
import json
from dataclasses import replace

import pytest
import yaml

from curation.decontamination.evaluation_sets import EvaluationTask
from curation.decontamination.origins import EvaluationSet, fetch_set
from curation.decontamination.step.texts import Gather, TextSettings, path_of, read_texts
from curation.raw_copies import RawCopies
from open_ml_embed.core.errors import FetchError, SchemaError
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Outputs, Task
from sources.fetch import FetchOptions
from tests.sources.rawkit.tables import parquet, retrieval
from tests.support.hub.server import serving


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path)


class Shelf:
    """A Hub to put tasks on, and the way from there to texts."""

    def __init__(self, root):
        self.root = root
        self.hub = root / "hub"

    def repository(self, repo, ref="main"):
        folder = self.hub / repo / ref
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def task(self, name, kind, **said):
        return EvaluationTask(
            name=name,
            type=kind,
            **{"repo": f"mteb/{name}", "splits": ["test"], "subsets": {"default": "eng-Latn"}} | said,
        )

    def texts(self, name, kind, documents="judged", **said):
        """Fetch a task at its commit and return (subset, role, id, text) of all its texts."""
        with serving(self.hub, page=500) as server:
            task = self.task(name, kind, revision=server.commit(f"mteb/{name}", "main"), **said)
            options = FetchOptions(str(self.root / "raw"), endpoint=server.endpoint)
            raw = fetch_set(EvaluationSet("mteb", name, task), options)
            asked = len(server.seen)
            again = fetch_set(EvaluationSet("mteb", name, task), options)
            assert len(server.seen) == asked, "a commit that is here is not asked for again"
            assert again == raw
        return self.gathered(raw, documents)

    def gathered(self, raw, documents="judged"):
        store = Store(str(self.root / "work"))
        path = path_of(raw.which)
        self.stats = Gather(TextSettings(documents=documents)).run(
            Task(path, (), (raw, RawCopies(str(self.root)))), store, Outputs(store, Gather.name, path)
        )
        columns = read_texts(store, path).to_pylist()
        return [(r["subset"], r["role"], r["text_id"], r["text"]) for r in columns]


def test_a_retrieval_task_gives_its_queries_and_the_documents_they_are_judged_by(shelf):
    home = shelf.repository("mteb/Ferries")
    for subset, lang in (("da", "dansk"), ("nb", "norsk")):
        retrieval(
            home,
            subset,
            queries={"q1": f"hvornår går færgen {lang}", "q2": f"ingen dom {lang}"},
            corpus={
                "c1": {"title": "Færger", "text": f"Klokken  seks {lang}."},
                "c2": {"title": "", "text": f"Aldrig {lang}."},
                "c3": {"title": "", "text": f"Ikke relevant {lang}."},
            },
            judged=[("q1", "c1", 1), ("q1", "c3", 0)],
            shards=2,
        )
    subsets = {"da": "dan-Latn", "nb": "nob-Latn"}
    found = shelf.texts("Ferries", "Retrieval", subsets=subsets, splits=["train"])
    assert found == [
        (subset, role, key, text)
        for subset, lang in (("da", "dansk"), ("nb", "norsk"))
        for role, key, text in (
            ("query", "q1", f"hvornår går færgen {lang}"),
            ("document", "c1", f"Færger Klokken seks {lang}."),
        )
    ]
    assert shelf.stats["texts"] == {"document": 2, "query": 2}
    everything = shelf.texts("Ferries", "Retrieval", "all", subsets=subsets, splits=["train"])
    assert sorted(key for _, role, key, _ in everything if role == "document") == ["c1", "c1", "c2", "c2", "c3", "c3"]


def test_a_repository_in_beirs_own_layout_is_read_by_file_names(shelf):
    beir(shelf.repository("mteb/old"))
    assert shelf.texts("old", "Retrieval") == BEIR_TEXTS


def test_pairs_classes_and_lists_of_texts(shelf):
    parquet(
        shelf.repository("mteb/Alike") / "data/test-00000-of-00001.parquet",
        [{"sentence1": "a boat leaves", "sentence2": "a ship departs", "score": 4.2, "genre": "news of the day"}],
    )
    assert shelf.texts("Alike", "STS") == [
        ("default", "query", "data/test-00000-of-00001.parquet:sentence1:0", "a boat leaves"),
        ("default", "document", "data/test-00000-of-00001.parquet:sentence2:0", "a ship departs"),
    ]
    home = shelf.repository("mteb/Topics")
    lines = [{"text": "it rained", "label": 3, "label_text": "weather report"}, {"text": None, "label": 1}]
    (home / "test.jsonl.gz").write_bytes(gzip.compress("".join(json.dumps(x) + "\n" for x in lines).encode()))
    (home / "train.jsonl.gz").write_bytes(gzip.compress(b'{"text": "not this one", "label": 1}\n'))
    assert [text for *_, text in shelf.texts("Topics", "Classification")] == ["it rained"]
    parquet(
        shelf.repository("mteb/Groups") / "test.parquet",
        [{"sentences": ["one two three", "four five six"], "labels": ["a", "b"]}, {"sentences": [], "labels": []}],
    )
    assert [text for *_, text in shelf.texts("Groups", "Clustering")] == ["one two three", "four five six"]


def test_subsets_are_configurations_of_the_card(shelf):
    home = shelf.repository("mteb/Bitexts")
    configs = [
        {"config_name": f"{a}-en", "data_files": [{"split": "test", "path": f"{a}/*.tsv"}]} for a in ("de", "fr")
    ]
    (home / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': configs})}---\n")
    for folder, text in (("de", "guten Morgen"), ("fr", "bonjour à tous")):
        (home / folder).mkdir()
        (home / folder / "x.tsv").write_text(f"sentence1\tsentence2\n{text}\tgood morning all\n")
    found = shelf.texts("Bitexts", "BitextMining", subsets={"de-en": "deu-Latn eng-Latn"})
    assert [(subset, role, text) for subset, role, _, text in found] == [
        ("de-en", "query", "guten Morgen"),
        ("de-en", "document", "good morning all"),
    ]


def test_columns_of_other_names_are_those_the_task_says_or_all_texts(shelf):
    home = shelf.repository("mteb/Odd")
    (home / "test.jsonl").write_text(
        json.dumps({"id": "7", "item": "a word or two", "choices": ["this is one", "that is"], "url": "http://x.y z"})
        + "\n"
    )
    named = shelf.texts("Odd", "Classification", columns={"query": ["item"]})
    assert [text for *_, text in named] == ["a word or two"]
    assert [text for *_, text in shelf.texts("Odd", "Classification")] == [
        "a word or two",
        "this is one",
        "that is",
    ]


def test_a_task_arranged_by_code_is_read_as_its_files_are(shelf):
    home = shelf.repository("mteb/Coded")
    parquet(home / "data/test.parquet", [{"question": "who goes there", "answers": "nobody of note", "label": "x y z"}])
    with pytest.raises(FetchError, match="no files of corpus/default/test, queries/default/test"):
        shelf.texts("Coded", "Retrieval")
    found = shelf.texts("Coded", "Retrieval", own_loading=True)
    assert [(role, text) for _, role, _, text in found] == [("query", "who goes there"), ("query", "nobody of note")]


def test_a_missing_split_names_what_there_is(shelf):
    parquet(shelf.repository("mteb/Split") / "train.parquet", [{"text": "only this"}])
    with pytest.raises(FetchError, match="it has: train"):
        shelf.texts("Split", "Classification")


def test_a_format_that_nobody_reads_is_refused(shelf):
    (shelf.repository("mteb/Pickled") / "test.pkl").write_bytes(b"\x80")
    with pytest.raises(FetchError, match="no files of rows/default/test"):
        shelf.texts("Pickled", "Classification")
    raw = fetch_set(folder_of(beir(shelf.root / "folder")), FetchOptions(str(shelf.root)))
    with pytest.raises(SchemaError, match="no Parquet"):
        shelf.gathered(replace(raw, files=tuple(replace(f, name=f"{f.name}.pkl") for f in raw.files)))


def test_bad_records_are_counted_and_passed_over(shelf):
    home = beir(shelf.root / "folder")
    with (home / "queries.jsonl").open("a") as file:
        file.write('{"_id": "q9", "text"\n')
    raw = fetch_set(folder_of(home), FetchOptions(str(shelf.root)))
    assert shelf.gathered(raw) == BEIR_TEXTS
    assert shelf.stats["quarantined"] == {"invalid-json": 1}


BEIR_TEXTS = [
    ("default", "query", "q1", "when does it leave"),
    ("default", "document", "1", "Ferries They leave at six."),
]


def beir(home):
    (home / "qrels").mkdir(parents=True)
    (home / "queries.jsonl").write_text(
        '{"_id": "q1", "text": "when does it leave"}\n{"_id": "q2", "text": "for training"}\n'
    )
    (home / "corpus.jsonl").write_text(
        '{"_id": 1, "title": "Ferries", "text": "They leave at six."}\n'
        '{"_id": 2, "title": "", "text": "Nobody asks."}\n'
    )
    (home / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\t1\t2\n")
    (home / "qrels/train.tsv").write_text("query-id\tcorpus-id\tscore\nq2\t2\t1\n")
    return home


def folder_of(home, split=""):
    return EvaluationSet("folders", home.name, (str(home), split))


def test_a_folder_is_read_by_its_test_judgements(shelf):
    home = beir(shelf.root / "mine")
    options = FetchOptions(str(shelf.root))
    assert shelf.gathered(fetch_set(folder_of(home), options)) == BEIR_TEXTS
    trained = shelf.gathered(fetch_set(folder_of(home, "train"), options))
    assert [key for _, _, key, _ in trained] == ["q2", "2"]
    with pytest.raises(FetchError, match="splits: test, train"):
        fetch_set(folder_of(home, "dev"), options)
    with pytest.raises(FetchError, match="no such folder"):
        fetch_set(folder_of(shelf.root / "nowhere"), options)
    (home / "corpus.jsonl").unlink()
    with pytest.raises(FetchError, match="corpus"):
        fetch_set(folder_of(home), options)
