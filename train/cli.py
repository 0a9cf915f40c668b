"""The `train3d` command: tokenise, fit, evaluate, export, prune."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from curation.engine import Workers
from sources.errors import CorpusError
from train.config import TrainSettings
from train.identity import canonical_json
from train.settings_file import load_settings

Engine = Literal["local", "ray"]
Metric = Literal["ndcg@10", "mrr@10", "accuracy@1"]
ExportMode = Literal["compatible", "efficient"]

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Train, evaluate and export 3D-ML embeddings.")

ParamsOption = Annotated[Path, typer.Option("--params", help="Settings file.")]
ProfileOption = Annotated[str | None, typer.Option("--profile", help="Profile in it; default: the file's own.")]
WorkOption = Annotated[Path | None, typer.Option("--work", help="Default: work/<profile>/train.")]
ModelOption = Annotated[Path | None, typer.Option("--model", help="Finished model. Default: out/<profile>/model.")]
WorkersOption = Annotated[int, typer.Option("--workers", help="Processes that tokenise; 0: one per core.")]

PARAMS = Path("params.yaml")


@app.command()
def fit(
    *,
    params: ParamsOption = PARAMS,
    profile: ProfileOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Default: out/<profile>/model.")] = None,
    work: WorkOption = None,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint.")] = True,
    workers: WorkersOption = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be trained on what, and stop.")] = False,
) -> None:
    """Train the tokenizer and the model, stage by stage, and export the model at full size.

    Over several GPUs: `torchrun --nproc-per-node N -m train.cli fit …`.
    """
    name, settings = load_settings(params, profile)
    out, work = out or _model_folder(name), work or _work_folder(name)
    from train.distributed import leads
    from train.fitting import refresh, train
    from train.preflight import outline
    from train.run import Run, finished_key

    run = Run(settings, work, Workers(count=workers))
    if dry_run:
        _say(outline(run))
        return
    if resume and finished_key(out) == run.key:
        if leads():
            anew = refresh(run, out)
            done = "its prompts are now those of `export.prompts`" if anew else "nothing to do"
            _say(f"{out} is complete for these settings and inputs; {done}")
        return
    train(run, out, resume=resume, say=_say)


@app.command()
def tokenise(
    *,
    params: ParamsOption = PARAMS,
    profile: ProfileOption = None,
    work: WorkOption = None,
    workers: WorkersOption = 0,
    engine: Annotated[Engine, typer.Option(help="Local processes, or Ray Core tasks.")] = "local",
    ray_address: Annotated[str | None, typer.Option(help="An existing Ray cluster.")] = None,
) -> None:
    """Turn the mixes of all stages into token ids; `fit` does it too, if it has not been done."""
    name, settings = load_settings(params, profile)
    from train.run import Run

    run = Run(settings, work or _work_folder(name), Workers(engine, workers, ray_address))
    for mix in run.mixes:
        store = run.store(mix)
        _say(f"{mix.root}: {len(store.documents):,} documents, {len(store.train.queries):,} samples to train on")


@app.command()
def evaluate(
    *,
    params: ParamsOption = PARAMS,
    profile: ProfileOption = None,
    model: ModelOption = None,
    report: Annotated[Path | None, typer.Option("--report", help="Default: out/<profile>/evaluation.json.")] = None,
    work: WorkOption = None,
    picture: Annotated[Path | None, typer.Option("--picture", help="A heat map too: .svg or .png.")] = None,
    metric: Annotated[Metric, typer.Option(help="Which to show; the report has all.")] = "ndcg@10",
    mteb: Annotated[list[str] | None, typer.Option("--mteb", metavar="TASK", help="An MTEB task instead.")] = None,
    instructions: Annotated[
        bool | None, typer.Option(help="MTEB: give the tasks' instructions. Default: if it was trained with some.")
    ] = None,
) -> None:
    """Measure retrieval on held-out pairs at every depth, dimension and rank, or run MTEB's tasks on an export."""
    name, settings = load_settings(params, profile)
    settings = _here(settings)
    folder, work = model or _model_folder(name), work or _work_folder(name)
    if mteb:
        from train import mteb_model
        from train.export import instructed_by

        said = instructed_by(folder) if instructions is None else instructions
        instructed = bool(said)
        encoder = mteb_model.open_model(folder, instructed=instructed, device=settings.device)
        if said is None:
            _say(f"{folder} does not say whether it was trained with instructions; it gets none (--instructions)")
        results = mteb_model.results_of(folder, work, instructed=instructed)
        result = mteb_model.evaluate_tasks(encoder, mteb_model.tasks_named(mteb), results)
        mteb_model.show(result, Console())
        report = report or Path("out") / name / "mteb.json"
    else:
        from train.evaluate import evaluate as measure
        from train.evaluate import show
        from train.heatmap import draw

        result = measure(settings, folder, work)
        show(result, Console(), metric)
        if picture is not None:
            draw(result, picture, metric=metric)
        report = report or _report(name)
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(canonical_json(result), "utf-8")
    _say(f"written to {report}")


