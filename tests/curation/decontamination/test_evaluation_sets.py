"""The catalog of evaluation sets: made of task classes as mteb's are, chosen from, and committed in good order."""

import json
from types import SimpleNamespace

import pytest

from curation.decontamination import evaluation_sets
from curation.decontamination.evaluation_sets import load_catalog, load_set, set_names, task_types
from curation.decontamination.hub_layout import layout_of
from curation.decontamination.mteb_tasks import catalog_lines, describe, enumerate_tasks
from curation.decontamination.origins import chosen_sets
from curation.decontamination.settings import DecontaminationSettings, MtebSettings
from open_ml_embed.core.errors import ManifestError, MissingPackageError, SettingsError, UnknownNameError


class AbsTask:
    input_column_name = "text"
    parallel_subsets = False

    def __init__(self, task, kind, *, modalities=("text",), subsets=None, splits=("test",), tasks=None, **dataset):
        self.metadata = SimpleNamespace(
            name=task,
            type=kind,
            modalities=list(modalities),
            eval_splits=list(splits),
            dataset={"path": f"someone/{task.lower()}", "revision": "a" * 40} | dataset,
            hf_subsets_to_langscripts=subsets or {"default": ["eng-Latn"]},
        )
        if tasks is not None:
            self.metadata.tasks = tasks

    def dataset_transform(self):
        """What every abstract task has."""


class Plain(AbsTask):
    pass


class Renamed(AbsTask):
    input_column_name = "item"


class RenamedAgain(Renamed):
    pass


class Pairs(AbsTask):
    column_names = ("query", "passage")


class ByCode(AbsTask):
    def dataset_transform(self):
        """Rearranges."""


class Parallel(AbsTask):
    parallel_subsets = True


def lines(*tasks, benchmarks=()):
    header, *rest = map(json.loads, catalog_lines(tasks, benchmarks, "9.9"))
    return header, {line["name"]: line for line in rest}


def test_a_task_is_described_by_what_its_class_says():
    some = {"de-en": ["deu-Latn", "eng-Latn"], "fr-en": ["fra-Latn", "eng-Latn"]}
    said = describe(Parallel("Both", "BitextMining", subsets=some, splits=["dev", "test"]))
    assert said.subsets == {"default": "deu-Latn eng-Latn fra-Latn"}
    assert said.splits == ["dev", "test"]
    assert describe(Plain("P", "BitextMining", subsets=some)).subsets == {k: " ".join(v) for k, v in some.items()}
    assert describe(Plain("P", "Classification")).columns == {}
    assert describe(RenamedAgain("R", "Classification")).columns == {"query": ["item"]}
    assert describe(Pairs("S", "STS")).columns == {"query": ["query"], "document": ["passage"]}
    assert describe(ByCode("C", "Clustering")).own_loading
    assert not describe(Plain("C", "Clustering")).own_loading
    cut = describe(Plain("B", "BitextMining", split="train[:256]", name="main"))
    assert (cut.splits, cut.config) == (["train"], "main")


def test_the_catalog_leaves_out_what_is_not_text_and_what_only_gathers():
    part = Plain("Part", "Retrieval")
    gathering = Plain("All", "Retrieval", tasks=[part])
    image = Plain("Image", "STS", modalities=("text", "image"))
    benchmarks = [
        SimpleNamespace(name="Two", tasks=[gathering]),
        SimpleNamespace(name="One", tasks=[image]),
        SimpleNamespace(name="Three", tasks=[part, Plain("Other", "STS")]),
    ]
    header, found = lines(Plain("Other", "STS"), part, gathering, image, benchmarks=benchmarks)
    assert list(found) == ["Other", "Part"]
    assert header == {"mteb": "9.9", "tasks": 2, "benchmarks": ["Three", "Two"]}
    assert found["Part"]["benchmarks"] == [0, 1]
    assert found["Other"]["benchmarks"] == [0]


def test_without_mteb_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mteb", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'open-ml-embed\[mteb\]'"):
        enumerate_tasks(tmp_path / "mteb.jsonl")


def test_the_committed_catalog_is_whole():
    known, types = load_catalog(), task_types()
    assert len(known.tasks) > 1000
    assert {task.type for task in known.tasks.values()} == set(types)
    assert all(task.revision and "/" in task.repo for task in known.tasks.values())
    assert all(0 <= n < len(known.benchmarks) for task in known.tasks.values() for n in task.benchmarks)
    mkqa, sib = known.tasks["MKQARetrieval"], known.tasks["SIB200ClusteringS2S"]
    assert (mkqa.repo, sib.repo) == ("mteb/MKQARetrieval", "mteb/sib200")
    assert len(sib.subsets) == 197
    size = (evaluation_sets.evaluation_root() / "mteb.jsonl").stat().st_size
    assert size < 1_500_000


@pytest.mark.filterwarnings("ignore")  # mteb's own, and those of what it imports
def test_the_committed_catalog_is_what_mteb_says_where_it_is_installed(tmp_path):
    mteb = pytest.importorskip("mteb")
    if mteb.__version__ != load_catalog().version:
        pytest.skip("another version")
    enumerate_tasks(tmp_path / "mteb.jsonl")
    assert (tmp_path / "mteb.jsonl").read_bytes() == (evaluation_sets.evaluation_root() / "mteb.jsonl").read_bytes()


