from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from open_ml_embed.core.errors import SettingsError, StageError, TransientError, UnknownNameError
from tests.support.synthetic import params_for, write_mix, write_params
from tests.train.evaluation.on_the_spot import clustering, pairs_of, retrieval, use
from train.cli import app
from train.evaluation.mteb import catalog, encoder, run
from train.evaluation.mteb import evaluate as evaluation

needs_mteb = pytest.mark.skipif(importlib.util.find_spec("mteb") is None, reason="mteb is optional")
pytestmark = pytest.mark.filterwarnings("ignore")  # mteb's and its dependencies'

INSTRUCTION = "Instruct: Find the cipher\nQuery: "


@pytest.fixture
def command(fitted: Path, params: Path, work: Path, tmp_path: Path):
    """Return a function that runs `train3d evaluate` on the fitted model, and returns its result and the report."""
    report = tmp_path / "mteb.json"

    def call(*options: str, model: Path = fitted, fails: type[Exception] | None = None):
        arguments = ["evaluate", "--params", str(params), "--model", str(model), "--work", str(work)]
        arguments += ["--results", str(tmp_path / "results"), "--report", str(report), *options]
        result = CliRunner().invoke(app, arguments, catch_exceptions=fails is not None)
        assert fails is None or isinstance(result.exception, fails), result.exception
        return result, json.loads(report.read_text("utf-8")) if report.is_file() else None

    return call


@needs_mteb
@pytest.mark.parametrize("mode", ["compatible", "efficient"])
def test_the_interface_accepts_an_export(fitted, params, mix, tmp_path, command, monkeypatch, mode: str) -> None:
    from mteb.models import EncoderProtocol

    to = tmp_path / "cut"
    arguments = ["export", "--params", str(params), "--model", str(fitted), "--to", str(to), "--mode", mode]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    identity = encoder.identify(to, tmp_path / "work", instructed=False)
    assert isinstance(encoder.open_model(to, identity), EncoderProtocol)
    use(monkeypatch, [retrieval(mix)])
    _, report = command("--mteb", "OnTheSpot", model=to)
    assert report["tasks"]["OnTheSpot"]["metric"] == "ndcg_at_10"
    # A guess among these few documents has about 0.3.
    assert 0.5 < report["tasks"]["OnTheSpot"]["scores"][0]["test/default"] <= 1


@needs_mteb
def test_queries_get_the_tasks_instruction_and_documents_none(fitted, mix, tmp_path, command, monkeypatch) -> None:
    seen: dict[str | None, list[str]] = {}
    spy_on(monkeypatch, seen)
    use(monkeypatch, [retrieval(mix)])
    command("--mteb", "OnTheSpot", "--instructions")
    assert sorted(seen.pop(INSTRUCTION)) == sorted(pair["query"] for pair in pairs_of(mix))
    assert seen.keys() == {None}


def spy_on(monkeypatch, seen: dict[str | None, list[str]]) -> None:
    opened = encoder.open_model

    def spied(*arguments, **options):
        model = opened(*arguments, **options)
        encode = model.model.encode

        def spying(texts=None, *, prompt=None, **rest):
            seen.setdefault(prompt, []).extend(rest["inputs"] if texts is None else texts)
            return encode(rest.pop("inputs") if texts is None else texts, prompt=prompt, **rest)

        model.model.encode = spying
        return model

    monkeypatch.setattr(evaluation, "open_model", spied)


@needs_mteb
@pytest.mark.parametrize(
    ("option", "wrong", "near"),
    [
        ("--mteb", "STS22.v22", "STS22.v2"),
        ("--benchmark", "Germn", "German"),
        ("--beside", "F2LLM-v2-0.6", "F2LLM-v2-0.6B"),
    ],
)
def test_an_unknown_name_has_the_nearest_before_anything_loads(command, monkeypatch, option, wrong, near) -> None:
    monkeypatch.setattr(evaluation, "open_model", lambda *_, **__: pytest.fail("loaded"))
    options = [option, wrong] + (["--mteb", "STS22.v2"] if option == "--beside" else [])
    result, report = command(*options, fails=UnknownNameError)
    assert near in result.exception.remedy
    assert report is None


