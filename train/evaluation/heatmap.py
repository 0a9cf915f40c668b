"""Draws an evaluation as a heat map: layers × dimensions, one panel for each embedding rank."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from open_ml_embed.core.optional import require

METADATA: dict[str, dict[str, Any]] = {".svg": {"Date": None}, ".png": {"Software": None}}
"""Metadata that leave out date and software, so that equal reports give equal files."""


def draw(report: Mapping[str, Any], path: Path, *, metric: str = "ndcg@10") -> None:
    """Draw the metric of the trained model at every size.

    Args:
        report: the report that `train3d evaluate` writes.
        path: file to write; ends in .svg or .png.
        metric: name of the metric.

    Raises:
        MissingPackageError: matplotlib is not installed.

    """
    require("matplotlib", what="a picture", where="--picture")
    import matplotlib as mpl
    from matplotlib.figure import Figure

    cells = {(c["layers"], c["dim"], c["rank"]): c[metric] for c in report["trained"]}
    layers, dims, ranks = (sorted({size[axis] for size in cells}) for axis in range(3))
    with mpl.rc_context({"svg.hashsalt": "train3d", "svg.fonttype": "none", "font.size": 9}):
        width, height = 0.9 + len(ranks) * (0.62 * len(dims) + 0.3), 1.2 + 0.36 * len(layers)
        figure = Figure(figsize=(max(width, 4.0), height), layout="constrained")
        axes = figure.subplots(1, len(ranks), sharey=True, squeeze=False)[0]
        top = max(cells.values()) or 1.0
        for axis, rank in zip(axes, ranks, strict=True):
            values = np.array([[cells[layer, dim, rank] for dim in dims] for layer in layers])
            axis.imshow(values, vmin=0.0, vmax=top, cmap="viridis", aspect="auto")
            for (row, column), value in np.ndenumerate(values):
                color = "black" if value > 0.6 * top else "white"
                axis.text(column, row, f"{value:.3f}".removeprefix("0"), ha="center", va="center", color=color)
            axis.set_xticks(range(len(dims)), dims)
            axis.set_yticks(range(len(layers)), layers)
            axis.set_title(f"rank {rank}", fontsize=9)
            axis.tick_params(length=0)
        figure.supxlabel("dimensions", fontsize=9)
        axes[0].set_ylabel("layers")
        figure.suptitle(f"{metric}: {report['queries']:,} queries in {report['documents']:,} documents", fontsize=9)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata=METADATA[path.suffix], dpi=144)