@pytest.mark.parametrize("name", set_names())
def test_described_sets_break_no_rule(name):
    manifest = load_set(name)
    assert manifest.name == name
    assert set(name) & set("/@") == set()


def test_tasks_are_chosen_by_benchmark_name_type_and_language():
    known = load_catalog()

    def names(**settings):
        return [task.name for task in known.choose(MtebSettings(**settings))]

    assert names() == []
    assert names(tasks=["MKQA*"]) == ["MKQARetrieval"]
    multilingual = names(benchmarks=["MTEB(Multilingual, v2)"])
    assert 100 < len(multilingual) < 200
    assert names(benchmarks=["MTEB(Multilingual, v2)"], exclude=["*Retrieval"]) == [
        name for name in multilingual if not name.endswith("Retrieval")
    ]
    assert {known.tasks[n].type for n in names(tasks=["*"], types=["STS"])} == {"STS"}
    assert all("tha-Thai" in known.tasks[n].languages for n in names(tasks=["*"], languages=["tha-Thai"]))
    code = set(names(benchmarks=["MTEB(Code, v1)"]))
    assert set(names(tasks=["MKQARetrieval"], benchmarks=["MTEB(Code, v1)"])) == code | {"MKQARetrieval"}


@pytest.mark.parametrize(
    ("settings", "near"),
    [
        ({"tasks": ["MKQARetrieva"]}, "MKQARetrieval"),
        ({"benchmarks": ["MTEB(Multilingual, v3)"]}, "MTEB(Multilingual, v2)"),
        ({"tasks": ["*"], "types": ["Retrieved"]}, "Retrieval"),
        ({"tasks": ["*"], "languages": ["tha-Thay"]}, "tha-Thai"),
    ],
)
def test_unknown_names_are_answered_with_near_ones(settings, near):
    with pytest.raises(UnknownNameError) as caught:
        load_catalog().choose(MtebSettings(**settings))
    assert near in str(caught.value)


def test_sets_are_named_once(tmp_path):
    with pytest.raises(SettingsError, match="two evaluation sets are called 'x'"):
        chosen_sets(DecontaminationSettings(sets=["a/x", "b/x@dev"]), tmp_path)
    with pytest.raises(UnknownNameError, match="unknown evaluation set"):
        chosen_sets(DecontaminationSettings(sets=["mediawiki_library"]), tmp_path)


def test_a_broken_catalog_says_how_to_make_it_again(tmp_path, monkeypatch):
    monkeypatch.setenv("CORPUS_MANIFESTS", str(tmp_path))
    with pytest.raises(ManifestError, match="curate evaluations enumerate"):
        load_catalog()
    (tmp_path / "evaluations").mkdir()
    (tmp_path / "evaluations" / "mteb.jsonl").write_text('{"mteb": "1"}\n')
    with pytest.raises(ManifestError, match="curate evaluations enumerate"):
        load_catalog()


CARD = """---
configs:
- config_name: de
  data_files:
  - {split: test, path: data/de/*.jsonl}
  - {split: train, path: ["data/de-train.jsonl"]}
- config_name: corpus
  data_dir: all
  data_files: {corpus: "./corpus-*.parquet"}
- config_name: bare
  data_files: bare.csv
---
# A card
"""


def test_a_card_tells_which_files_a_split_is():
    names = [
        "data/de/a.jsonl",
        "data/de/b.jsonl",
        "data/de-train.jsonl",
        "all/corpus-0.parquet",
        "bare.csv",
        "README.md",
    ]
    layout = layout_of(names, CARD)
    assert layout.find("de", "test") == ["data/de/a.jsonl", "data/de/b.jsonl"]
    assert layout.find("de", "train") == ["data/de-train.jsonl"]
    assert layout.find("de", "dev") == []
    assert layout.find("corpus", "test") == ["all/corpus-0.parquet"]  # its only split
    assert layout.find("bare", "test") == ["bare.csv"]
    assert layout.find("nl", "test") == []


@pytest.mark.parametrize(
    ("names", "config", "split", "found"),
    [
        (["test.jsonl.gz", "train.jsonl.gz"], "default", "test", ["test.jsonl.gz"]),
        (["data/test-0.parquet", "data/train-0.parquet"], None, "test", ["data/test-0.parquet"]),
        (["test/de.parquet", "test/de-en.parquet", "train/de.parquet"], "de", "test", ["test/de.parquet"]),
        (["de-en/test.csv", "fr-en/test.csv"], "de-en", "test", ["de-en/test.csv"]),
        (["dev.tsv", "train.tsv"], "default", "validation", ["dev.tsv"]),
        (["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"], "corpus", "test", ["corpus.jsonl"]),
        (["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"], "qrels", "test", ["qrels/test.tsv"]),
        (["all.parquet", "LICENSE", "logo.png"], "default", "test", ["all.parquet"]),
        (["train.csv"], "default", "test", []),
        (["a.py"], "default", "test", []),
    ],
)
def test_without_a_card_names_tell(names, config, split, found):
    assert layout_of(names, "# no front matter").find(config, split) == found


@pytest.mark.parametrize("card", ["---\n: [\n---\n", "---\nconfigs: all\n---\n", "---\n- a\n---", "", "---\n"])
def test_a_card_that_says_nothing_is_no_card(card):
    assert layout_of(["test.csv"], card).find("default", "test") == ["test.csv"]
