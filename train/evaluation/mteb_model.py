"""Runs MTEB tasks on an exported model, with the prompts that it was trained with."""

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
from train.export.prompts import LAYOUT
from train.loop.keys import content_digest
from train.loop.run import DIGESTS
from train.native import NATIVE

BATCH = 64


def open_model(folder: Path, *, instructed: bool, device: str = "cpu") -> Any:
    """Return an exported model as an MTEB encoder.

    Args:
        folder: a sentence-transformers folder, in either export mode.
        instructed: use the instructions of the tasks, in the layout of the mix, for queries and for texts of symmetric
            tasks. Otherwise the prompts of the folder are used.
        device: device of the model.

    Raises:
        MissingPackageError: mteb is not installed.
        SettingsError: the folder holds no exported model.

    """
    _mteb()
    if not (folder / "modules.json").is_file():
        # sentence-transformers would look for the name on the Hub.
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
    """Return the MTEB tasks with the given names.

    Raises:
        UnknownNameError: there is no task of a name.
        MissingPackageError: mteb is not installed.

    """
    mteb = _mteb()
    known = {task.metadata.name for task in mteb.get_tasks(exclude_superseded=False)}
    for name in names:
        if name not in known:
            raise UnknownNameError("task", name, known, where="--mteb")
    return list(mteb.get_tasks(tasks=list(names), exclude_superseded=False))


def results_of(folder: Path, work: Path, *, instructed: bool) -> Path:
    """Return the cache folder for the results of an export; other weights or prompts give another folder.

    MTEB identifies models by name only, and two exports may have the same name.

    """
    files = {path for path in folder.rglob("*") if path.is_file() and NATIVE not in path.relative_to(folder).parts}
    content = content_digest(sorted(files - {folder / "README.md"}), remembered=work / DIGESTS)
    return work / "mteb" / digest([content, instructed])[:16]


def evaluate_tasks(model: Any, tasks: Sequence[Any], cache: Path) -> dict[str, Any]:
    """Run tasks; results that are in the cache are not computed again.

    Args:
        model: an encoder from `open_model`.
        tasks: MTEB tasks from `tasks_named`.
        cache: folder of the results.

    Returns:
        For each task the name of its main metric, and the main score of each `split/subset`.

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
    """Print the scores, one line for each split and subset."""
    table = Table("task", "metric", "split", "score")
    for task, entry in report.items():
        for split, score in entry["scores"].items():
            table.add_row(task, entry["metric"], split, f"{score:.4f}")
    console.print(table)


def _mteb() -> Any:
    return require("mteb", what="evaluation on its tasks", where="--mteb")
