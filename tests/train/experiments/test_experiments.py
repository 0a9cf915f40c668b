from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from typer.testing import CliRunner

from open_ml_embed.core.errors import ManifestError, SettingsError, StageError, UnknownNameError
from tests.support.synthetic import params_for, write_mix, write_params
from train.cli import app
from train.config_file import load_settings
from train.data.mix import Mix
from train.evaluation.evaluate import cells
from train.evaluation.retrieval_metrics import make_pool, metrics
from train.experiments import plan, report, run
from train.experiments.plan import MixVariant
from train.experiments.variants import write_variant
from train.loop.run import Shape, load, store_of
from train.model.embedding import PlainEmbedding

STAGE = {"name": "main", "mix": "main", "steps": 12, "batch_size": 24, "learning_rate": 0.003}
SECTION = {key: value for key, value in params_for(Path("x")).items() if key not in ("stages", "evaluation", "ranks")}
PRESET = {
    "seeds": [0, 1],
    "mixes": {"main": {"mix": "./mix"}},
    "train": SECTION
    | {
        "ranks": [],
        "objective": {"layers": [], "dims": []},
        "export": {"stages": False},
        "stages": [STAGE],
        "evaluation": {"mix": "main", "queries": 20},
    },
    "trainings": {
        "base": {},
        "plain": {"from": "base"},
        "mel": {"from": "base", "train": {"ranks": [4, 8, 16]}},
        "pruned": {"from": "base", "prune": {"layers": 2, "hidden": 24, "texts": 50}},
    },
    "arms": {
        "plain": {"training": "plain", "sizes": {"rank": [4, 32]}},
        "MEL": {"training": "mel", "sizes": {"rank": [4, 16]}},
        "pruned": {"training": "pruned", "points": {"4": {"dim": 16}}},
    },
    "effects": [
        {"better": "plain", "worse": "plain", "at": "4", "against": "32", "published": "Never."},
        {"better": "plain", "worse": "MEL", "at": "4"},
    ],
}


def described(name: str = "tiny", **changes: object) -> dict[str, object]:
    preset = PRESET | changes
    return {
        "name": name, "title": "Tiny", "question": "Does it run?", "axis": "rank",
        "presets": {"small": preset, "full": preset},
    }  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch) -> Path:
    """A project with a mix and the experiment `tiny`."""
    (tmp_path / "experiments").mkdir()
    monkeypatch.setattr(plan, "FOLDER", tmp_path / "experiments")
    write_mix(tmp_path / "mix")
    write_params(tmp_path / "params.yaml", params_for(tmp_path / "mix"))
    (tmp_path / "experiments" / "tiny.yaml").write_text(yaml.safe_dump(described(), sort_keys=False))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(project: Path, *options: str, name: str = "tiny"):
    arguments = ["experiment", name, "--params", str(project / "params.yaml"), *options]
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def result_in(project: Path, name: str = "tiny-small") -> dict:
    return json.loads((project / "out" / "experiments" / f"{name}.json").read_text("utf-8"))


def bench_of(project: Path, **changes: object) -> run.Bench:
    preset = plan.Preset.model_validate(PRESET | changes)
    work = project / "work" / "experiments" / "tiny" / "small"
    return run.Bench(preset, work, run.prepare_mixes(preset, {"main": project / "mix"}, work))


@pytest.mark.parametrize("name", plan.names())
@pytest.mark.parametrize("preset", ["small", "full"])
def test_every_training_of_every_experiment_has_valid_settings(
    tmp_path: Path, name: str, preset: plan.PresetName
) -> None:
    experiment = plan.load_experiment(name)
    chosen = experiment.presets[preset]
    assert chosen.effects
    mixes = dict.fromkeys(chosen.mixes, tmp_path)
    bench = run.Bench(chosen, tmp_path / "work", mixes)
    assert set(bench.trainings()) == set(chosen.trainings)
    for training in chosen.trainings:
        settings = bench.settings(training, 3)
        assert settings.seed == 3
        assert settings.threads == (1 if preset == "small" else 2)
        assert settings.backbone.kind == "pretrained" or chosen.trainings[training].start is None
    # Points lie within the sizes that are trained; those of a plain embedding are cut by SVD.
    for arm in chosen.arms.values():
        for point in arm.measured.values():
            ranks = bench.settings(point.training, 0).ranks
            assert not ranks or point.rank is None or point.rank <= max(ranks)


