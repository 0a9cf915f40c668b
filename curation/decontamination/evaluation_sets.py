"""What is known of evaluation sets: MTEB's tasks, how the data of each type lie, sets described as sources are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from pydantic import Field, ValidationError

from curation.decontamination.settings import MtebSettings
from open_ml_embed.core.errors import ManifestError, UnknownNameError
from open_ml_embed.core.section import Section
from open_ml_embed.core.validation_errors import refusal
from open_ml_embed.core.yaml_file import read_yaml
from sources import registry
from sources.manifest import Manifest

CATALOG = "evaluations/mteb.jsonl"
"""Below a folder of manifests."""


class EvaluationTask(Section):
    """One of MTEB's tasks: where its data lies and what of it is evaluated on."""

    name: str
    type: str
    """A key of `task_types.yaml`."""
    repo: str
    revision: str = Field(min_length=1)
    splits: list[str] = Field(min_length=1)
    subsets: dict[str, str] = Field(min_length=1)
    """Subset (a configuration of the repository, or `default`) → its languages, joined by spaces."""
    config: str | None = None
    """The configuration of a task with one subset, where it has a name."""
    columns: dict[str, list[str]] = {}
    """Role → columns, where they are not the type's."""
    own_loading: bool = False
    """mteb loads or rearranges it by code: columns may have other names, and then all texts count."""
    benchmarks: list[int] = []
    """Numbers in the header's list."""

    @property
    def languages(self) -> list[str]:
        """Return its language tags, sorted."""
        return sorted({code for joined in self.subsets.values() for code in joined.split()})


class TaskType(Section):
    """How the data of a type of tasks is laid out, and which of its columns ask and which answer."""

    form: str = Field(pattern=r"^(rows|retrieval)$")
    query: list[str] = []
    """Columns; of several, those that are there."""
    document: list[str] = []


class Catalog(Section):
    """The file `manifests/evaluations/mteb.jsonl`."""

    version: str
    benchmarks: list[str]
    tasks: dict[str, EvaluationTask]

    def choose(self, settings: MtebSettings) -> list[EvaluationTask]:
        """Return the tasks that a profile takes, by name.

        Raises:
            UnknownNameError: a benchmark, type or language that no task has, or a name or pattern without a task.

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
    """Read MTEB's tasks; a catalog in `manifests/` below `root` comes first.

    Raises:
        ManifestError: there is no such file, or it is not what `curate evaluations enumerate` writes.

    """
    path = registry.file(CATALOG, root)
    if not path.is_file():
        raise ManifestError("no such file", where=str(path), remedy="make it with `curate evaluations enumerate`")
    return _catalog(path, path.stat().st_mtime_ns)


@cache
def _catalog(path: Path, _version: int) -> Catalog:
    try:
        header, *lines = map(json.loads, path.read_text("utf-8").splitlines())
        tasks = [EvaluationTask.model_validate(line) for line in lines]
        return Catalog(version=header["mteb"], benchmarks=header["benchmarks"], tasks={t.name: t for t in tasks})
    except (ValueError, KeyError, TypeError) as error:
        raise ManifestError(
            str(error), where=str(path), remedy="make it again: `curate evaluations enumerate`"
        ) from None


def task_types() -> dict[str, TaskType]:
    """Read `task_types.yaml`: which texts of each type of tasks are queries, and which documents.

    Raises:
        ManifestError: the file breaks the model.

    """
    path = evaluation_root() / "task_types.yaml"
    data, remedy = read_yaml(path, ManifestError), "see TaskType in catalog.py"
    if not isinstance(data, dict):
        raise ManifestError("no mapping of types to how they are laid out", where=str(path), remedy=remedy)
    try:
        return {name: TaskType.model_validate(said) for name, said in data.items()}
    except ValidationError as error:
        raise refusal(error, TaskType, ManifestError, where=str(path), remedy=remedy) from None


def set_names(root: Path | None = None) -> list[str]:
    """Return the names of the evaluation sets that are described as sources are, sorted."""
    return list(_set_files(root))


def _set_files(root: Path | None) -> dict[str, Path]:
    return registry.files("evaluations/sets", *registry.folders(root))


def load_set(name: str, root: Path | None = None) -> Manifest:
    """Read one evaluation set that is described as a source is: its rows' queries and positives are what is asked.

    Args:
        name: of the set.
        root: the folder of params.yaml, if sets of the user's own count too.

    Raises:
        UnknownNameError: there is none of this name.
        ManifestError: the file breaks the model of sources.

    """
    found = _set_files(root)
    if name not in found:
        raise UnknownNameError("evaluation set", name, found)
    return registry.read_manifest(found[name])


def _known(kind: str, values: Iterable[str], valid: Iterable[str]) -> None:
    for value in values:
        if value not in valid:
            raise UnknownNameError(kind, value, valid)
