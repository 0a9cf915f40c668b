"""MTEB tasks made on the spot from a mix: classes of mteb on local data, and a benchmark of them."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

SHARED = {
    "description": "Made on the spot.", "reference": None, "dataset": {"path": "none", "revision": "none"},
    "category": "t2t", "date": None, "domains": None,
    "task_subtypes": None, "license": None, "annotations_creators": None, "dialect": None, "sample_creation": None,
    "modalities": ["text"], "bibtex_citation": None,
}  # fmt: skip
SUBSETS = {"default": ["eng-Latn"]}


def pairs_of(mix: Path) -> list[dict[str, str]]:
    pairs = pq.read_table(mix / "samples" / "validation-00000.parquet").to_pylist()
    return [pair for pair in pairs if pair["family"] == "retrieval"]


def retrieval(mix: Path, name: str = "OnTheSpot", **metadata):
    """Return a retrieval task over the mix's held-out pairs; every subset and split has the same."""
    from datasets import Dataset
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    pairs = pairs_of(mix)
    fields = SHARED | {"eval_splits": ["test"], "eval_langs": ["eng-Latn"]} | metadata

    class Spot(AbsTaskRetrieval):
        loads = 0

        def load_data(self, **_):
            type(self).loads += 1
            queries = {"id": [f"q{i}" for i in range(len(pairs))], "text": [pair["query"] for pair in pairs]}
            corpus = {"id": [f"d{i}" for i in range(len(pairs))], "text": [pair["positive"] for pair in pairs]}
            corpus["title"] = [""] * len(pairs)
            split = {
                "queries": Dataset.from_dict(queries),
                "corpus": Dataset.from_dict(corpus),
                "relevant_docs": {f"q{i}": {f"d{i}": 1} for i in range(len(pairs))},
                "top_ranked": None,
            }
            self.dataset = {s: {e: dict(split) for e in self.eval_splits} for s in self.hf_subsets}
            self.data_loaded = True

    Spot.metadata = TaskMetadata(
        name=name, type="Retrieval", main_score="ndcg_at_10", prompt="Find the cipher", **fields
    )  # fmt: skip
    return Spot()


def clustering(mix: Path, name: str = "SpotClustering"):
    """Return a clustering task whose scores depend on the samples that are drawn: two subsets of the same texts."""
    from datasets import Dataset, DatasetDict
    from mteb.abstasks import AbsTaskClustering
    from mteb.abstasks.task_metadata import TaskMetadata

    texts = [pair["query"] for pair in pairs_of(mix)]
    fields = SHARED | {"eval_splits": ["test"], "eval_langs": {"a": ["eng-Latn"], "b": ["eng-Latn"]}}

    class Spot(AbsTaskClustering):
        max_document_to_embed = len(texts) // 2
        max_fraction_of_documents_to_embed = None
        max_documents_per_cluster = 8
        n_clusters = 3

        def load_data(self, **_):
            data = Dataset.from_dict({"sentences": texts, "labels": [i % 3 for i in range(len(texts))]})
            self.dataset = {subset: DatasetDict({"test": data}) for subset in self.hf_subsets}
            self.data_loaded = True

    Spot.metadata = TaskMetadata(name=name, type="Clustering", main_score="v_measure", prompt="Group", **fields)
    return Spot()


def use(monkeypatch, tasks, benchmarks=()) -> None:
    """Let mteb know some tasks and benchmarks beside its own."""
    import mteb

    known, named, listed = mteb.get_tasks, mteb.get_task, mteb.get_benchmarks
    own = {task.metadata.name: task for task in tasks}
    monkeypatch.setattr(mteb, "get_tasks", lambda **options: [*known(**options), *own.values()])
    monkeypatch.setattr(mteb, "get_task", lambda name: own.get(name) or named(name))
    monkeypatch.setattr(mteb, "get_benchmarks", lambda: [*listed(), *benchmarks])