def test_the_experiments_are_there() -> None:
    wanted = {"nesting", "mel-robustness", "mll-mel", "eurobert-prune", "scaling", "data-comparison", "curation-value"}
    assert set(plan.names()) == wanted
    result = CliRunner().invoke(app, ["experiment", "--list"], catch_exceptions=False)
    assert all(f"{name}: " in result.stdout for name in wanted)
    for name in wanted:
        assert plan.load_experiment(name).presets["small"].seeds == (0, 1, 2)


def test_an_experiment_runs_resumes_and_writes_its_result(project: Path, monkeypatch) -> None:
    ended = run.fit
    trained: list[tuple[str, int]] = []

    def counted(wanted, out, **options):
        if len(trained) == 3:
            raise KeyboardInterrupt
        trained.append((out.parent.name, wanted.settings.seed))
        return ended(wanted, out, **options)

    monkeypatch.setattr(run, "fit", counted)
    with pytest.raises(KeyboardInterrupt):
        run.run(bench_of(project))
    before = list(trained)
    trained[:] = []
    monkeypatch.setattr(
        run,
        "fit",
        lambda wanted, out, **o: trained.append((out.parent.name, wanted.settings.seed)) or ended(wanted, out, **o),
    )
    done = call(project)
    assert before == [("base-0", 0), ("plain-0", 0), ("mel-0", 0)]
    assert trained == [("pruned-0", 0), ("base-1", 1), ("plain-1", 1), ("mel-1", 1), ("pruned-1", 1)]
    result = result_in(project)
    assert {arm: sorted(cells, key=int) for arm, cells in result["arms"].items()} == {
        "plain": ["4", "32"],
        "MEL": ["4", "16"],
        "pruned": ["4"],
    }
    assert (result["order"], result["labels"]) == (["plain", "MEL", "pruned"], ["4", "16", "32"])
    cell = result["arms"]["plain"]["4"]
    assert cell["least"] <= cell["mean"] <= cell["most"]
    assert cell["mean"] == pytest.approx(np.mean(list(cell["scores"].values())), abs=1e-6)
    rows = list(csv.DictReader((project / "out" / "experiments" / "tiny-small.csv").read_text().splitlines()))
    assert len(rows) == 2 * 5
    page = (project / "out" / "experiments" / "tiny-small.md").read_text("utf-8")
    assert f"| plain | {cell['mean']:.3f} ± {(cell['most'] - cell['least']) / 2:.3f} |" in page
    assert "does **not** show" in page  # a smaller rank is no better
    assert "Published: Never." in done.stdout
    assert (project / "out" / "experiments" / "tiny-small.svg").read_text("utf-8").startswith("<?xml")
    files = {path: path.read_bytes() for path in (project / "out" / "experiments").iterdir()}
    # The JSON has all that the table and the picture are made from, whatever the order of its keys.
    again = report.write(result, project / "again")
    assert [path.read_bytes() for path in again] == [
        files[project / "out" / "experiments" / path.name] for path in again
    ]
    monkeypatch.setattr(run, "fit", lambda *_, **__: pytest.fail("trained again"))
    monkeypatch.setattr(run, "_measured", lambda *_: pytest.fail("measured again"))
    call(project)
    assert {path: path.read_bytes() for path in (project / "out" / "experiments").iterdir()} == files


