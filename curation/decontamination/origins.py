"""Evaluation sets and their raw files: MTEB's tasks from the Hub, sets with manifests, and folders in BEIR's layout."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from curation.decontamination.evaluation_sets import EvaluationTask, TaskType, load_catalog, load_set, task_types
from curation.decontamination.hub_layout import Layout, layout_of
from curation.decontamination.settings import DecontaminationSettings
from open_ml_embed.core.errors import FetchError, SettingsError
from sources.fetch import FetchOptions, fetch, hub
from sources.fetch.file_selection import matching
from sources.fetch.local import local_file, names_below
from sources.manifest import Manifest
from sources.parts import RawFile

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class EvaluationSet:
    """One evaluation set of a profile.

    Attributes:
        kind: where the set comes from; kind and name together are unique.
        name: the name in reports.
        definition: the catalog entry of an MTEB task, the manifest of a set, or (folder, evaluated split).

    """

    kind: Literal["mteb", "sets", "folders"]
    name: str
    definition: EvaluationTask | Manifest | tuple[str, str]


@dataclass(frozen=True)
class RawSet:
    """An evaluation set with its files; `RawFile.table` is `<part>/<subset>/<split>`."""

    which: EvaluationSet
    files: tuple[RawFile, ...]
    form: TaskType | None = None
    """The data layout of an MTEB task or a folder; None for a set with a manifest."""


def chosen_sets(settings: DecontaminationSettings, root: Path) -> list[EvaluationSet]:
    """Return the evaluation sets of a profile, in a fixed order.

    Args:
        settings: the profile's settings of step `decontaminate`.
        root: the folder that relative paths refer to.

    Raises:
        UnknownNameError: there is no set, task, benchmark, type or language of a given name.
        SettingsError: two sets have the same name.

    """
    mteb = settings.mteb
    sets: list[EvaluationSet] = []
    if mteb.benchmarks or mteb.tasks:
        sets += [EvaluationSet("mteb", task.name, task) for task in load_catalog(root).choose(mteb)]
    for name in settings.sets:
        if "/" in name:
            folder, _, split = name.partition("@")
            place = (root / folder).resolve()
            sets.append(EvaluationSet("folders", place.name, (str(place), split)))
        else:
            sets.append(EvaluationSet("sets", name, load_set(name, root)))
    names = [evaluation_set.name for evaluation_set in sets]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"two evaluation sets are called {name!r}", where="decontaminate", remedy="rename one")
    return sets


def fetch_set(which: EvaluationSet, options: FetchOptions) -> RawSet:
    """Download the files of an evaluation set, or list them if they are read in place.

    Raises:
        FetchError: the files cannot be fetched, or the repository has no such split.
        TransientError: fetching failed for now and may succeed later.
        MissingToolError: this machine lacks a program that the set needs.

    """
    if isinstance(which.definition, Manifest):
        manifest = which.definition
        files = []
        for subset in manifest.subsets:
            files += [replace(file, table=f"{file.table}/{subset}/") for file in fetch(manifest, subset, options)]
        return RawSet(which, tuple(files))
    if isinstance(which.definition, EvaluationTask):
        form = task_types()[which.definition.type]
        return RawSet(which, tuple(_from_hub(which.definition, form, options)), form)
    return RawSet(which, tuple(_from_folder(*which.definition, options)), TaskType(form="retrieval"))


def check_folder(place: str, split: str) -> tuple[list[str], list[str]]:
    """Return the file names of a folder in BEIR's layout, and the splits that it has judgements of.

    Raises:
        FetchError: the folder does not exist or is empty, or it has no judgements of the given split.

    """
    names = names_below(Path(place))
    if not names:
        raise FetchError("no such folder, or it is empty", where=place, remedy="correct `sets` of `decontaminate`")
    splits = sorted(name.split("/")[1].split(".")[0] for name in names if name.startswith("qrels/"))
    if split and split not in splits:
        raise FetchError(f"no judgements of split {split!r}", where=place, remedy=f"splits: {', '.join(splits)}")
    return names, splits


def _from_folder(path: str, split: str, options: FetchOptions) -> list[RawFile]:
    folder = Path(path)
    names, splits = check_folder(path, split)
    if not split:  # the test split, or else the first split other than train
        split = "test" if "test" in splits else next((s for s in splits if s != "train"), "train")
    parts = {"queries": "queries.jsonl*", "corpus": "corpus.jsonl*", "judgements": f"qrels/{split}.*"}
    return [
        local_file(folder, name, f"{part}/default/{split}", options)
        for part, glob in parts.items()
        for name in matching(names, [glob], where=path)
    ]


def _from_hub(task: EvaluationTask, form: TaskType, options: FetchOptions) -> list[RawFile]:
    if _COMMIT.fullmatch(task.revision) and not options.offline:  # a commit never changes, so local files are current
        try:
            return _from_hub(task, form, replace(options, offline=True))
        except FetchError:
            pass
    listing = _names(task, options)
    card = _fetched(task, {"card": ["README.md"]}, options) if "README.md" in listing else []
    layout = layout_of(listing, Path(card[0].path).read_text("utf-8", "replace") if card else "")
    plan = _plan(task, form, layout)
    missing = sorted(key for key, names in plan.items() if not names)
    if missing:
        known = ", ".join(sorted(layout.configs)[:20]) or ", ".join(layout.names[:20])
        raise FetchError(
            f"no files of {', '.join(missing[:5])}",
            where=f"{task.name}: {task.repo} at {task.revision[:12]}",
            remedy=f"it has: {known}; leave the task out (`mteb.exclude`), or bring it as a folder in BEIR's layout",
        )
    return _fetched(task, plan, options)


def _names(task: EvaluationTask, options: FetchOptions) -> list[str]:
    local = Path(options.local_root or "") / task.repo
    if options.local_root is not None and names_below(local):
        return names_below(local)
    locked = hub.resolve(_described(task, {"all": ["**"]}), options)
    return list(locked[task.repo, task.revision].files)


def _fetched(task: EvaluationTask, plan: Mapping[str, list[str]], options: FetchOptions) -> list[RawFile]:
    exact = {key: [re.sub(r"([*?[])", r"[\1]", name) for name in names] for key, names in plan.items()}
    return hub.begin(_described(task, exact), "all", options).result()


def _plan(task: EvaluationTask, form: TaskType, layout: Layout) -> dict[str, list[str]]:
    """Return `<part>/<subset>/<split>` → file names, an empty list for what is missing."""
    plan: dict[str, list[str]] = {}
    for subset in task.subsets:
        for split in task.splits:
            if form.form == "rows":
                plan[f"rows/{subset}/{split}"] = layout.find(task.config or subset, split)
            else:
                start = "" if subset == "default" else f"{subset}-"
                for part, configs in _RETRIEVAL.items():
                    named = [c.format(start) for c in configs if not start or "{}" in c]
                    matches = (layout.find(config, split) for config in named)
                    plan[f"{part}/{subset}/{split}"] = next(filter(None, matches), [])
    if task.own_loading and not all(plan.values()):  # rearranged by mteb's code: read the split's files as they are
        return {f"rows/default/{split}": layout.find(None, split) or _all(layout) for split in task.splits}
    return plan


_RETRIEVAL = {"queries": ("{}queries", "query"), "corpus": ("{}corpus",), "judgements": ("{}qrels", "default", "qrels")}
"""Part → the configurations that mteb looks for, in its order; `{}` stands for the subset."""


def _all(layout: Layout) -> list[str]:
    return sorted({name for splits in layout.configs.values() for split in splits for name in layout.find(None, split)})


def _described(task: EvaluationTask, tables: dict[str, list[str]]) -> Manifest:
    """Return a minimal manifest, which only describes where the files are."""
    fields: dict[str, Any] = {
        "name": "evaluation", "title": task.name, "collection": "offline", "task": "question-answering",
        "family": "retrieval", "origin": {"kind": "hub", "repo": task.repo, "ref": task.revision},
        "tables": {k: {"files": names or ["-"], "format": "jsonl", "fields": {}} for k, names in tables.items()},
        "shape": {"kind": "pair"}, "subsets": {"all": {"query_lang": "und-Zyyy"}},
        "license": {"id": "LicenseRef-evaluation", "commercial": False, "redistribution": False},
        "citation": "stated by MTEB", "samples": 0, "instruction": "Only to be compared with.",
    }  # fmt: skip
    return Manifest.model_validate(fields)
