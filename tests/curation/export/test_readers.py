"""Exports are opened, and trained or evaluated on, by the programs themselves, as far as they are dependencies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from datasets import load_dataset

from curation.export.exporters import EXPORTERS
from curation.export.options import Options
from curation.export.run import export
from tests.curation.export.mixes import make
from tests.interop.environments import version
from tests.support import ROOT

OTHERS = {"FlagEmbedding": "flagembedding", "ms-swift": "ms-swift", "NeMo Automodel": "nemo-automodel", "BEIR": "beir"}
"""Programs as the page names them → their environment."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("mix") / "two")


def loaded(files, cache: Path):
    return load_dataset("parquet", data_files=sorted(map(str, files)), split="train", cache_dir=str(cache))


def small_model(texts: list[str]):
    """Return a model of sentence-transformers with a word of these texts for each token."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["?", *sorted({word for text in texts for word in text.split()} - {"?"})]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    torch.manual_seed(0)
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")


def trained(rows, loss_name: str, folder: Path) -> tuple[int, float]:
    """Train two steps with the trainer of sentence-transformers; return the steps, and how far the weights moved."""
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer import losses

    model = small_model([text for row in rows for text in row.values()])
    before = model[0].embedding.weight.detach().clone()
    arguments = SentenceTransformerTrainingArguments(
        str(folder), max_steps=2, per_device_train_batch_size=4, learning_rate=0.1, report_to=[], save_strategy="no",
        use_cpu=True, disable_tqdm=True,
    )  # fmt: skip
    trainer = SentenceTransformerTrainer(
        model=model, args=arguments, train_dataset=rows, loss=getattr(losses, loss_name)(model)
    )
    done = trainer.train()
    return done.global_step, float((model[0].embedding.weight.detach() - before).abs().sum())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "loss"), [("sentence-transformers", "MultipleNegativesRankingLoss"), ("triplets", "TripletLoss")]
)
def test_the_trainer_of_sentence_transformers_trains_two_steps(made, tmp_path, name, loss):
    export(made.root, name, tmp_path / "to", Options(negatives=2))
    rows = loaded((tmp_path / "to/retrieval").glob("*.parquet"), tmp_path / "cache")
    steps, moved = trained(rows, loss, tmp_path / "trained")
    assert steps == 2
    assert moved > 0


@pytest.mark.filterwarnings("ignore")
def test_mteb_evaluates_on_a_beir_export(made, tmp_path, monkeypatch):
    """Its loader takes the folder in the place of a repository: all queries, answers and documents are there."""
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    import mteb
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.retrieval_dataset_loaders import RetrievalDatasetLoader
    from mteb.abstasks.task_metadata import TaskMetadata

    export(made.root, "beir", tmp_path / "to")
    read = RetrievalDatasetLoader(str(tmp_path / "to"), "main").load()
    samples = [s for s in made.validation if s["family"] == "retrieval"]
    texts = dict(zip(read["corpus"]["id"], read["corpus"]["text"], strict=True))
    asked = dict(zip(read["queries"]["id"], read["queries"]["text"], strict=True))
    assert set(asked.values()) == {s["query"] for s in samples}
    answers = {(asked[query], texts[d]) for query, of in read["relevant_docs"].items() for d in of}
    assert answers == {(s["query"], text) for s in samples for text in made.positives(s)}

    class Held(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name="HeldOut", type="Retrieval", main_score="ndcg_at_10", eval_splits=["test"], eval_langs=["eng-Latn"],
            description="Held-out samples.", reference=None, dataset={"path": str(tmp_path / "to"), "revision": "main"},
            category="t2t", date=None, domains=None, task_subtypes=None, license=None, annotations_creators=None,
            dialect=None, sample_creation=None, modalities=["text"], bibtex_citation=None,
        )  # fmt: skip

        def load_data(self, **_):
            self.dataset = {"default": {"test": read}}
            self.data_loaded = True

    model = small_model([*texts.values(), *asked.values()])
    (result,) = mteb.evaluate(model, [Held()], cache=None, show_progress_bar=False).task_results
    assert 0 <= result.get_score() <= 1


@pytest.mark.parametrize("name", ["beir", "tevatron", "kalm"])
def test_the_hub_s_loader_reads_a_folder_by_its_configurations(made, tmp_path, name):
    """One reader reads all of a folder's configurations: each must have its columns."""
    done = export(made.root, name, tmp_path / "to", Options(negatives=2))
    expected = {
        "beir": {"queries": ["_id", "text"], "corpus": ["_id", "title", "text"],
                 "qrels": ["query-id", "corpus-id", "score"]},
        "tevatron": {"corpus": ["docid", "text"]},
        "kalm": {source: ["query", "pos", "neg"] for source in done.sources},
    }[name]  # fmt: skip
    for config, columns in expected.items():
        (rows,) = load_dataset(str(tmp_path / "to"), config, cache_dir=str(tmp_path / "cache")).values()
        assert set(columns) <= set(rows.column_names)
        assert len(rows)


def test_pandas_reads_the_input_of_step_1(made, tmp_path):
    """No column has a null, and all are there by name."""
    import pandas

    export(made.root, "upstream", tmp_path / "to", Options(shortage="repeat"))
    files = sorted((tmp_path / "to").rglob("*.parquet"))
    assert files
    for file in files:
        frame = pandas.read_parquet(file)
        assert list(frame.columns[:3]) == ["query", "passage", "negative_1"]
        assert not frame.isna().any().any()


def test_the_page_has_every_format_with_its_reader_and_the_version_it_was_tried_with():
    text = (ROOT / "docs/formats.md").read_text("utf-8")
    rows = {}
    for line in re.findall(r"^\| `[\w-]+` \|.*$", text, re.MULTILINE):
        format_name, columns, reader, tried, command = (cell.strip() for cell in line.strip("|").split(" | "))
        rows[format_name.strip("` ")] = (columns, reader, tried, command)
    assert set(rows) == set(EXPORTERS.names())
    pinned = dict(re.findall(r"^([\w-]+)==([\d.]+)", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE))
    others: set[str] = set()
    for name, (_, _, tried, command) in rows.items():
        assert f"--format {name} " in command
        programs = re.findall(r"(sentence-transformers|datasets|mteb|pandas) ([\d.]+)", tried)
        assert programs, name
        for program, number in programs:
            assert pinned[program].startswith(number), (name, program)
        for program, environment in OTHERS.items():
            for number in re.findall(rf"{program} (\d[\d.]+\d)", tried):
                assert version(environment, program) == number, (name, program)
                others.add(program)
    assert others == set(OTHERS), "each program that has an environment stands in the table"