def test_results_are_written_into_the_page(project: Path, monkeypatch) -> None:
    from benchmarks import experiments

    page = project / "docs" / "experiments.md"
    page.parent.mkdir()
    page.write_text(f"# Before\n\n{experiments.MARKS[0]}old\n{experiments.MARKS[1]}\nAfter.\n")
    monkeypatch.setattr(experiments, "PAGE", page)
    call(project, "--seeds", "0")
    experiments.write_docs(project / "out" / "experiments")
    text = page.read_text("utf-8")
    assert text.startswith("# Before\n")
    assert text.endswith("\nAfter.\n")
    assert "old" not in text
    assert report.markdown(result_in(project)) in text
    assert "`train3d experiment tiny`" in text
    assert (page.parent / "experiment-tiny.svg").is_file()
    experiments.write_docs(project / "out" / "experiments")
    assert page.read_text("utf-8") == text


def test_a_changed_training_is_run_again_with_those_that_start_from_it(project: Path, monkeypatch) -> None:
    run.run(bench_of(project, seeds=[0]))
    ended, trained = run.fit, []
    monkeypatch.setattr(run, "fit", lambda wanted, out, **o: trained.append(out.parent.name) or ended(wanted, out, **o))
    trainings = PRESET["trainings"] | {"mel": {"from": "base", "train": {"ranks": [4, 8]}}}
    arms = PRESET["arms"] | {"MEL": {"training": "mel", "sizes": {"rank": [4]}}}
    run.run(bench_of(project, seeds=[0], trainings=trainings, arms=arms))
    assert trained == ["mel-0"]
    trained[:] = []
    trainings = PRESET["trainings"] | {"base": {"train": {"pooling": "mean"}}}
    run.run(bench_of(project, seeds=[0], trainings=trainings))
    assert trained == ["base-0", "plain-0", "mel-0", "pruned-0"]


def test_a_training_that_was_run_by_hand_is_taken(project: Path, monkeypatch) -> None:
    printed = call(project, "--seeds", "0", "--commands").stdout.splitlines()
    assert len(printed) == 3
    # The commands are complete: the settings files are written, in the order that trainings need each other.
    for line in printed:
        program, *arguments = line.split()
        assert program == "train3d"
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    ended, trained = run.fit, []
    monkeypatch.setattr(run, "fit", lambda wanted, out, **o: trained.append(out.parent.name) or ended(wanted, out, **o))
    call(project, "--seeds", "0")
    assert trained == ["pruned-0"]


def test_a_plain_model_is_cut_as_by_a_written_out_svd(project: Path) -> None:
    bench = bench_of(project, seeds=[0])
    found = {(v.arm, v.label): v for v in run.run(bench)}
    folder, settings = bench.folder("plain", 0) / "model", bench.settings("plain", 0)
    model, _, tokenizer = load(folder, settings)
    left, values, right = torch.linalg.svd(model.embedding.weight.detach().double(), full_matrices=False)
    cut = (left[:, :4] * values[:4]) @ right[:4]
    model.backbone.set_input_embeddings(PlainEmbedding(cut.float()))
    model.layers = (3,)
    store = store_of(Mix(project / "mix"), tokenizer, settings, bench.work / "fit")
    pool = make_pool(store, **settings.evaluation.model_dump(exclude={"mix"}))
    ((*_, ranks),) = cells(model, Shape((3,), (32,), (32,)), store, pool)
    assert found["plain", "4"].score == pytest.approx(metrics(ranks)["ndcg@10"], abs=1e-6)


def test_parameters_are_those_of_the_exported_cut(project: Path, tmp_path: Path) -> None:
    from safetensors import safe_open

    bench = bench_of(project, seeds=[0])
    found = {(v.arm, v.label): v.parameters for v in run.run(bench)}
    to, params = tmp_path / "cut", bench.folder("mel", 0) / "params.yaml"
    model = ["--model", str(bench.folder("mel", 0) / "model")]
    arguments = ["export", "--params", str(params), *model, "--to", str(to), "--rank", "4", "--mode", "efficient"]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    with safe_open(to / "model.safetensors", "pt") as file:
        assert found["MEL", "4"] == sum(int(np.prod(file.get_slice(k).get_shape())) for k in file.keys())  # noqa: SIM118


