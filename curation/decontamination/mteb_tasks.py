"""Writes the catalog of MTEB's tasks, `manifests/evaluations/mteb.jsonl`, from the metadata of an installed `mteb`.

The file is committed, so building a corpus does not need `mteb`. `curate evaluations enumerate` writes it again for
another version of `mteb`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from curation.decontamination.evaluation_sets import EvaluationTask
from open_ml_embed.core.optional import require

_COLUMNS = {
    "query": ("input_column_name", "input1_column_name"),
    "document": ("input2_column_name",),
}
"""Role → class attributes of mteb's abstract tasks that name its columns; STS tasks have the pair `column_names`."""
_OWN_LOADING = ("load_data", "dataset_transform")


def enumerate_tasks(path: Path) -> str:
    """Write the catalog file and return a summary line.

    Raises:
        MissingPackageError: `mteb` is not installed.

    """
    mteb = require("mteb", what="making the catalog of its tasks", where="curate evaluations enumerate")
    tasks = mteb.get_tasks(exclude_superseded=False, exclude_aggregate=False)
    lines = catalog_lines(tasks, mteb.get_benchmarks(), mteb.__version__)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return f"{path}: {len(lines) - 1} of {len(list(tasks))} tasks of mteb {mteb.__version__}"


def catalog_lines(tasks: Iterable[Any], benchmarks: Iterable[Any], version: str) -> list[str]:
    """Return the lines of the catalog: a header, then one line for each task, sorted by name.

    Args:
        tasks: mteb's tasks, objects with `metadata`; tasks with other modalities than text, and aggregate tasks, are
            left out.
        benchmarks: mteb's benchmarks, objects with `name` and `tasks`; an aggregate task stands for its parts.
        version: version of mteb.

    """
    members: dict[str, list[int]] = {}
    names = []
    for benchmark in sorted(benchmarks, key=lambda b: str(b.name)):
        leaves = {name for task in benchmark.tasks for name in _leaves(task)}
        names.append(benchmark.name)
        for name in leaves:
            members.setdefault(name, []).append(len(names) - 1)
    text_tasks = {t.metadata.name: t for t in tasks if list(t.metadata.modalities) == ["text"] and not _is_aggregate(t)}
    used = sorted({number for name in text_tasks for number in members.get(name, ())})
    renumbered = {number: place for place, number in enumerate(used)}
    header = {"mteb": version, "tasks": len(text_tasks), "benchmarks": [names[number] for number in used]}
    lines = [json.dumps(header, ensure_ascii=False)]
    for name in sorted(text_tasks):
        task = describe(text_tasks[name], tuple(renumbered[number] for number in members.get(name, ())))
        lines.append(json.dumps(task.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False))
    return lines


def describe(task: Any, benchmarks: tuple[int, ...] = ()) -> EvaluationTask:
    """Return the catalog entry of one task.

    Args:
        task: an mteb task: `metadata` with name, type, dataset, eval_splits and hf_subsets_to_langscripts, and
            attributes with column names if its class sets any.
        benchmarks: indices of the benchmarks that it belongs to.

    """
    metadata = task.metadata
    dataset = metadata.dataset
    languages = {name: " ".join(codes) for name, codes in metadata.hf_subsets_to_langscripts.items()}
    if getattr(task, "parallel_subsets", False):  # here a subset is a pair of columns, and all columns are read
        codes = sorted({code for joined in languages.values() for code in joined.split()})
        languages = {"default": " ".join(codes)}
    split = re.sub(r"\[.*", "", dataset.get("split") or "")  # `train[:256]`: read the whole split, which finds no less
    return EvaluationTask(
        name=metadata.name,
        type=str(metadata.type),
        repo=dataset["path"],
        revision=dataset["revision"],
        splits=[split] if split else list(metadata.eval_splits),
        subsets=languages,
        config=dataset.get("name"),
        columns=_columns(task),
        own_loading=any(_overrides(type(task), name) for name in _OWN_LOADING),
        benchmarks=list(benchmarks),
    )


def _columns(task: Any) -> dict[str, list[str]]:
    """Return role → columns that the task's own class names; the type's default columns are left out."""
    columns: dict[str, list[str]] = {}
    for role, attributes in _COLUMNS.items():
        for attribute in attributes:
            value = getattr(task, attribute, None)
            if isinstance(value, str) and _overrides(type(task), attribute):
                columns.setdefault(role, []).append(value)
    pair = getattr(task, "column_names", None)
    if isinstance(pair, tuple) and len(pair) == 2 and _overrides(type(task), "column_names"):
        columns = {"query": [pair[0]], "document": [pair[1]]}
    return columns


def _overrides(kind: type, attribute: str) -> bool:
    """Tell whether a task's class, or a concrete class it inherits from, overrides an abstract task's attribute."""
    return any(attribute in vars(parent) for parent in kind.__mro__ if not _abstract(parent))


def _abstract(kind: type) -> bool:
    return kind is object or kind.__module__.startswith("mteb.abstasks") or kind.__name__.startswith("AbsTask")


def _is_aggregate(task: Any) -> bool:
    return getattr(task.metadata, "tasks", None) is not None


def _leaves(task: Any) -> list[str]:
    if not _is_aggregate(task):
        return [task.metadata.name]
    return [name for part in task.metadata.tasks for name in _leaves(part)]
