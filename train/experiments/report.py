"""The result of an experiment: a table with mean and spread over seeds, whether each effect shows, and a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from open_ml_embed.core.files import write_whole
from open_ml_embed.core.hashing import canonical_json
from open_ml_embed.core.optional import require
from train.evaluation.heatmap import METADATA
from train.experiments.plan import Effect, Experiment, Preset
from train.experiments.run import METRIC, Measured

COLORS = ("tab:gray", "tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown")


def result_of(
    experiment: Experiment, preset_name: str, preset: Preset, values: Sequence[Measured], left_out: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the content of the result's JSON file.

    Returns:
        ``labels`` and ``order`` (of the arms) as in tables; ``arms``: by arm and label, ``mean``, ``least``, ``most``
        over seeds, ``parameters`` and the score of each seed; ``effects``: each with the mean difference, its least and
        most over seeds (of the same seed), and ``shows``; ``left_out``: arm → the mixes that are not at hand;
        ``values``: everything measured.

    """
    by_cell: dict[tuple[str, str], dict[int, Measured]] = {}
    for value in values:
        by_cell.setdefault((value.arm, value.label), {})[value.seed] = value
    arms: dict[str, dict[str, Any]] = {}
    for name, arm in preset.arms.items():
        for label in arm.measured:
            cell = by_cell.get((name, label))
            if cell:
                arms.setdefault(name, {})[label] = _summary(cell)
    effects = [
        _effect(effect, by_cell)
        for effect in preset.effects
        if (effect.better, effect.at) in by_cell and (effect.worse, effect.against or effect.at) in by_cell
    ]
    return {
        "name": experiment.name,
        "title": experiment.title,
        "question": experiment.question,
        "preset": preset_name,
        "metric": METRIC,
        "axis": experiment.axis,
        "seeds": list(preset.seeds),
        "labels": _labels(arms),
        "order": list(arms),
        "arms": arms,
        "effects": effects,
        "left_out": dict(left_out),
        "values": [asdict(value) for value in values],
    }