@pytest.mark.parametrize("negatives", ["random", "none"])
def test_variants_change_one_thing(mix: Path, tmp_path: Path, negatives: str) -> None:
    source = Mix(mix)
    other = Mix(write_variant(source, MixVariant(of="main", negatives=negatives), tmp_path / "a"))
    again = Mix(write_variant(source, MixVariant(of="main", negatives=negatives), tmp_path / "b"))
    assert other.identity == again.identity
    documents = rows_of(source, "documents")
    place = {d["document_id"]: (d["source"], d["subset"]) for d in documents}
    changed = 0
    for before, after in zip(rows_of(source, "train"), rows_of(other, "train"), strict=True):
        assert before | {"negative_ids": []} == after | {"negative_ids": []}
        drawn = after["negative_ids"]
        gone = negatives == "none" and before["family"] == "retrieval"
        assert len(drawn) == (0 if gone else len(before["negative_ids"]))
        assert len(set(drawn)) == len(drawn)
        assert before["positive_id"] not in drawn
        assert all(place[number] == (before["source"], before["subset"]) for number in drawn)
        changed += set(drawn) != set(before["negative_ids"])
    assert changed > 50
    assert rows_of(other, "validation") == rows_of(source, "validation")
    assert rows_of(other, "documents") == documents


def rows_of(mix: Mix, kind: str) -> list[dict]:
    return [row for path in mix.files(kind) for row in pq.read_table(path).to_pylist()]


def test_variants_are_trained_on(project: Path) -> None:
    mixes = {
        "main": {"mix": "./mix"},
        "none": {"of": "main", "negatives": "none"},
        "no-masks": {"of": "main", "masks": False},
    }
    trainings = {name: {"train": {"stages": [STAGE | {"mix": name}]}} for name in mixes}
    arms = {name: {"training": name, "points": {"x": {"evaluate": "main"}}} for name in mixes}
    values = run.run(bench_of(project, seeds=[0], mixes=mixes, trainings=trainings, arms=arms, effects=[]))
    assert [value.arm for value in values] == list(mixes)
    main, none, no_masks = (value.score for value in values)
    assert none != main
    assert no_masks == main, "this mix has no near-duplicates"
    assert len({(value.queries, value.documents) for value in values}) == 1


def test_a_mix_of_fewer_rows_has_the_same_texts(mix: Path, tmp_path: Path) -> None:
    source = Mix(mix)
    smaller = Mix(write_variant(source, MixVariant(mix="./mix", rows=50), tmp_path))
    ids = sorted(row["row_id"] for row in rows_of(source, "train"))
    assert [row["row_id"] for row in rows_of(smaller, "train")] == ids[:50], "those that any mix with them would give"
    assert smaller.rows("validation") == source.rows("validation")
    assert smaller.rows("documents") < source.rows("documents")
    whole = {row["row_id"]: row for kind in ("train", "validation") for row in rows_of(source, kind)}
    before, after = ([d["text"] for d in rows_of(m, "documents")] for m in (source, smaller))
    assert [d["document_id"] for d in rows_of(smaller, "documents")] == list(range(len(after)))
    for row in [*rows_of(smaller, "train"), *rows_of(smaller, "validation")]:
        own = whole[row["row_id"]]
        assert after[row["positive_id"]] == before[own["positive_id"]] == row["positive"]
        assert [after[n] for n in row["negative_ids"]] == [before[n] for n in own["negative_ids"]]


def test_a_mix_of_fewer_subsets_has_the_largest(mix: Path, tmp_path: Path) -> None:
    source = Mix(mix)
    smaller = Mix(write_variant(source, MixVariant(mix="./mix", subsets=2), tmp_path))
    for kind in ("train", "validation"):
        rows, own = rows_of(source, kind), rows_of(smaller, kind)
        assert [row["row_id"] for row in own] == [row["row_id"] for row in rows if row["source"] in ("alpha", "beta")]
    assert {d["source"] for d in rows_of(smaller, "documents")} == {"alpha", "beta"}


