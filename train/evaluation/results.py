"""Results on held-out pairs: what they were measured on, whether they still hold, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from open_ml_embed.core.files import write_whole
from open_ml_embed.core.fitting_table import Table
from open_ml_embed.core.sealed import DamagedRecordError, seal, unseal
from train.config import TrainSettings
from train.data.mix import Mix
from train.loop.record import DIGESTS, damage, finished_key

HEADLINE = "ndcg@10"
NAME = "evaluation.json"
"""Name of the results in `out/<profile>`, and of the record in a file of any name."""


def measured_on(settings: TrainSettings, folder: Path, work: Path, *, named: bool) -> dict[str, Any]:
    """Return mix, settings and model of an evaluation.

    Args:
        settings: the `train` section of the profile.
        folder: the model folder.
        work: the work folder, where hashes of files are remembered.
        named: whether the model was named on the command line.

    """
    mix = Mix(Path(settings.evaluation.mix), work / DIGESTS)
    return {
        "mix": {"folder": mix.root.name, "identity": mix.identity},
        "settings": settings.evaluation.model_dump(mode="json", exclude={"mix"}),
        "model": {"key": finished_key(folder), "named": named},
    }


def write(path: Path, results: Mapping[str, Any]) -> None:
    """Write results to a file, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, seal(results, NAME))


def standing(path: Path, settings: TrainSettings, folder: Path, work: Path, *, named: bool) -> dict[str, Any] | None:
    """Return the results in a file if they are of this model, mix and settings, and the model is whole; otherwise None.

    Args:
        path: the file that an evaluation wrote.
        settings: the `train` section of the profile.
        folder: the model folder.
        work: the work folder.
        named: whether the model was named on the command line.

    """
    if finished_key(folder) is None or damage(folder):
        return None
    try:
        found = unseal(path.read_bytes(), NAME, where=str(path))
    except (FileNotFoundError, DamagedRecordError):
        return None
    same = found.get("measured_on") == measured_on(settings, folder, work, named=named)
    return found if same else None


def show(report: dict[str, Any], console: Console, metric: str = HEADLINE) -> None:
    """Print a heat map for each embedding rank: layers × dimensions, the untrained model's value in brackets."""
    trained, untrained = report["trained"], {_size_of(c): c[metric] for c in report["untrained"]}
    top = max(c[metric] for c in trained) or 1.0
    dims = sorted({c["dim"] for c in trained})
    for rank in sorted({c["rank"] for c in trained}):
        table = Table(title=f"{metric}, embedding rank {rank} (untrained in brackets)", title_justify="left")
        table.add_column("layers", justify="right")
        for dim in dims:
            table.add_column(f"dim {dim}", justify="right")
        for layers in sorted({c["layers"] for c in trained}):
            cells = [c for c in trained if (c["layers"], c["rank"]) == (layers, rank)]
            cells.sort(key=lambda cell: int(cell["dim"]))
            shown = [
                Text.assemble((f"{c[metric]:.3f}", _heat(c[metric] / top)), f" ({untrained[_size_of(c)]:.3f})")
                for c in cells
            ]
            table.add_row(str(layers), *shown)
        console.print(table)
    before, after = untrained[_size_of(trained[-1])], trained[-1][metric]
    console.print(
        f"{report['queries']} queries in {report['documents']} documents; "
        f"full size: {after:.4f}, untrained {before:.4f}" + (f", {after / before:.1f} times as much" if before else "")
    )


def _size_of(cell: dict[str, Any]) -> tuple[int, int, int]:
    return cell["layers"], cell["dim"], cell["rank"]


def _heat(share: float) -> str:
    """Return the color for a share (0 … 1) of the best value: from blue over green to red."""
    steps = ("blue", "cyan", "green", "yellow", "red")
    return steps[min(len(steps) - 1, int(share * len(steps)))]