def _labels(arms: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return all labels: numbers ascending, others in the order of the arms."""
    labels = list(dict.fromkeys(label for cells in arms.values() for label in cells))
    return sorted(labels, key=int) if all(label.isdecimal() for label in labels) else labels


def _summary(cell: Mapping[int, Measured]) -> dict[str, Any]:
    scores = [value.score for value in cell.values()]
    first = next(iter(cell.values()))
    return {
        "mean": round(float(np.mean(scores)), 6),
        "least": min(scores),
        "most": max(scores),
        "parameters": first.parameters,
        "queries": first.queries,
        "documents": first.documents,
        "scores": {str(seed): value.score for seed, value in cell.items()},
    }


def _effect(effect: Effect, by_cell: Mapping[tuple[str, str], Mapping[int, Measured]]) -> dict[str, Any]:
    """Return a checked effect; it shows if the better arm is better for every seed."""
    better, worse = by_cell[effect.better, effect.at], by_cell[effect.worse, effect.against or effect.at]
    seeds = sorted(better.keys() & worse.keys())
    differences = [better[seed].score - worse[seed].score for seed in seeds]
    return effect.model_dump() | {
        "difference": round(float(np.mean(differences)), 6),
        "least": round(min(differences), 6),
        "most": round(max(differences), 6),
        "shows": min(differences) > 0,
    }


def markdown(result: Mapping[str, Any]) -> str:
    """Return the result as Markdown: the table, the effects, and what was left out."""
    labels = result["labels"]
    lines = [f"| {result['axis']} | {' | '.join(labels)} |", "|" + " --- |" * (len(labels) + 1)]
    for arm in result["order"]:
        cells = result["arms"][arm]
        shown = [_shown(cells[label]) if label in cells else "" for label in labels]
        lines.append(f"| {arm} | {' | '.join(shown)} |")
    lines += ["", f"nDCG@10, mean and half the range over seeds ({len(result['seeds'])}); {_searched(result)}.", ""]
    lines += [f"- {effect_line(effect)}" for effect in result["effects"]]
    lines += [f"- {arm} was left out: no mix {', '.join(mixes)} at hand." for arm, mixes in result["left_out"].items()]
    return "\n".join(lines) + "\n"


def _searched(result: Mapping[str, Any]) -> str:
    """Return how many held-out queries are searched in how many documents, for each label if that differs."""
    counts = {
        label: f"{cell['queries']:,} held-out queries in {cell['documents']:,} documents"
        for label in result["labels"]
        for cells in result["arms"].values()
        if (cell := cells.get(label))
    }
    if len(set(counts.values())) <= 1:
        return next(iter(counts.values()), "nothing was measured")
    return ", ".join(f"{label}: {count}" for label, count in counts.items())


def effect_line(effect: Mapping[str, Any]) -> str:
    """Return one sentence on an effect: whether it shows, and by how much."""
    left = f"{effect['better']} at {effect['at']}"
    right = f"{effect['worse']} at {effect['against'] or effect['at']}"
    said = "is better for every seed than" if effect["shows"] else "does **not** show as better for every seed than"
    size = f"{effect['difference']:+.3f} ({effect['least']:+.3f} to {effect['most']:+.3f})"
    return f"{left} {said} {right}: {size}." + (f" Published: {effect['published']}" if effect["published"] else "")


def table_csv(result: Mapping[str, Any]) -> str:
    """Return every measured value as CSV: a row for each arm, label and seed."""
    text = io.StringIO()
    columns = ["arm", "label", "seed", "score", "parameters", "queries", "documents"]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(result["values"])
    return text.getvalue()


def draw(result: Mapping[str, Any], path: Path) -> None:
    """Draw the mean of each arm over the labels, and the range over seeds as a band.

    Raises:
        MissingPackageError: matplotlib is not installed.

    """
    require("matplotlib", what="a picture", where="train3d experiment")
    import matplotlib as mpl
    from matplotlib.figure import Figure

    labels = result["labels"]
    with mpl.rc_context({"svg.hashsalt": "experiment", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(max(4.0, 1.0 + 0.8 * len(labels)), 3.2), layout="constrained")
        plot = figure.subplots()
        for number, arm in enumerate(result["order"]):
            color, cells = COLORS[number % len(COLORS)], result["arms"][arm]
            at = [position for position, label in enumerate(labels) if label in cells]
            own = [cells[labels[position]] for position in at]
            mean, least, most = (np.array([cell[key] for cell in own]) for key in ("mean", "least", "most"))
            if len(at) > 1:
                plot.fill_between(at, least, most, color=color, alpha=0.2, linewidth=0)
                plot.plot(at, mean, "o-", color=color, markersize=3, label=arm)
            else:
                plot.errorbar(at, mean, [mean - least, most - mean], fmt="o", color=color, capsize=3, label=arm)
        plot.set_xticks(range(len(labels)), labels)
        plot.set_xlabel(result["axis"])
        plot.set_ylabel("nDCG@10")
        plot.set_ylim(bottom=0)
        plot.grid(axis="y", alpha=0.3)
        plot.legend(frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata=METADATA[path.suffix], dpi=144)


def write(result: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the result as `<name>-<preset>.json`, `.csv`, `.md` and `.svg`; equal results give equal bytes."""
    stem = f"{result['name']}-{result['preset']}"
    head = f"# {result['title']}\n\n{result['question']} Preset {result['preset']}.\n\n"
    paths = [folder / f"{stem}{suffix}" for suffix in (".json", ".csv", ".md", ".svg")]
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(paths[0], canonical_json(result))
    write_whole(paths[1], table_csv(result))
    write_whole(paths[2], f"{head}{markdown(result)}\n![{result['title']}]({stem}.svg)\n")
    draw(result, paths[3])
    return paths


def _shown(cell: Mapping[str, Any]) -> str:
    return f"{cell['mean']:.3f} ± {(cell['most'] - cell['least']) / 2:.3f}"
