"""Monitoring of a run: a progress bar or JSON lines, and scalars for TensorBoard and Weights & Biases."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich import progress

from open_ml_embed.core import live
from open_ml_embed.core.live import Doing
from open_ml_embed.core.optional import require
from open_ml_embed.core.printing import Volume, print_json, volume
from open_ml_embed.core.terminal import Terminal
from train.config import Watching

LINE_EVERY_SECONDS = 5.0
BRIEF = ("stage", "source", "loss", "tokens_per_second", "mfu", "memory_gib")
EFFORT = (
    "learning_rate",
    "gradient_norm",
    "tokens_per_second",
    "data_wait_seconds",
    "mfu",
    "padding_avoided",
    "imbalance",
    "memory_gib",
)
TERMS = ("hard", "in_batch", "distilled")

Entry = dict[str, Any]
Sink = Callable[[int, dict[str, float]], None]


def watched(entries: Iterable[Entry], settings: Watching, folder: Path, *, done: int, total: int) -> Iterator[Entry]:
    """Yield log entries unchanged, and show each one.

    Args:
        entries: entries of `train.loop.loop.Trainer.steps`.
        settings: decides which sinks get scalars, besides the terminal.
        folder: folder of the run, for the files of the sinks.
        done: number of steps done before.
        total: number of steps of the run.

    Raises:
        MissingPackageError: the package of a sink is not installed.

    """
    with ExitStack() as stack:
        show = _terminal(stack, done=done, total=total)
        began = time.monotonic()
        sinks: list[Sink] = []
        if settings.tensorboard:
            sinks.append(_tensorboard(stack, folder / "tensorboard", purge=done))
        if settings.wandb is not None:
            sinks.append(_wandb(stack, settings.wandb, folder))
        for entry in entries:
            show(entry)
            now = Doing(
                "train",
                entry["step"] + 1,
                total,
                done,
                round(time.monotonic() - began, 1),
                note=f"{entry['stage']}, loss {entry['loss']:.3f}, {entry['tokens_per_second']:,} tokens a second",
            )
            live.show(now)
            for send in sinks:
                send(entry["step"], scalars(entry))
            yield entry


def scalars(entry: Entry) -> dict[str, float]:
    """Return the scalars of a step by name: loss by source, family, rank, layer and dimension, and performance figures.

    The loss of a layer is the unweighted sum over terms of the mean over its dimensions; that of a dimension is the
    same over layers.

    """
    values = {"loss": entry["loss"]}
    for kind in ("source", "family", "rank"):
        values[f"loss/{kind}/{entry[kind]}"] = entry["loss"]
    terms = [entry[name] for name in TERMS if entry.get(name)]
    for layer in terms[0]:
        values[f"loss/layer/{layer}"] = sum(sum(t[layer].values()) / len(t[layer]) for t in terms)
        for dim in terms[0][layer]:
            values[f"loss/dim/{dim}"] = sum(sum(row[dim] for row in t.values()) / len(t) for t in terms)
    if entry.get("validation"):
        values["validation/mean"] = entry["validation"]["mean"]
        values |= {f"validation/set/{name}": value for name, value in entry["validation"]["sets"].items()}
    return values | {name: entry[name] for name in EFFORT if entry.get(name) is not None}


def _terminal(stack: ExitStack, *, done: int, total: int) -> Callable[[Entry], None]:
    """Return a function that shows an entry: a bar on a terminal, otherwise JSON lines on standard error."""
    console = Terminal(stderr=True)
    if volume() is Volume.QUIET:
        return lambda entry: None
    if not console.is_terminal:
        last = 0.0

        def line(entry: Entry) -> None:
            nonlocal last
            finished = entry["step"] + 1
            if volume() is Volume.VERBOSE or time.monotonic() - last >= LINE_EVERY_SECONDS or finished == total:
                last = time.monotonic()
                fields = {"done": finished, "total": total, **{name: entry[name] for name in BRIEF}}
                print_json(fields, indent=None, error=True)

        return line
    columns = (
        progress.TextColumn("train", style="bold", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.description}", markup=False),
    )
    bar = stack.enter_context(progress.Progress(*columns, console=console))
    task = bar.add_task("", total=total, completed=done)
    smooth: list[float] = []

    def show(entry: Entry) -> None:
        smooth[:] = [*smooth[-19:], entry["loss"]]
        bar.update(
            task,
            advance=1,
            description=f"{entry['stage']} loss {sum(smooth) / len(smooth):.3f} "
            f"{entry['tokens_per_second']:,} tokens/s MFU {entry['mfu']:.0%} {entry['memory_gib']:.1f} GiB",
        )

    return show


def _tensorboard(stack: ExitStack, folder: Path, *, purge: int) -> Sink:
    require("tensorboard", what="writing for TensorBoard", where="train.watching.tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    make: Any = SummaryWriter
    # Steps that are repeated after an interruption replace those written before.
    writer = make(str(folder), purge_step=purge)
    stack.callback(writer.close)

    def send(step: int, values: dict[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    return send


def _wandb(stack: ExitStack, project: str, folder: Path) -> Sink:
    wandb = require("wandb", what="sending to Weights & Biases", where="train.watching.wandb")
    # The folder is named after the run's key, so a resumed run continues the same W&B run.
    run = wandb.init(project=project, id=folder.name, dir=str(folder), resume="allow")
    stack.callback(run.finish)

    def send(step: int, values: dict[str, float]) -> None:
        run.log(values, step=step)

    return send
