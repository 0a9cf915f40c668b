"""An export under MTEB: the prompts it was trained with, tasks by name, one table."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from open_ml_embed.core.errors import SettingsError, UnknownNameError
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.optional import require
from train.loop.keys import content_digest
from train.loop.run import DIGESTS, NATIVE

LAYOUT = "Instruct: {instruction}\nQuery: "
"""What stands before a query in the instruction mix; documents are bare."""
BATCH = 64


def open_model(folder: Path, *, instructed: bool, device: str = "cpu") -> Any:
    """Return an export as MTEB's encoder.

    Args:
        folder: a sentence-transformers folder, in either mode.
        instructed: the model knows instructions: every task then gives its own, to queries and to texts of symmetric
            tasks, in the mix's layout. Otherwise the folder's own prompts are used.
        device: where it runs.

    Raises:
        SettingsError: mteb is not installed, or the folder holds no export.

    """
    _mteb()
    if not (folder / "modules.json").is_file():
        # Its name would be looked for on the Hub.
        raise SettingsError(
            "no exported model",
            where=f"--model {folder}",
            remedy="give a folder that `train3d fit` or `train3d export` has written",
        )
    models = importlib.import_module("mteb.models")
    options: dict[str, Any] = {"revision": None, "device": device}
    if instructed:
        model = importlib.import_module("mteb.models.instruct_wrapper").InstructSentenceTransformerModel(
            str(folder), instruction_template=LAYOUT, apply_instruction_to_passages=False, **options
        )
    else:
        model = models.SentenceTransformerEncoderWrapper(str(folder), **options)
    model.mteb_model_meta = models.ModelMeta.create_empty(
        {
            "name": f"local/{folder.resolve().name}",
            "similarity_fn_name": models.model_meta.ScoringFunction.COSINE,
            "use_instructions": instructed,
        }
    )
    return model


def tasks_named(names: Sequence[str]) -> list[Any]:
    """Return MTEB's tasks of some names.

    Raises:
        UnknownNameError: there is no such task.
        SettingsError: mteb is not installed.

    """
    mteb = _mteb()
    known = {task.metadata.name for task in mteb.get_tasks(exclude_superseded=False)}
    for name in names:
        if name not in known:
            raise UnknownNameError("task", name, known, where="--mteb")
    return list(mteb.get_tasks(tasks=list(names), exclude_superseded=False))


def results_of(folder: Path, work: Path, *, instructed: bool) -> Path:
    """Return where an export's results are kept: other weights, or other prompts, have another place.

    MTEB tells models apart by name, and two exports may have one.
    """
    own = {path for path in folder.rglob("*") if path.is_file() and NATIVE not in path.relative_to(folder).parts}
    content = content_digest(sorted(own - {folder / "README.md"}), remembered=work / DIGESTS)
    return work / "mteb" / digest([content, instructed])[:16]


def evaluate_tasks(model: Any, tasks: Sequence[Any], cache: Path) -> dict[str, Any]:
    """Run tasks, those that were run before excepted.

    Args:
        model: of `open_model`.
        tasks: MTEB's.
        cache: where results are kept.

    Returns:
        By task: the main score of each split and subset, and its name.

    """
    mteb = _mteb()
    results = mteb.evaluate(
        model,
        list(tasks),
        cache=mteb.ResultCache(str(cache)),
        encode_kwargs={"batch_size": BATCH},
        show_progress_bar=False,
        co2_tracker=False,
    )
    metric = {task.metadata.name: task.metadata.main_score for task in tasks}
    return {
        result.task_name: {
            "metric": metric[result.task_name],
            "scores": {
                f"{split}/{scores['hf_subset']}": round(float(scores["main_score"]), 6)
                for split, subsets in sorted(result.scores.items())
                for scores in subsets
            },
        }
        for result in results.task_results
    }


def show(report: dict[str, Any], console: Console) -> None:
    """Print the scores, one line a split and subset."""
    table = Table("task", "metric", "split", "score")
    for task, entry in report.items():
        for split, score in entry["scores"].items():
            table.add_row(task, entry["metric"], split, f"{score:.4f}")
    console.print(table)


def _mteb() -> Any:
    return require("mteb", what="evaluation on its tasks", where="--mteb")
