"""MTEB's tasks as lines of `manifests/evaluations/mteb.jsonl`, from the metadata of an installed `mteb`.

The file is committed, so that nobody needs `mteb` (or its import) to build a corpus; `curate evaluations enumerate`
makes it again for another version.
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
"""Role → class attributes of mteb's abstract tasks that name its column; STS has the pair `column_names`."""
_OWN_LOADING = ("load_data", "dataset_transform")


def enumerate_tasks(path: Path) -> str:
    """Write the catalog file and say what is in it.

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
    """Return the lines of the catalog: a header, then one task a line, by name.

    Args:
        tasks: objects with `metadata` as mteb's tasks have; those that are not text alone, and those that only
            gather other tasks, are left out.
        benchmarks: objects with `name` and `tasks`; a gathering task counts for what it gathers.
        version: of mteb.

    """
    members: dict[str, list[int]] = {}
    names = []
    for benchmark in sorted(benchmarks, key=lambda b: str(b.name)):
        within = {name for task in benchmark.tasks for name in _leaves(task)}
        names.append(benchmark.name)
        for name in within:
            members.setdefault(name, []).append(len(names) - 1)
    known = {t.metadata.name: t for t in tasks if list(t.metadata.modalities) == ["text"] and not _gathers(t)}
    used = sorted({number for name in known for number in members.get(name, ())})
    renumbered = {number: place for place, number in enumerate(used)}
    header = {"mteb": version, "tasks": len(known), "benchmarks": [names[number] for number in used]}
    lines = [json.dumps(header, ensure_ascii=False)]
    for name in sorted(known):
        task = describe(known[name], tuple(renumbered[number] for number in members.get(name, ())))
        lines.append(json.dumps(task.model_dump(mode="json", exclude_defaults=True), ensure_ascii=False))
    return lines


def describe(task: Any, benchmarks: tuple[int, ...] = ()) -> EvaluationTask:
    """Return what the catalog keeps of one task.

    Args:
        task: with `metadata` (name, type, dataset, eval_splits, hf_subsets_to_langscripts) as mteb's tasks have, and
            the column names its class states, where it states any.
        benchmarks: numbers of the benchmarks it belongs to.

    """
    metadata = task.metadata
    dataset = metadata.dataset
    languages = {name: " ".join(codes) for name, codes in metadata.hf_subsets_to_langscripts.items()}
    if getattr(task, "parallel_subsets", False):  # a subset is a pair of columns there, and every column is read
        codes = sorted({code for joined in languages.values() for code in joined.split()})
        languages = {"default": " ".join(codes)}
    split = re.sub(r"\[.*", "", dataset.get("split") or "")  # `train[:256]` reads all of it: more is found, not less
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
    """Return the columns that the task's own class names, by role; the type's usual ones are not repeated."""
    found: dict[str, list[str]] = {}
    for role, attributes in _COLUMNS.items():
        for attribute in attributes:
            value = getattr(task, attribute, None)
            if isinstance(value, str) and _overrides(type(task), attribute):
                found.setdefault(role, []).append(value)
    pair = getattr(task, "column_names", None)
    if isinstance(pair, tuple) and len(pair) == 2 and _overrides(type(task), "column_names"):
        found = {"query": [pair[0]], "document": [pair[1]]}
    return found


def _overrides(kind: type, attribute: str) -> bool:
    """Tell whether a task's class, or a task class it inherits from, has its own version of an abstract task's."""
    return any(attribute in vars(parent) for parent in kind.__mro__ if not _abstract(parent))


def _abstract(kind: type) -> bool:
    return kind is object or kind.__module__.startswith("mteb.abstasks") or kind.__name__.startswith("AbsTask")


def _gathers(task: Any) -> bool:
    return getattr(task.metadata, "tasks", None) is not None


def _leaves(task: Any) -> list[str]:
    if not _gathers(task):
        return [task.metadata.name]
    return [name for part in task.metadata.tasks for name in _leaves(part)]
