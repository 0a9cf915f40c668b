"""Descriptions of evaluation sets: MTEB's tasks, data layouts of task types, and sets with manifests like sources."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from pydantic import Field, ValidationError

from curation.decontamination.settings import MtebSettings
from open_ml_embed.core.errors import ManifestError, UnknownNameError
from open_ml_embed.core.json_text import loads
from open_ml_embed.core.section import Section
from open_ml_embed.core.validation_errors import refusal
from open_ml_embed.core.yaml_file import read_yaml
from sources import registry
from sources.manifest import Manifest

CATALOG = "evaluations/mteb.jsonl"
"""Path of the catalog, relative to a folder of manifests."""


class EvaluationTask(Section):
    """One of MTEB's tasks: the location of its data, and the splits and subsets that it evaluates."""

    name: str
    type: str
    """A key of `task_types.yaml`."""
    repo: str
    revision: str = Field(min_length=1)
    splits: list[str] = Field(min_length=1)
    subsets: dict[str, str] = Field(min_length=1)
    """Subset (a configuration of the repository, or `default`) → its language tags, joined by spaces."""
    config: str | None = None
    """The name of the configuration of a task with one subset, if it has a name."""
    columns: dict[str, list[str]] = {}
    """Role → columns, if they differ from those of the task type."""
    own_loading: bool = False
    """Whether mteb loads or rearranges the data by code. Columns may then have other names, and if none of the expected
    columns exists, all text columns are read."""
    benchmarks: list[int] = []
    """Indices of the task's benchmarks in the catalog's header."""

    @property
    def languages(self) -> list[str]:
        """The task's language tags, sorted."""
        return sorted({code for joined in self.subsets.values() for code in joined.split()})


class TaskType(Section):
    """The data layout of a task type, and which columns are queries and which are documents."""

    form: str = Field(pattern=r"^(rows|retrieval)$")
    query: list[str] = []
    """Names of query columns; those that a file has are read."""
    document: list[str] = []
    """Names of document columns; those that a file has are read."""


class Catalog(Section):
    """The content of `manifests/evaluations/mteb.jsonl`: MTEB's tasks by name."""

    version: str
    benchmarks: list[str]
    tasks: dict[str, EvaluationTask]

    def choose(self, settings: MtebSettings) -> list[EvaluationTask]:
        """Return the tasks that a profile selects, sorted by name.

        Raises:
            UnknownNameError: no task has a given benchmark, type or language, or matches a given name or pattern.

        """
        for pattern in (*settings.tasks, *settings.exclude):
            if not any(fnmatchcase(name, pattern) for name in self.tasks):
                raise UnknownNameError("MTEB task", pattern, self.tasks)
        _known("benchmark", settings.benchmarks, self.benchmarks)
        _known("task type", settings.types, {task.type for task in self.tasks.values()})
        _known("language", settings.languages, {code for task in self.tasks.values() for code in task.languages})
        wanted = {self.benchmarks.index(name) for name in settings.benchmarks}
        return [
            task
            for name, task in sorted(self.tasks.items())
            if (any(fnmatchcase(name, pattern) for pattern in settings.tasks) or wanted & set(task.benchmarks))
            and not any(fnmatchcase(name, pattern) for pattern in settings.exclude)
            and (not settings.types or task.type in settings.types)
            and (not settings.languages or set(settings.languages) & set(task.languages))
        ]


def evaluation_root() -> Path:
    """Return the folder of the evaluation manifests."""
    return registry.manifest_root() / "evaluations"


def load_catalog(root: Path | None = None) -> Catalog:
    """Read the catalog of MTEB's tasks; a catalog in `manifests/` below `root` takes precedence.

    Raises:
        ManifestError: the file does not exist, or is not in the format that `curate evaluations enumerate` writes.

    """
    path = registry.file(CATALOG, root)
    if not path.is_file():
        raise ManifestError("no such file", where=str(path), remedy="make it with `curate evaluations enumerate`")
    return _catalog(path, path.stat().st_mtime_ns)


@cache
def _catalog(path: Path, _version: int) -> Catalog:
    try:
        header, *lines = map(loads, path.read_text("utf-8").splitlines())
        tasks = [EvaluationTask.model_validate(line) for line in lines]
        return Catalog(version=header["mteb"], benchmarks=header["benchmarks"], tasks={t.name: t for t in tasks})
    except (ValueError, KeyError, TypeError) as error:
        raise ManifestError(
            str(error), where=str(path), remedy="make it again: `curate evaluations enumerate`"
        ) from None


def task_types() -> dict[str, TaskType]:
    """Read `task_types.yaml`: which columns of each task type are queries, and which are documents.

    Raises:
        ManifestError: the file is no mapping, or an entry does not fit `TaskType`.

    """
    path = evaluation_root() / "task_types.yaml"
    data, remedy = read_yaml(path, ManifestError), "see TaskType in evaluation_sets.py"
    if not isinstance(data, dict):
        raise ManifestError("no mapping of types to how they are laid out", where=str(path), remedy=remedy)
    try:
        return {name: TaskType.model_validate(entry) for name, entry in data.items()}
    except ValidationError as error:
        raise refusal(error, TaskType, ManifestError, where=str(path), remedy=remedy) from None


def set_names(root: Path | None = None) -> list[str]:
    """Return the names of the evaluation sets that have manifests like sources, sorted."""
    return list(_set_files(root))


def _set_files(root: Path | None) -> dict[str, Path]:
    return registry.files("evaluations/sets", *registry.folders(root))


def load_set(name: str, root: Path | None = None) -> Manifest:
    """Read the manifest of an evaluation set; the queries and positives of its rows are the evaluation texts.

    Args:
        name: name of the set.
        root: the folder of params.yaml, to include the user's own sets; None: only the packaged sets.

    Raises:
        UnknownNameError: there is no set of this name.
        ManifestError: the manifest is invalid.

    """
    files = _set_files(root)
    if name not in files:
        raise UnknownNameError("evaluation set", name, files)
    return registry.read_manifest(files[name])


def _known(kind: str, values: Iterable[str], valid: Iterable[str]) -> None:
    for value in values:
        if value not in valid:
            raise UnknownNameError(kind, value, valid)