def test_without_masks_nothing_is_a_near_duplicate(mix: Path, tmp_path: Path) -> None:
    other = Mix(write_variant(Mix(mix), MixVariant(of="main", masks=False), tmp_path))
    clusters = [d["cluster"] for d in rows_of(other, "documents")]
    assert len(set(clusters)) == len(clusters)
    queries = [row["query_cluster"] for row in rows_of(other, "train")]
    assert len(set(queries)) == len(queries)
    assert min(queries) > max(clusters)


def test_queries_that_another_mix_trains_on_are_not_searched(project: Path) -> None:
    twin = write_mix(project / "twin", seed=0)
    rows = pq.read_table(twin / "samples" / "train-00000.parquet").to_pylist()
    held_out = pq.read_table(project / "mix" / "samples" / "validation-00000.parquet").to_pylist()
    leaked = [row for row in held_out if row["family"] == "retrieval"][:4]
    table = pq.read_table(twin / "samples" / "train-00000.parquet")
    for row, leak in zip(rows, leaked, strict=False):
        row["query"] = leak["query"]
    pq.write_table(table.from_pylist(rows, table.schema), twin / "samples" / "train-00000.parquet")
    searched = {"evaluation": {"mix": "main", "queries": 1000}}
    preset = plan.Preset.model_validate(
        PRESET
        | {
            "train": PRESET["train"] | searched,
            "seeds": [0],
            "mixes": {
                "main": {"mix": "./mix"},
                "other": {"mix": "./twin"},
                "third": {"mix": "./nowhere", "needed": False},
            },
            "trainings": {
                "a": {},
                "b": {"train": {"stages": [STAGE | {"mix": "other"}]}},
                "c": {"train": {"stages": [STAGE | {"mix": "third"}]}},
            },
            "arms": {
                "A": {"training": "a", "points": {"x": {"evaluate": "main"}}},
                "B": {"training": "b", "points": {"x": {"evaluate": "main"}}},
                "C": {"training": "c", "points": {"x": {"evaluate": "main"}}},
            },
            "effects": [{"better": "A", "worse": "C", "at": "x"}],
        }
    )
    folders = plan.folders_of(preset, {}, {})
    assert folders.keys() == {"main", "other"}
    bench = run.Bench(preset, project / "w", run.prepare_mixes(preset, folders, project / "w"))
    values = run.run(bench)
    alone = run.run(
        replace(
            bench, preset=preset.model_copy(update={"arms": {"A": preset.arms["A"]}, "effects": ()}), work=project / "v"
        )
    )
    assert {v.arm for v in values} == {"A", "B"}
    assert {v.queries for v in values} == {alone[0].queries - len({leak["query"] for leak in leaked})}
    result = report.result_of(plan.Experiment.model_validate(described()), "small", preset, values, bench.left_out())
    assert result["left_out"] == {"C": ["third"]}
    assert result["effects"] == []
    page = report.markdown(result)
    assert "C was left out: no mix third at hand." in page
    assert f"{values[0].queries} held-out queries in {values[0].documents} documents." in page
    other = report.result_of(
        plan.Experiment.model_validate(described()), "small", preset, [replace(values[0], queries=7), values[1]], {}
    )
    assert "over seeds (1)" in report.markdown(other)


def test_an_effect_shows_only_if_every_seed_has_it() -> None:
    preset = plan.Preset.model_validate(PRESET)
    experiment = plan.Experiment.model_validate(described())

    def value(arm: str, seed: int, score: float) -> run.Measured:
        return run.Measured(arm, "4", seed, score, 10, 20, 30)

    values = [value("plain", 0, 0.5), value("plain", 1, 0.3), value("MEL", 0, 0.4), value("MEL", 1, 0.2)]
    (effect,) = report.result_of(experiment, "small", preset, values, {})["effects"]
    assert (effect["difference"], effect["shows"]) == (0.1, True)
    assert "plain at 4 is better for every seed than MEL at 4: +0.100" in report.effect_line(effect)
    values[1] = value("plain", 1, 0.1)
    (effect,) = report.result_of(experiment, "small", preset, values, {})["effects"]
    assert (effect["least"], effect["most"], effect["shows"]) == (-0.1, 0.1, False)
    assert "does **not** show" in report.effect_line(effect)


