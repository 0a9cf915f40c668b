"""The `train3d` command: tokenize, fit, evaluate, export, prune, publish, experiment."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from curation.build import Build
from curation.cli.options import (
    HELP,
    Address,
    AsJson,
    Count,
    DryRun,
    Engine,
    Params,
    ProfileName,
    run_program,
    with_version,
    with_volume,
)
from curation.cli.publish import Branch, Endpoint, Public, print_published
from curation.pipeline.lock import LIVE_TRAINING
from curation.pipeline.opening import PARAMS, open_build
from open_ml_embed.core.errors import SettingsError, StageError
from open_ml_embed.core.files import write_whole
from open_ml_embed.core.live import shown_at
from open_ml_embed.core.printing import print_json, print_text, say
from open_ml_embed.core.scratch import scratch_folder
from open_ml_embed.core.sealed import read_record, seal
from open_ml_embed.core.terminal import Terminal
from train import check_packages
from train.config import TrainSettings
from train.config_file import model_folder, settings_of, work_folder

if TYPE_CHECKING:
    from train.evaluation.mteb.evaluate import Request

Metric = Literal["ndcg@10", "mrr@10", "accuracy@1"]
ExperimentPreset = Literal["small", "full"]
ExportMode = Literal["compatible", "efficient"]
StoredType = Literal["float32", "bfloat16", "float16"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train, evaluate and export 3D-ML embeddings.",
    context_settings=HELP,
)
with_version(app)

Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the section `train`: --set stages.0.steps=9."),
]
WorkOption = Annotated[Path | None, typer.Option("--work", help="Default: work/<profile>/train beside the settings.")]
ModelOption = Annotated[Path | None, typer.Option("--model", help="Folder of the model. Default: out/<profile>/model.")]


@app.command()
def fit(
    *,
    params: Params = PARAMS,
    profile: ProfileName = None,
    changes: Changes = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Train on a file of your own in place of the mixes: queries and positives."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Default: out/<profile>/model, or model-of-<file> with --data.")
    ] = None,
    work: WorkOption = None,
    resume: Annotated[bool, typer.Option(help="Resume from the last checkpoint.")] = True,
    workers: Count = 0,
    engine: Engine = "local",
    ray_address: Address = None,
    dry_run: DryRun = False,
) -> None:
    """Train the tokenizer and the model, stage by stage, and export the model at full size.

    Over several GPUs: `torchrun --nproc-per-node N --no-python train3d fit …`.
    """
    build, settings = _opened(profile, params, workers, engine, ray_address, changes or ())
    work, model = work or work_folder(build), model_folder(build)
    from train.loop.record import is_complete
    from train.loop.upstream import check_mixes

    with ExitStack() as stack:
        if data is not None:
            from train.own_data import mix_of, trained_on

            made = stack.enter_context(scratch_folder("own")) if dry_run else work
            settings = trained_on(settings, mix_of(data, made))
            model = model.with_name(f"{model.name}-of-{data.name.partition('.')[0]}")
        check_mixes(params, [stage.mix for stage in settings.stages])
        alone = "WORLD_SIZE" not in os.environ  # of several processes, only one speaks
        if resume and alone and not dry_run and is_complete(settings, work, out or model):
            say(f"{out or model} is complete for these settings and inputs; nothing to do")
            return
        from train.loop.fit import fit as train
        from train.loop.preflight import outline
        from train.loop.run import Run

        run = Run(settings, work, build.workers)
        if dry_run:
            say(outline(run))
            return
        stack.enter_context(shown_at(build.local_work / build.name / LIVE_TRAINING))
        train(run, out or model, resume=resume, say=say)


@app.command()
def tokenize(
    *,
    params: Params = PARAMS,
    profile: ProfileName = None,
    changes: Changes = None,
    work: WorkOption = None,
    workers: Count = 0,
    engine: Engine = "local",
    ray_address: Address = None,
    dry_run: DryRun = False,
) -> None:
    """Tokenize the mixes of all stages; `fit` does this too where it has not been done."""
    build, settings = _opened(profile, params, workers, engine, ray_address, changes or ())
    from train.loop.run import Run
    from train.loop.upstream import check_mixes

    check_mixes(params, [stage.mix for stage in settings.stages])
    run = Run(settings, work or work_folder(build), build.workers)
    for mix in run.mixes:
        if dry_run:
            say(f"{mix.root}: {mix.rows('documents'):,} documents, {mix.rows('train'):,} samples, to {run.work}")
            continue
        store = run.store(mix)
        say(f"{mix.root}: {len(store.documents):,} documents, {len(store.train.queries):,} samples to train on")


@app.command()
def evaluate(
    *,
    params: Params = PARAMS,
    profile: ProfileName = None,
    changes: Changes = None,
    model: ModelOption = None,
    report: Annotated[Path | None, typer.Option("--report", help="Default: out/<profile>/evaluation.json.")] = None,
    work: WorkOption = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="Write a heat map too: .svg or .png.")] = None,
    metric: Annotated[Metric, typer.Option(help="Metric to show; the report has all.")] = "ndcg@10",
    mteb: Annotated[list[str] | None, typer.Option("--mteb", metavar="TASK", help="Run an MTEB task instead.")] = None,
    benchmark: Annotated[
        list[str] | None,
        typer.Option("--benchmark", metavar="NAME", help="Run an MTEB benchmark: `German`, `MTEB(deu, v1)`, `all17`."),
    ] = None,
    instructions: Annotated[
        bool | None, typer.Option(help="MTEB: use the tasks' instructions. Default: if the model was trained with any.")
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(metavar="N[,N]", help="MTEB: numbers of layers, all combinations of sizes in one pass."),
    ] = None,
    dim: Annotated[str | None, typer.Option(metavar="N[,N]", help="MTEB: numbers of dimensions.")] = None,
    rank: Annotated[str | None, typer.Option(metavar="N[,N]", help="MTEB: embedding ranks.")] = None,
    results: Annotated[
        Path | None, typer.Option("--results", help="MTEB: folder of mteb's results. Default: out/<profile>/mteb.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="ORG/MODEL", help="MTEB: name to file results as.")
    ] = None,
    revision: Annotated[
        str | None, typer.Option("--revision", help="MTEB: revision to file results as. Default: a hash of the files.")
    ] = None,
    beside: Annotated[
        list[str] | None, typer.Option("--beside", metavar="MODEL", help="MTEB: published model to show beside.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="MTEB: only data that are on this machine.")] = False,
    workers: Count = 0,
    engine: Engine = "local",
    ray_address: Address = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Evaluate retrieval on held-out pairs at every depth, dimension and rank, or run MTEB on an export.

    With MTEB, results are mteb's own files, in folders that can be submitted; a slot with a result is not run again.
    """
    build, settings = _opened(profile, params, workers, engine, ray_address, changes or ())
    folder, work = model or model_folder(build), work or work_folder(build)
    on_mteb = bool(mteb or benchmark)
    report = report or (build.out / "mteb.json" if on_mteb else _report(build))
    if on_mteb:
        from train.evaluation.mteb.evaluate import Request

        request = Request(
            folder=folder,
            params=params,
            work=work,
            results=results or build.out / "mteb",
            benchmarks=tuple(benchmark or ()),
            tasks=tuple(mteb or ()),
            sizes={"layers": layers, "dim": dim, "rank": rank},
            instructed=instructions,
            name=name,
            revision=revision,
            beside=tuple(beside or ()),
            offline=offline,
        )
        if model is None and not dry_run:
            _check_is_current(params, settings, folder, work)
        _evaluate_on_mteb(request, settings, report, as_json=as_json, dry_run=dry_run)
        return
    _only_with_mteb(layers=layers, dim=dim, rank=rank, results=results, name=name, revision=revision, beside=beside)
    if dry_run:
        say(f"{folder} on {settings.evaluation.mix}, to {report}")
        return
    if model is None:
        _check_is_current(params, settings, folder, work)
    from train.evaluation.results import show, standing, write
    from train.loop.upstream import check_mixes

    check_mixes(params, [settings.evaluation.mix])
    said = f"{report} holds for this model, mix and settings; nothing to do"
    result = standing(report, settings, folder, work, named=model is not None)
    if result is None:
        from train.evaluation.evaluate import evaluate as measure

        said = f"written to {report}"
        result = measure(_on_available_device(settings), folder, work, build.workers, named=model is not None)
        write(report, result)
    if not as_json:
        show(result, Terminal(), metric)
    if picture is not None:
        from train.evaluation.heatmap import draw

        draw(result, picture, metric=metric)
    if as_json:
        print_json(result)
    say(said)