@needs_mteb
def test_results_are_mtebs_own_files(fitted: Path, mix: Path, tmp_path: Path, command, monkeypatch) -> None:
    import mteb

    task = retrieval(mix)
    use(monkeypatch, [task], [mteb.Benchmark(name="Spots", tasks=[task])])
    _, report = command("--benchmark", "Spots", "--name", "us/model", "--revision", "1f00")
    folder = tmp_path / "results" / "results" / "us__model" / "1f00"
    assert {path.name for path in folder.iterdir()} == {"OnTheSpot.json", "model_meta.json", "run_settings.jsonl"}
    # mteb evaluates an export by itself to the same score, and reads these files as its own.
    alone = mteb.evaluate(
        mteb.models.SentenceTransformerEncoderWrapper(str(fitted)), task, cache=None, co2_tracker=False
    ).task_results[0]
    mean = report["benchmarks"]["Spots"]["cuts"][0]["mean"]
    assert mean == round(100 * alone.get_score(), 2)
    (found,) = mteb.ResultCache(str(tmp_path / "results")).load_results(models=["us/model"]).model_results
    assert found.model_revision == "1f00"
    assert found.task_results[0].get_score() == pytest.approx(alone.get_score(), abs=1e-6)


@needs_mteb
def test_cuts_share_data_and_passes_and_equal_their_exports(
    fitted, params, mix, tmp_path, command, monkeypatch
) -> None:
    task = retrieval(mix)
    use(monkeypatch, [task])
    passes = []
    nested = evaluation.NestedModel
    monkeypatch.setattr(evaluation, "NestedModel", lambda *a: passes.append(nested(*a)) or passes[-1])
    _, report = command("--mteb", "OnTheSpot", "--layers", "1,3", "--dim", "8,32", "--rank", "8,16")
    assert len(report["cuts"]) == 8
    assert type(task).loads == 1
    (model,) = passes
    assert model.passes == 2 * 2 * len(pairs_of(mix)), "two ranks, queries and documents"
    scores = {
        (cut["layers"], cut["dim"], cut["rank"]): s["test/default"]
        for cut, s in zip(report["cuts"], report["tasks"]["OnTheSpot"]["scores"], strict=True)
    }
    assert len(set(scores.values())) > 4
    for layers, dim, rank in [(1, 8, 16), (3, 32, 8)]:
        to = tmp_path / f"{layers}-{dim}"
        arguments = ["export", "--params", str(params), "--model", str(fitted), "--to", str(to)]
        arguments += ["--layers", str(layers), "--dim", str(dim), "--rank", str(rank)]
        CliRunner().invoke(app, arguments, catch_exceptions=False)
        _, of_export = command("--mteb", "OnTheSpot", model=to)
        assert scores[layers, dim, rank] == pytest.approx(
            of_export["tasks"]["OnTheSpot"]["scores"][0]["test/default"], abs=1e-4
        )
    # The full size is the model itself, others are experiments of it.
    folder = next((tmp_path / "results" / "results" / "local__model").iterdir())
    assert (folder / "OnTheSpot.json").is_file()
    assert len(list((folder / "experiments").glob("*/OnTheSpot.json"))) == 7