def test_a_dry_run_writes_nothing(project: Path) -> None:
    files = sorted(project.rglob("*"))
    said = call(project, "--dry-run").stderr
    assert "4 trainings for each of the seeds 0, 1" in said
    assert "pruned: on main, from base, pruned" in said
    assert sorted(project.rglob("*")) == files
    (project / "mix").rename(project / "moved")
    assert "MEL is left out: no mix main at hand" in call(project, "--dry-run").stderr


def test_names_are_looked_up(project: Path) -> None:
    result = CliRunner().invoke(app, ["experiment", "tinny", "--params", str(project / "params.yaml")])
    assert isinstance(result.exception, UnknownNameError)
    assert "tiny" in result.exception.remedy
    for options, kind in (
        (["--mix", "man=x"], UnknownNameError),
        (["--mix", "main"], SettingsError),
        (["--mix", "main=x"], SettingsError),
        (["--seeds", "a"], SettingsError),
    ):
        result = CliRunner().invoke(app, ["experiment", "tiny", "--params", str(project / "params.yaml"), *options])
        assert isinstance(result.exception, kind), options


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"trainings": {"a": {"from": "b"}, "b": {}}}, "not above it"),
        ({"arms": {"A": {"training": "nobody", "points": {"x": {}}}}}, "there is no training nobody"),
        ({"effects": [{"better": "plain", "worse": "MEL", "at": "5"}]}, "not measured"),
        ({"mixes": {"main": {"of": "m"}}}, "not there"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(project: Path, changes, said) -> None:
    path = project / "experiments" / "odd.yaml"
    path.write_text(yaml.safe_dump(described("odd", **changes), sort_keys=False))
    with pytest.raises(ManifestError, match=said):
        plan.read_experiment(path)


def test_a_point_beyond_the_model_is_refused(project: Path) -> None:
    arms = {"A": {"training": "base", "points": {"x": {"layers": 9}}}}
    with pytest.raises(SettingsError, match="3 layers"):
        run.run(bench_of(project, seeds=[0], arms=arms, effects=[]))


def test_settings_of_a_training_load_as_those_of_a_profile(project: Path) -> None:
    bench = bench_of(project)
    settings = bench.settings("base", 1)
    assert load_settings(bench.folder("base", 1) / "params.yaml", None)[1] == settings
    with pytest.raises(StageError):
        load(bench.folder("base", 1) / "model", settings)


@pytest.mark.slow
@pytest.mark.parametrize("name", plan.names())
def test_every_small_preset_runs_to_its_result_in_few_steps(mix: Path, tmp_path: Path, name: str) -> None:
    experiment = plan.load_experiment(name)
    text = json.dumps(experiment.presets["small"].model_dump(mode="json", by_alias=True))
    for setting, whole, few in (("steps", 120, 2), ("warmup_steps", 10, 1), ("vocab_size", 8192, 400)):
        assert f'"{setting}": {whole}' in text
        text = text.replace(f'"{setting}": {whole}', f'"{setting}": {few}')
    data = json.loads(text)
    preset = plan.Preset.model_validate(data | {"seeds": [0]})
    mixes = {key: mix for key, variant in preset.mixes.items() if variant.needed and variant.of is None}
    bench = run.Bench(preset, tmp_path, run.prepare_mixes(preset, mixes, tmp_path))
    result = report.result_of(experiment, "small", preset, run.run(bench), bench.left_out())
    assert result["arms"].keys() | result["left_out"].keys() == preset.arms.keys()
    assert result["effects"]
    for path in report.write(result, tmp_path / "out"):
        assert path.stat().st_size > 100
    if name == "mll-mel":
        counts = {arm: cells["same parameters"]["parameters"] for arm, cells in result["arms"].items()}
        assert counts["four layers, MLL + MEL"] == counts["four layers, plain, cut by SVD"]