@app.command()
def export(
    *,
    to: Annotated[Path, typer.Option("--to", help="Folder to write.")],
    params: Params = PARAMS,
    profile: ProfileName = None,
    changes: Changes = None,
    model: ModelOption = None,
    layers: Annotated[int | None, typer.Option(help="Number of layers to keep.")] = None,
    dim: Annotated[int | None, typer.Option(help="Number of dimensions to keep.")] = None,
    rank: Annotated[int | None, typer.Option(help="Embedding rank to keep.")] = None,
    mode: Annotated[ExportMode, typer.Option(help="Token embedding as one table, or as two factors.")] = "compatible",
    dtype: Annotated[StoredType, typer.Option(help="Type that the weights are stored in.")] = "float32",
    max_shard_gb: Annotated[float, typer.Option(help="Maximum size of a file of weights, in GB.")] = 5.0,
    onnx: Annotated[bool, typer.Option("--onnx", help="Write onnx/model.onnx too.")] = False,
    gguf: Annotated[bool, typer.Option("--gguf", help="Write gguf/ too, which llama.cpp's converter reads.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Export the finished model, cut in depth, dimension or rank if asked, as a sentence-transformers folder."""
    build, settings = _opened(profile, params, overrides=changes or ())
    folder = model or model_folder(build)
    if dry_run:
        say(f"{folder} to {to}, {mode}")
        return
    if model is None:
        _check_is_current(params, settings, folder, work_folder(build))
    evaluation = None if model else _evaluation_of(build, folder)
    settings = _on_available_device(settings)
    from train.export.card import Card
    from train.export.export import choose, instructed_by
    from train.export.export import export as write
    from train.export.prompts import prompts_for
    from train.loop.record import description
    from train.loop.run import load

    embedder, shape, tokenizer = load(folder, settings)
    cut = choose(shape, layers=layers, dim=dim, rank=rank)
    instructed = bool(instructed_by(folder))
    prompts = prompts_for(settings.export, instructed=instructed)
    write(
        embedder,
        tokenizer,
        to,
        cut=cut,
        shape=shape,
        prompts=prompts,
        instructed=instructed,
        mode=mode,
        dtype=dtype,
        shard_bytes=max(1, int(max_shard_gb * 1e9)),
    )
    card = Card.of(to.resolve().name, description(folder), cut, mode, prompts, evaluation)
    write_whole(to / "README.md", card.markdown())
    if onnx:
        from train.export.onnx import write_onnx

        write_onnx(to, dim=cut.dim, pooling=embedder.pooling)
    if gguf:
        from train.export.gguf import write_gguf_folder

        write_gguf_folder(to, dim=cut.dim, config=embedder.config, mode=mode)
    say(f"{to}: {cut.layers} layers, {cut.dim} dimensions, embedding rank {cut.rank}, {mode}")


@app.command()
def prune(
    *,
    to: Annotated[Path, typer.Option("--to", help="Folder to write.")],
    params: Params = PARAMS,
    profile: ProfileName = None,
    changes: Changes = None,
    work: WorkOption = None,
    size: Annotated[str | None, typer.Option(help="80M, 160M or 330M; for Qwen3-0.6B.")] = None,
    layers: Annotated[int | None, typer.Option(help="Number of layers to keep, from the first on.")] = None,
    hidden: Annotated[int | None, typer.Option(help="Number of hidden channels to keep.")] = None,
    intermediate: Annotated[int | None, typer.Option(help="Number of feed-forward neurons to keep per layer.")] = None,
    texts: Annotated[int, typer.Option(help="Number of texts of the first mix to measure activity on.")] = 2000,
    workers: Count = 0,
    engine: Engine = "local",
    ray_address: Address = None,
    dry_run: DryRun = False,
) -> None:
    """Prune the backbone of the profile structurally, and write the smaller backbone, to train on."""
    build, settings = _opened(profile, params, workers, engine, ray_address, changes or ())
    if dry_run:
        say(f"the backbone of profile {build.name} to {to}")
        return
    from train.loop.run import Run
    from train.loop.upstream import check_mixes
    from train.model.prune import write_pruned

    check_mixes(params, [settings.stages[0].mix])
    sizes = {"layers": layers, "hidden": hidden, "intermediate": intermediate}
    target = write_pruned(
        Run(settings, work or work_folder(build), build.workers), to, size=size, sizes=sizes, texts=texts
    )
    say(f"{to}: {target.layers} layers, {target.hidden} wide, {target.intermediate} neurons a layer")


@app.command()
def publish(
    to: Annotated[str, typer.Option("--to", help="The repository, owner/name; made if it is not there.")],
    license: Annotated[str, typer.Option("--license", help="The model's license, as the Hub names it: apache-2.0.")],
    params: Params = PARAMS,
    profile: ProfileName = None,
    model: Annotated[
        Path | None, typer.Option("--model", help="An export, or a model folder. Default: out/<profile>/model.")
    ] = None,
    dataset: Annotated[
        list[str] | None, typer.Option(help="Repository of a mix that it was trained on; can be repeated.")
    ] = None,
    branch: Branch = "main",
    endpoint: Endpoint = None,
    *,
    public: Public = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Publish a model on the Hub, with what the Hub reads of a card; private unless --public."""
    build, settings = _opened(profile, params)
    folder = model or model_folder(build)
    if model is None:
        _check_is_current(params, settings, folder, work_folder(build))
    from curation.publish.upload import Repository
    from train.publish import Facts, languages_of, publish_model

    languages = languages_of([Path(stage.mix) for stage in settings.stages if Path(stage.mix).is_dir()])
    evaluation = _evaluation_of(build, folder) if model is None else None
    facts = Facts(license, tuple(dataset or ()), languages, evaluation, Path(settings.evaluation.mix).name)
    repository = Repository(to, "model", public, branch, endpoint or build.profile.sources.endpoint)
    done = publish_model(folder, repository, facts, root=build.root, dry_run=dry_run)
    if as_json:
        print_json({**asdict(done), "public": public, "dry_run": dry_run})
        return
    print_published(str(folder), to, done, public=public, dry_run=dry_run)


@app.command()
def experiment(
    name: Annotated[str | None, typer.Argument(help="An experiment of `train3d experiment --list`.")] = None,
    *,
    params: Params = PARAMS,
    profile: ProfileName = None,
    list_all: Annotated[bool, typer.Option("--list", help="List the experiments.")] = False,
    preset: Annotated[ExperimentPreset, typer.Option(help="small: two cores; full: as published.")] = "small",
    mix: Annotated[
        list[str] | None, typer.Option("--mix", metavar="NAME=FOLDER", help="Folder of a mix of the experiment.")
    ] = None,
    seeds: Annotated[str | None, typer.Option(metavar="N[,N]", help="Other seeds than the preset's.")] = None,
    work: Annotated[Path | None, typer.Option("--work", help="Default: work/experiments beside the settings.")] = None,
    to: Annotated[Path | None, typer.Option("--to", help="Folder of the results. Default: out/experiments.")] = None,
    commands: Annotated[
        bool, typer.Option("--commands", help="Print the `train3d fit` of each training, to be run elsewhere.")
    ] = False,
    workers: Count = 0,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Run trainings that differ in one thing, over several seeds, and compare them; finished ones are kept."""
    from train.experiments import plan, report

    if list_all or name is None:
        for known in map(plan.load_experiment, plan.names()):
            print_text(f"{known.name}: {known.question}")
            for preset_name, described in known.presets.items():
                runs = f"{len(described.trainings)} trainings × {len(described.seeds)} seeds"
                print_text(f"    {preset_name}: {runs}. {described.needs}")
        return
    chosen = plan.load_experiment(name)
    numbers = [int(seed) for seed in _separated("--seeds", seeds)]
    wanted = plan.preset_of(chosen, preset, numbers)
    given = {key: Path(folder) for key, folder in map(_named_folder, mix or ())}
    check_packages("train3d")
    build = open_build(profile, params, workers)
    work = (work or build.local_work / "experiments") / name / preset
    folders = plan.folders_of(wanted, given, {key: build.mix(key) for key in build.profile.mixes}, needed=not dry_run)
    from train.experiments import run as running
    from train.loop.upstream import check_mixes

    check_mixes(params, [str(folder) for folder in folders.values()])
    if dry_run:
        at_hand = {key: path for key in wanted.mixes if (path := plan.origin_of(wanted, key, folders)) is not None}
        say(running.outline(running.Bench(wanted, work, at_hand)))
        return
    bench = running.Bench(wanted, work, running.prepare_mixes(wanted, folders, work), build.workers)
    if commands:
        for line in running.commands(bench):
            print_text(line)
        return
    result = report.result_of(chosen, preset, wanted, running.run(bench, say), bench.left_out())
    paths = report.write(result, to or build.root / "out" / "experiments")
    if as_json:
        print_json(result)
    else:
        print_text(report.markdown(result))
    say(f"written to {', '.join(map(str, paths))}")


def _separated(option: str, text: str | None) -> list[str]:
    parts = [] if text is None else [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise SettingsError(f"{text!r} is no list of numbers", where=option, remedy=f"as {option} 0,1,2")
    return parts


def _named_folder(text: str) -> tuple[str, str]:
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise SettingsError(
            f"{text!r} is no NAME=FOLDER", where="--mix", remedy="as --mix main=out/sample/mixes/retrieval"
        )
    return name, folder


def _evaluate_on_mteb(request: Request, settings: TrainSettings, report: Path, *, as_json: bool, dry_run: bool) -> None:
    """Run what is asked for of MTEB, and write and show the report.

    Raises:
        CorpusError: a name is unknown, or some tasks have no result; the others have.

    """
    from train.evaluation.mteb import report as reports
    from train.evaluation.mteb.evaluate import evaluate as measure
    from train.evaluation.mteb.evaluate import outline, shortfall

    if dry_run:
        say(outline(request, report))
        return
    result, outcome = measure(request, _on_available_device(settings), say)
    shown = request.beside or reports.BESIDE
    report.parent.mkdir(parents=True, exist_ok=True)
    write_whole(report, seal(result, report.name))
    write_whole(report.with_suffix(".md"), reports.markdown(result, shown))
    if as_json:
        print_json(result)
    else:
        reports.show(result, Terminal(), shown)
    say(f"written to {report} and {report.with_suffix('.md')}; mteb's results are in {request.results}")
    error = shortfall(outcome, result)
    if error is not None:
        raise error


def _only_with_mteb(**options: object) -> None:
    """Raise a SettingsError if an option is given that needs --mteb or --benchmark."""
    for name, value in options.items():
        if value:
            raise SettingsError(
                "this option is for MTEB",
                where=f"--{name}",
                remedy="add --benchmark NAME or --mteb TASK; held-out pairs are evaluated at every size",
            )


def _check_is_current(params: Path, settings: TrainSettings, folder: Path, work: Path) -> None:
    """Raise a StageError if the profile's own model is stale: trained with other settings or on other mixes."""
    from train.loop.upstream import check_mixes, check_model, mixes_of

    check_mixes(params, mixes_of(settings))
    check_model(settings, work, folder)


def _evaluation_of(build: Build, folder: Path) -> dict[str, Any] | None:
    """Return the evaluation of the profile's own model, or None if there is none.

    Raises:
        StageError: the evaluation is of another model.

    """
    from train.loop.record import finished_key

    path = _report(build)
    evaluation = read_record(path, remedy="run `train3d evaluate` again")
    if evaluation is None:
        return None
    measured = evaluation.get("measured_on", {}).get("model", {})
    if measured.get("key") != finished_key(folder):
        raise StageError(
            "it was measured on another model",
            where=str(path),
            remedy="run `train3d evaluate`, or remove the file; the card is then written without figures",
        )
    return dict(evaluation)


def _on_available_device(settings: TrainSettings) -> TrainSettings:
    """Return the settings with the CPU as device if the machine does not have the one that the settings name."""
    from open_ml_embed.core.devices import present

    if present(settings.device):
        return settings
    say(f"train.device: there is no {settings.device} on this machine; runs on the CPU instead")
    return settings.model_copy(update={"device": "cpu"})


def _opened(
    profile: str | None,
    params: Path,
    workers: int = 0,
    engine: str = "local",
    ray_address: str | None = None,
    overrides: Sequence[str] = (),
) -> tuple[Build, TrainSettings]:
    """Return the build of the profile, after its names were checked, and its `train` settings."""
    check_packages("train3d")
    build = open_build(profile, params, workers, engine, ray_address)
    return build, settings_of(build, f"{params}, profile {build.name}", overrides)


def _report(build: Build) -> Path:
    return build.out / "evaluation.json"


with_volume(app)


def main() -> None:
    """Run the command; see `curation.cli.options.run_program` for how it ends."""
    run_program(app)


if __name__ == "__main__":
    main()