@needs_mteb
def test_vectors_of_cuts_are_those_of_exports(fitted: Path, params: Path, settings, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    from train.export.export import Cut
    from train.loop.run import load

    to = tmp_path / "cut"
    arguments = [
        "export",
        "--params",
        str(params),
        "--model",
        str(fitted),
        "--to",
        str(to),
        "--layers",
        "2",
        "--dim",
        "16",
    ]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    embedder, _, tokenizer = load(fitted, settings)
    model = evaluation.NestedModel(embedder, tokenizer, [Cut(3, 32, 16), Cut(2, 16, 16)])
    model.cut = model.cuts[1]
    texts = [" kabel  lodun ", "", "MIFIR\n", "nebel " * 50]
    expected = SentenceTransformer(str(to), device="cpu").encode(texts, prompt="Say: ")
    assert np.allclose(model.encode(texts, prompt="Say: "), expected, atol=1e-5)
    assert model.encode([]).shape == (0, 16)


@needs_mteb
@pytest.mark.parametrize(
    ("options", "where"), [(["--layers", "5"], "--layers"), (["--dim", "8;16"], "--dim"), (["--rank", "8"], "--rank")]
)
def test_sizes_that_are_not_there_are_refused(fitted, params, tmp_path, command, options, where) -> None:
    model = fitted
    if options[0] == "--rank":  # a folder with one size
        model = tmp_path / "cut"
        arguments = ["export", "--params", str(params), "--model", str(fitted), "--to", str(model)]
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    result, _ = command("--mteb", "STS22.v2", *options, model=model, fails=SettingsError)
    assert result.exception.where.startswith(where)


@needs_mteb
def test_an_interrupted_evaluation_goes_on_slot_by_slot(fitted, mix, tmp_path, command, monkeypatch) -> None:
    import mteb

    languages = {"a": ["eng-Latn"], "b": ["deu-Latn"]}
    tasks = [
        retrieval(mix, "First"),
        retrieval(mix, "Second", eval_splits=["dev", "test"], eval_langs=languages),
        clustering(mix),
    ]
    use(monkeypatch, tasks, [mteb.Benchmark(name="Spots", tasks=tasks)])
    options = ["--benchmark", "Spots", "--layers", "1,3"]
    _, whole = command(*options, "--results", str(tmp_path / "whole"))
    slots = ["dev/a", "dev/b", "test/a", "test/b"]
    assert [list(scores) for scores in whole["tasks"]["Second"]["scores"]] == [slots, slots]

    ran: list[tuple[str, str, str, int]] = []
    evaluate = run._evaluate

    def counted(model, task, cache):
        if len(ran) == 7:
            raise KeyboardInterrupt
        ran.append((task.metadata.name, *task.eval_splits, *task.hf_subsets, model.model.cut.layers))
        return evaluate(model, task, cache)

    monkeypatch.setattr(run, "_evaluate", counted)
    with pytest.raises(KeyboardInterrupt):
        evaluation.evaluate(request_of(fitted, tmp_path), settings_of(fitted, mix, tmp_path))
    before, loaded = set(ran), [type(task).loads for task in tasks[:2]]
    ran[:] = []
    monkeypatch.setattr(
        run,
        "_evaluate",
        lambda *a: (
            ran.append((a[1].metadata.name, *a[1].eval_splits, *a[1].hf_subsets, a[0].model.cut.layers)) or evaluate(*a)
        ),
    )
    report, outcome = evaluation.evaluate(request_of(fitted, tmp_path), settings_of(fitted, mix, tmp_path))
    assert not outcome.missing
    assert not before & set(ran)
    assert len(before) == 7
    assert len(before) + len(ran) == 2 * (1 + 4 + 2)
    assert [type(task).loads for task in tasks[:2]] == [loaded[0], loaded[1] + 1]
    # A resumed run gives the scores of an uninterrupted one, also where samples are drawn.
    assert report["tasks"] == whole["tasks"]
    assert report["benchmarks"] == whole["benchmarks"]
    monkeypatch.setattr(evaluation, "open_model", lambda *_, **__: pytest.fail("loaded"))
    again, _ = evaluation.evaluate(request_of(fitted, tmp_path), settings_of(fitted, mix, tmp_path))
    assert again == report


def request_of(fitted: Path, tmp_path: Path, **changes):
    fields = {"benchmarks": ("Spots",), "sizes": {"layers": "1,3"}} | changes
    return evaluation.Request(fitted, tmp_path / "params.yaml", tmp_path / "work", tmp_path / "resumed", **fields)


def settings_of(fitted: Path, mix: Path, tmp_path: Path):
    from train.config_file import load_settings

    return load_settings(write_params(tmp_path / "params.yaml", params_for(mix)), None)[1]


@needs_mteb
def test_benchmarks_of_one_task_with_other_subsets_share_slots(fitted, mix, command, monkeypatch) -> None:
    import mteb

    languages = {"a": ["eng-Latn"], "b": ["deu-Latn"]}
    wide = retrieval(mix, eval_langs=languages)
    narrow = type(wide)()
    narrow.hf_subsets = ["a"]
    use(monkeypatch, [wide], [mteb.Benchmark(name="A", tasks=[narrow]), mteb.Benchmark(name="AB", tasks=[wide])])
    ran = []
    evaluate = run._evaluate
    monkeypatch.setattr(run, "_evaluate", lambda *a: ran.append(tuple(a[1].hf_subsets)) or evaluate(*a))
    _, report = command("--benchmark", "A", "--benchmark", "AB")
    assert ran == [("a",), ("b",)]
    assert report["tasks"]["OnTheSpot"]["scores"][0].keys() == {"test/a", "test/b"}
    assert report["tasks"]["OnTheSpot"]["benchmarks"] == ["A", "AB"]
    assert report["benchmarks"]["A"]["done"] == report["benchmarks"]["AB"]["done"] == 1


@needs_mteb
def test_missing_data_is_named_by_task_and_the_rest_goes_on(mix, command, monkeypatch) -> None:
    import mteb

    lost = retrieval(mix, "Lost")
    monkeypatch.setattr(type(lost), "load_data", lambda self, **_: (_ for _ in ()).throw(ConnectionError("no route")))
    tasks = [lost, retrieval(mix)]
    use(monkeypatch, tasks, [mteb.Benchmark(name="Spots", tasks=tasks)])
    result, report = command("--benchmark", "Spots", fails=TransientError)
    assert "no data: Lost" in result.exception.what
    assert report["missing"].keys() == {"Lost"}
    spots = report["benchmarks"]["Spots"]
    assert (spots["tasks"], spots["done"]) == (2, 1)
    assert spots["cuts"][0]["mean"] is None
    assert spots["cuts"][0]["mean_of_done"] == round(100 * report["tasks"]["OnTheSpot"]["scores"][0]["test/default"], 2)
    assert "1/2 Lost: no data" in result.stderr


@needs_mteb
def test_a_loader_or_task_that_fails_is_no_transient_error(mix, command, monkeypatch) -> None:
    broken, odd = retrieval(mix, "Broken"), retrieval(mix, "Odd")
    monkeypatch.setattr(type(broken), "load_data", lambda self, **_: (_ for _ in ()).throw(KeyError("text")))
    monkeypatch.setattr(type(odd), "evaluate", lambda self, *_, **__: 1 / 0)
    use(monkeypatch, [broken, odd])
    result, report = command("--mteb", "Broken", "--mteb", "Odd", fails=StageError)
    assert "KeyError" in report["missing"]["Broken"]
    assert "ZeroDivisionError" in report["failed"]["Odd"]
    assert "2 of 2 tasks" in result.exception.what


@needs_mteb
def test_offline_a_task_of_the_hub_is_missing_at_once(fitted, command, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    result, report = command("--mteb", "NFCorpus", "--offline", fails=TransientError)
    assert "mteb/nfcorpus" in report["missing"]["NFCorpus"]
    assert "hf download --repo-type dataset mteb/nfcorpus" in result.exception.remedy
    import huggingface_hub.constants

    assert not huggingface_hub.constants.HF_HUB_OFFLINE


@needs_mteb
def test_a_dry_run_counts_slots_and_names_data_that_are_not_here(command, tmp_path, monkeypatch) -> None:
    import huggingface_hub.constants
    import mteb

    monkeypatch.setattr(evaluation, "open_model", lambda *_, **__: pytest.fail("loaded"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    at_hand = mteb.get_task("SciFact").metadata.dataset
    folder = tmp_path / "hub" / f"datasets--{at_hand['path'].replace('/', '--')}" / "snapshots" / at_hand["revision"]
    folder.mkdir(parents=True)
    result, report = command("--benchmark", "all17", "--dry-run")
    assert report is None
    assert "430 distinct tasks in 608 places" in result.stderr
    assert "German: MTEB(deu, v1), 19 tasks" in result.stderr
    absent = result.stderr.partition("not in the cache of the Hub's client, ")[2]
    assert " NFCorpus," in absent
    assert " SciFact," not in absent


@needs_mteb
def test_results_of_other_weights_are_not_continued(fitted, params, mix, tmp_path, command, monkeypatch) -> None:
    use(monkeypatch, [retrieval(mix)])
    filed = ["--mteb", "OnTheSpot", "--name", "us/model", "--revision", "main"]
    command(*filed)
    to = tmp_path / "cut"
    arguments = ["export", "--params", str(params), "--model", str(fitted), "--to", str(to), "--layers", "1"]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    result, _ = command(*filed, model=to, fails=StageError)
    assert "--revision" in result.exception.remedy
    command(*filed)


@needs_mteb
@pytest.mark.parametrize("before", [INSTRUCTION, ""], ids=["instructed", "bare"])
def test_every_export_says_whether_it_knows_instructions(mix: Path, tmp_path: Path, monkeypatch, before: str) -> None:
    own = write_mix(tmp_path / "own", rows=80, before=before)
    section = params_for(own)
    section["stages"] = [stage | {"steps": 1, "warmup_steps": 0} for stage in section["stages"]]
    params = ["--params", str(write_params(tmp_path / "params.yaml", section))]
    whole, cut, work = tmp_path / "whole", tmp_path / "cut", ["--work", str(tmp_path / "work")]
    CliRunner().invoke(app, ["fit", *params, *work, "--out", str(whole)], catch_exceptions=False)
    arguments = ["export", *params, "--model", str(whole), "--to", str(cut), "--layers", "2", "--mode", "efficient"]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    given: dict[str | None, list[str]] = {}
    spy_on(monkeypatch, given)
    use(monkeypatch, [retrieval(mix)])

    def instructed(folder: Path, *options: str) -> bool:
        given.clear()
        report = ["--report", str(tmp_path / "mteb.json"), "--mteb", "OnTheSpot", *options]
        result = CliRunner().invoke(
            app, ["evaluate", *params, *work, "--model", str(folder), *report], catch_exceptions=False
        )
        assert ("does not say" in result.stderr) == (not options and not (folder / "train3d").is_dir())
        assert given
        return INSTRUCTION in given

    assert instructed(whole) is instructed(cut) is bool(before)
    # What was measured with other prompts is not taken for an answer.
    assert instructed(cut, "--no-instructions" if before else "--instructions") is not bool(before)
    shutil.rmtree(cut / "train3d")
    shutil.rmtree(tmp_path / "out" / "tiny" / "mteb")
    assert instructed(cut) is False


@needs_mteb
@pytest.mark.parametrize("made", [True, False])
def test_a_folder_without_an_export_is_not_looked_for_on_the_hub(command, tmp_path: Path, *, made: bool) -> None:
    folder = tmp_path / "modle"
    if made:
        folder.mkdir()
    result, _ = command("--mteb", "STS22.v2", model=folder, fails=SettingsError)
    assert str(folder) in result.exception.where
    assert "train3d export" in result.exception.remedy


def test_without_mteb_it_says_how_to_get_it(command, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "mteb", None)
    result, _ = command("--mteb", "X", fails=SettingsError)
    assert "open-ml-embed[mteb]" in result.exception.remedy


def test_options_of_mteb_alone_are_refused(command) -> None:
    result, _ = command("--layers", "1,2", fails=SettingsError)
    assert result.exception.where == "--layers"


@needs_mteb
def test_the_17_benchmarks_are_those_of_the_installed_mteb() -> None:
    import mteb

    suites = catalog.suites_named(["all17"])
    assert [suite.listed for suite in suites] == list(catalog.suite_17())
    assert len(suites) == 17
    assert sum(len(suite.benchmark.tasks) for suite in suites) == 608
    names = {task.metadata.name for suite in suites for task in suite.benchmark.tasks}
    assert len(names) == 430
    known = {task.metadata.name for task in mteb.get_tasks(exclude_superseded=False, exclude_aggregate=False)}
    assert names <= known
    assert names == set(catalog.listed_tasks())
    for suite in suites:
        assert len(suite.benchmark.tasks) == suite.listed.tasks, suite.label
        own = {t for t, row in catalog.listed_tasks().items() if suite.label in row["benchmarks"].split(",")}
        assert own == {task.metadata.name for task in suite.benchmark.tasks}
    declared = mteb.get_model_meta("codefuse-ai/F2LLM-v2-0.6B").get_training_datasets()
    marked = {task for task, row in catalog.listed_tasks().items() if row["declared_by_f2llm_v2"] == "1"}
    assert marked == names & declared
    jobs = run.jobs_of(suites)
    assert {job.name for job in jobs} >= names
    assert sum(len(job.suites) for job in jobs) == 608
    # Aggregates come after their parts.
    position = {job.name: number for number, job in enumerate(jobs)}
    for job in jobs:
        if job.task.is_aggregate:
            assert all(position[part.metadata.name] < position[job.name] for part in job.task.metadata.tasks)


def test_published_scores_name_the_benchmarks_and_what_is_unconfirmed() -> None:
    labels = {listed.label for listed in catalog.suite_17()} | {catalog.MEAN}
    assert {score.benchmark for score in catalog.published()} == labels
    by = {(s.source, s.model, s.benchmark): s for s in catalog.published()}
    assert len(by) == len(catalog.published())
    assert by["f2llm-v2-table-2", "F2LLM-v2-0.6B", "Multilingual"].score == 62.74
    assert {s.source for s in catalog.published() if not s.confirmed} == {"ml-embed"}
    # The papers' mean counts benchmarks alike.
    for model in ("F2LLM-v2-80M", "F2LLM-v2-0.6B", "F2LLM-v2-14B"):
        own = [s.score for s in catalog.published() if s.model == model and s.benchmark != catalog.MEAN]
        assert by["f2llm-v2-table-2", model, catalog.MEAN].score == pytest.approx(np.mean(own), abs=0.006)


def mocks():
    """Return mteb's own toy tasks of texts, one or more of every kind of task in the 17 benchmarks."""
    from mteb.mocks import mock_tasks

    kinds = [kind for name, kind in vars(mock_tasks).items() if name.startswith(("Mock", "LegacyMock"))]
    tasks = [kind() for kind in kinds]
    return [task for task in tasks if set(task.metadata.modalities) == {"text"} and not task.is_aggregate]


@needs_mteb
def test_an_aggregate_task_combines_its_parts_and_waits_for_them(command, monkeypatch) -> None:
    from mteb.mocks.mock_tasks import MockAggregatedTask

    whole = MockAggregatedTask()
    names = [part.metadata.name for part in whole.metadata.tasks]
    use(monkeypatch, [whole])
    loads = whole.metadata.tasks[1].load_data
    monkeypatch.setattr(type(whole.metadata.tasks[1]), "load_data", lambda *_, **__: 1 / 0)
    _, report = command("--mteb", whole.metadata.name, fails=StageError)
    assert report["missing"].keys() == {names[1], whole.metadata.name}
    assert names[1] in report["missing"][whole.metadata.name]
    monkeypatch.setattr(type(whole.metadata.tasks[1]), "load_data", loads.__func__)
    _, report = command("--mteb", whole.metadata.name)
    parts = [report["tasks"][name]["scores"][0]["test/default"] for name in names]
    assert report["tasks"][whole.metadata.name]["scores"][0] == {
        "test/default": pytest.approx(np.mean(parts), abs=1e-5)
    }


@needs_mteb
@pytest.mark.slow
def test_every_kind_of_task_scores_as_mteb_alone_scores_it(fitted: Path, tmp_path, command, monkeypatch) -> None:
    import mteb

    tasks = mocks()
    kinds = {task.metadata.type for task in tasks}
    assert {row["type"] for row in catalog.listed_tasks().values()} <= kinds
    use(monkeypatch, tasks)
    named = [option for task in tasks for option in ("--mteb", task.metadata.name)]
    _, report = command(*named, "--layers", "1,3")
    assert not report["missing"] | report["failed"]
    identity = encoder.identify(fitted, tmp_path / "work")
    model = encoder.open_model(fitted, identity)
    for task in mocks():
        alone = mteb.evaluate(model, task, cache=None, co2_tracker=False, show_progress_bar=False).task_results[0]
        expected = {f"{split}/{s['hf_subset']}": s["main_score"] for split, some in alone.scores.items() for s in some}
        scores = report["tasks"][task.metadata.name]["scores"][1]
        assert scores.keys() == expected.keys(), task.metadata.name
        # mteb goes on drawing samples from subset to subset, and we draw them anew for each.
        drawn = {"Clustering", "MultilabelClassification"} & {task.metadata.type}
        slots = list(expected)[:1] if drawn else list(expected)
        for slot in slots:
            assert scores[slot] == pytest.approx(expected[slot], abs=1e-3, nan_ok=True), (task.metadata.name, slot)
