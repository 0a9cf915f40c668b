"""The `train3d` command: tokenize, fit, evaluate, export, prune."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

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
)
from curation.pipeline.opening import PARAMS, open_build
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.files import write_whole
from open_ml_embed.core.printing import print_json, say
from open_ml_embed.core.sealed import read_record, seal
from open_ml_embed.core.terminal import Terminal
from train import check_packages
from train.config import TrainSettings
from train.config_file import model_folder, settings_of, work_folder

Metric = Literal["ndcg@10", "mrr@10", "accuracy@1"]
ExportMode = Literal["compatible", "efficient"]
StoredType = Literal["float32", "bfloat16", "float16"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
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
    out: Annotated[Path | None, typer.Option("--out", help="Default: out/<profile>/model.")] = None,
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
    out, work = out or model_folder(build), work or work_folder(build)
    from train.loop.fit import fit as train
    from train.loop.preflight import outline
    from train.loop.run import Run
    from train.loop.upstream import check_mixes

    check_mixes(params, [stage.mix for stage in settings.stages])
    run = Run(settings, work, build.workers)
    if dry_run:
        say(outline(run))
        return
    train(run, out, resume=resume, say=say)


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
    instructions: Annotated[
        bool | None, typer.Option(help="MTEB: use the tasks' instructions. Default: if the model was trained with any.")
    ] = None,
    workers: Count = 0,
    engine: Engine = "local",
    ray_address: Address = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Evaluate retrieval on held-out pairs at every depth, dimension and rank, or run MTEB tasks on an export."""
    build, settings = _opened(profile, params, workers, engine, ray_address, changes or ())
    folder, work = model or model_folder(build), work or work_folder(build)
    report = report or (build.out / "mteb.json" if mteb else _report(build))
    if dry_run:
        say(f"{folder} on {', '.join(mteb) if mteb else settings.evaluation.mix}, to {report}")
        return
    if model is None:
        _check_is_current(params, settings, folder, work)
    settings = _on_available_device(settings)
    if mteb:
        from train.evaluation import mteb_model
        from train.export.export import instructed_by

        stated = instructed_by(folder) if instructions is None else instructions
        instructed = bool(stated)
        encoder = mteb_model.open_model(folder, instructed=instructed, device=settings.device)
        if stated is None:
            say(f"{folder} does not say whether it was trained with instructions; it gets none (see --instructions)")
        results = mteb_model.results_of(folder, work, instructed=instructed)
        result = mteb_model.evaluate_tasks(encoder, mteb_model.tasks_named(mteb), results)
        if not as_json:
            mteb_model.show(result, Terminal())
    else:
        from train.evaluation.evaluate import evaluate as measure
        from train.evaluation.evaluate import show
        from train.evaluation.heatmap import draw
        from train.loop.upstream import check_mixes

        check_mixes(params, [settings.evaluation.mix])
        result = measure(settings, folder, work, build.workers, named=model is not None)
        if not as_json:
            show(result, Terminal(), metric)
        if picture is not None:
            draw(result, picture, metric=metric)
    report.parent.mkdir(parents=True, exist_ok=True)
    write_whole(report, seal(result, _report(build).name))  # a report of another name is the same record
    if as_json:
        print_json(result)
    say(f"written to {report}")


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
    from train.loop.run import description, load

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


def _check_is_current(params: Path, settings: TrainSettings, folder: Path, work: Path) -> None:
    """Raise a StageError if the profile's own model is stale: trained with other settings or on other mixes."""
    from train.loop.run import Run
    from train.loop.upstream import check_mixes, check_model, mixes_of

    check_mixes(params, mixes_of(settings))
    check_model(Run(settings, work), folder)


def _evaluation_of(build: Build, folder: Path) -> dict[str, Any] | None:
    """Return the evaluation of the profile's own model, or None if there is none.

    Raises:
        StageError: the evaluation is of another model.

    """
    from train.loop.run import finished_key

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


def main() -> None:
    """Run the command; see `curation.cli.options.run_program` for how it ends."""
    run_program(app)


if __name__ == "__main__":
    main()