@app.command()
def export(
    *,
    to: Annotated[Path, typer.Option("--to", help="Folder to write.")],
    params: ParamsOption = PARAMS,
    profile: ProfileOption = None,
    model: ModelOption = None,
    layers: Annotated[int | None, typer.Option(help="Keep so many layers.")] = None,
    dim: Annotated[int | None, typer.Option(help="Keep so many dimensions.")] = None,
    rank: Annotated[int | None, typer.Option(help="Keep so many embedding ranks.")] = None,
    mode: Annotated[ExportMode, typer.Option(help="A plain token embedding, or its two factors.")] = "compatible",
    onnx: Annotated[bool, typer.Option("--onnx", help="Write onnx/model.onnx too.")] = False,
) -> None:
    """Write a cut of the finished model as a sentence-transformers folder."""
    name, settings = load_settings(params, profile)
    settings = _here(settings)
    from train.card import Card
    from train.export import choose, instructed_by
    from train.export import export as write
    from train.run import description, load

    folder = model or _model_folder(name)
    embedder, shape, tokenizer = load(folder, settings)
    cut = choose(shape, layers=layers, dim=dim, rank=rank)
    prompts, instructed = settings.export.prompts, bool(instructed_by(folder))
    write(embedder, tokenizer, to, cut=cut, shape=shape, prompts=prompts, instructed=instructed, mode=mode)
    report = _report(name)
    evaluation = json.loads(report.read_text("utf-8")) if report.is_file() and model is None else None
    card = Card.of(to.resolve().name, description(folder), cut, mode, prompts, evaluation)
    (to / "README.md").write_text(card.markdown(), "utf-8")
    if onnx:
        from train.onnx_export import write_onnx

        write_onnx(to, dim=cut.dim)
    _say(f"{to}: {cut.layers} layers, {cut.dim} dimensions, embedding rank {cut.rank}, {mode}")


@app.command()
def prune(
    *,
    to: Annotated[Path, typer.Option("--to", help="Folder to write.")],
    params: ParamsOption = PARAMS,
    profile: ProfileOption = None,
    work: WorkOption = None,
    size: Annotated[str | None, typer.Option(help="80M, 160M or 330M, of Qwen3-0.6B.")] = None,
    layers: Annotated[int | None, typer.Option(help="Keep the first so many layers.")] = None,
    hidden: Annotated[int | None, typer.Option(help="Keep so many state channels.")] = None,
    intermediate: Annotated[int | None, typer.Option(help="Keep so many neurons a layer.")] = None,
    texts: Annotated[int, typer.Option(help="Documents of the first mix to measure activity on.")] = 2000,
) -> None:
    """Write a smaller backbone to train on: the profile's, structurally pruned."""
    name, settings = load_settings(params, profile)
    from train.prune import write_pruned
    from train.run import Run

    sizes = {"layers": layers, "hidden": hidden, "intermediate": intermediate}
    made = write_pruned(Run(settings, work or _work_folder(name)), to, size=size, sizes=sizes, texts=texts)
    _say(f"{to}: {made.layers} layers, {made.hidden} wide, {made.intermediate} neurons a layer")


def _here(settings: TrainSettings) -> TrainSettings:
    """Return settings for this machine: on its CPU where it has not the device that trains."""
    from train.devices import present

    if present(settings.device):
        return settings
    _say(f"there is no {settings.device} on this machine (train.device): on the CPU instead")
    return settings.model_copy(update={"device": "cpu"})


def _model_folder(profile: str) -> Path:
    return Path("out") / profile / "model"


def _report(profile: str) -> Path:
    return Path("out") / profile / "evaluation.json"


def _work_folder(profile: str) -> Path:
    return Path("work") / profile / "train"


def _say(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def main() -> None:
    """Run the command; what a user did wrong is said in words, not as a traceback."""
    try:
        app()
    except CorpusError as error:
        _say(f"error: {error}")
        sys.exit(1)


if __name__ == "__main__":  # for torchrun
    main()
