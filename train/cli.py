"""The `train3d` command: fit, evaluate, export."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from sources.errors import CorpusError
from train.config import load_settings
from train.identity import canonical_json

if TYPE_CHECKING:
    from train.run import Run

LINE_EVERY_SECONDS = 5.0

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Train, evaluate and export 3D-ML embeddings.")

ParamsOption = Annotated[Path, typer.Option("--params", help="Settings file.")]
ProfileOption = Annotated[str | None, typer.Option("--profile", help="Profile in it; default: the file's own.")]
WorkOption = Annotated[Path | None, typer.Option("--work", help="Default: work/<profile>/train.")]
ModelOption = Annotated[Path | None, typer.Option("--model", help="Finished model. Default: out/<profile>/model.")]

PARAMS = Path("params.yaml")


@app.command()
def fit(
    *,
    params: ParamsOption = PARAMS,
    profile: ProfileOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Default: out/<profile>/model.")] = None,
    work: WorkOption = None,
    resume: Annotated[bool, typer.Option(help="Go on from the last checkpoint.")] = True,
) -> None:
    """Train the tokenizer and the model, stage by stage, and export the model at full size."""
    name, settings = load_settings(params, profile)
    out, work = out or _model_folder(name), work or _work_folder(name)
    from train.run import Run, finished_key

    run = Run(settings, work)
    if resume and finished_key(out) == run.key:
        _say(f"{out} is complete for these settings and inputs; nothing to do")
        return
    _fit(run, out, resume=resume)


@app.command()
def evaluate(
    *,
    params: ParamsOption = PARAMS,
    profile: ProfileOption = None,
    model: ModelOption = None,
    report: Annotated[Path | None, typer.Option("--report", help="Default: out/<profile>/evaluation.json.")] = None,
    work: WorkOption = None,
) -> None:
    """Measure retrieval on held-out pairs at every depth, dimension and rank, trained and untrained."""
    name, settings = load_settings(params, profile)
    from train.evaluate import evaluate as measure
    from train.evaluate import show

    result = measure(settings, model or _model_folder(name), work or _work_folder(name))
    report = report or Path("out") / name / "evaluation.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(canonical_json(result), "utf-8")
    show(result, Console())
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
) -> None:
    """Write a cut of the finished model as a sentence-transformers folder."""
    name, settings = load_settings(params, profile)
    from train.export import choose
    from train.export import export as write
    from train.run import load

    embedder, shape, tokenizer = load(model or _model_folder(name), settings)
    cut = choose(shape, layers=layers, dim=dim, rank=rank)
    write(embedder, tokenizer, to, cut=cut, dims=shape.dims, prompts=settings.export.prompts)
    _say(f"{to}: {cut.layers} layers, {cut.dim} dimensions, embedding rank {cut.rank}")


def _fit(run: Run, out: Path, *, resume: bool) -> None:
    from train.export import choose
    from train.export import export as write
    from train.loop import Trainer, forget
    from train.run import NATIVE, describe

    if not resume:
        forget(run)
    _say("preparing tokenizer, token ids and model")
    trainer = Trainer(run)
    if trainer.position.done:
        _say(f"resuming after step {trainer.position.done} of {trainer.total_steps}")
    for _ in _watched(trainer.steps(), done=trainer.position.done, total=trainer.total_steps):
        pass
    (out / NATIVE).mkdir(parents=True, exist_ok=True)
    (out / NATIVE / "run.json").unlink(missing_ok=True)
    trainer.save_untrained(out)
    trainer.save_trained(out)
    shape, settings = trainer.shape, run.settings
    write(trainer.model, run.tokenizer, out, cut=choose(shape), dims=shape.dims, prompts=settings.export.prompts)
    describe(out, run, shape, trainer.model.config)
    _say(f"written to {out}")


def _watched(entries: Iterable[dict[str, Any]], *, done: int, total: int) -> Iterator[dict[str, Any]]:
    """Pass log entries on: a bar on a terminal, a JSON line every few seconds on standard error otherwise."""
    from rich import progress

    console = Console(stderr=True)
    columns = (
        progress.TextColumn("[bold]train"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.description}"),
    )
    last = 0.0
    with progress.Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total, completed=done)
        for entry in entries:
            brief = {k: entry[k] for k in ("stage", "source", "loss")}
            rate = round(entry["tokens"] / max(entry["seconds"], 1e-9))
            bar.update(task, advance=1, description=f"{brief['stage']} loss {brief['loss']:.3f} {rate} tokens/s")
            finished = entry["step"] + 1
            if not console.is_terminal and (time.monotonic() - last >= LINE_EVERY_SECONDS or finished == total):
                last = time.monotonic()
                line = {"done": finished, "total": total, **brief, "tokens_per_second": rate}
                print(json.dumps(line), file=sys.stderr, flush=True)
            yield entry


def _model_folder(profile: str) -> Path:
    return Path("out") / profile / "model"


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
