"""Evaluation sets and their raw files: MTEB's tasks from the Hub, described sets, folders in BEIR's layout."""

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
        kind: where it comes from; with its name, it is unique.
        name: the task as reports call it.
        said: what is known of it: MTEB's entry, the manifest, or the folder with the split that is evaluated.

    """

    kind: Literal["mteb", "sets", "folders"]
    name: str
    said: EvaluationTask | Manifest | tuple[str, str]


@dataclass(frozen=True)
class RawSet:
    """An evaluation set with its files; `RawFile.table` is `<part>/<subset>/<split>`."""

    which: EvaluationSet
    files: tuple[RawFile, ...]
    form: TaskType | None = None
    """Of MTEB's tasks and of folders."""


def chosen_sets(settings: DecontaminationSettings, root: Path) -> list[EvaluationSet]:
    """Return the evaluation sets of a profile, in a fixed order.

    Args:
        settings: the profile's.
        root: what relative folders are relative to.

    Raises:
        UnknownNameError: a name that nothing has.
        SettingsError: two sets would have one name in the report.

    """
    mteb = settings.mteb
    found: list[EvaluationSet] = []
    if mteb.benchmarks or mteb.tasks:
        found += [EvaluationSet("mteb", task.name, task) for task in load_catalog(root).choose(mteb)]
    for name in settings.sets:
        if "/" in name:
            folder, _, split = name.partition("@")
            place = (root / folder).resolve()
            found.append(EvaluationSet("folders", place.name, (str(place), split)))
        else:
            found.append(EvaluationSet("sets", name, load_set(name, root)))
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"two evaluation sets are called {name!r}", where="decontaminate", remedy="rename one")
    return found


def fetch_set(which: EvaluationSet, options: FetchOptions) -> RawSet:
    """Bring the files of an evaluation set here.

    Raises:
        FetchError: they cannot be had, or the repository has no such split.
        TransientError: they may be had later.
        MissingToolError: this machine lacks a program the set needs.

    """
    if isinstance(which.said, Manifest):
        manifest = which.said
        found = []
        for subset in manifest.subsets:
            found += [replace(file, table=f"{file.table}/{subset}/") for file in fetch(manifest, subset, options)]
        return RawSet(which, tuple(found))
    if isinstance(which.said, EvaluationTask):
        form = task_types()[which.said.type]
        return RawSet(which, tuple(_from_hub(which.said, form, options)), form)
    return RawSet(which, tuple(_from_folder(*which.said, options)), TaskType(form="retrieval"))


def check_folder(place: str, split: str) -> tuple[list[str], list[str]]:
    """Return the names of the files of a folder in BEIR's layout, and of the splits that it has judgements of.

    Raises:
        FetchError: there is no such folder, it is empty, or it has no judgements of the split that is asked for.

    """
    names = names_below(Path(place))
    if not names:
        raise FetchError("no such folder, or it is empty", where=place, remedy="correct `sets` of `decontaminate`")
    splits = sorted(name.split("/")[1].split(".")[0] for name in names if name.startswith("qrels/"))
    if split and split not in splits:
        raise FetchError(f"no judgements of split {split!r}", where=place, remedy=f"splits: {', '.join(splits)}")
    return names, splits


def _from_folder(place: str, split: str, options: FetchOptions) -> list[RawFile]:
    folder = Path(place)
    names, splits = check_folder(place, split)
    if not split:  # the test split, or whatever is not for training
        split = "test" if "test" in splits else next((s for s in splits if s != "train"), "train")
    parts = {"queries": "queries.jsonl*", "corpus": "corpus.jsonl*", "judgements": f"qrels/{split}.*"}
    return [
        local_file(folder, name, f"{part}/default/{split}", options.hashes)
        for part, glob in parts.items()
        for name in matching(names, [glob], where=place)
    ]


def _from_hub(task: EvaluationTask, form: TaskType, options: FetchOptions) -> list[RawFile]:
    if _COMMIT.fullmatch(task.revision) and not options.offline:  # a commit does not change: what is here is right
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
    return hub.fetch(_described(task, exact), "all", options)


def _plan(task: EvaluationTask, form: TaskType, layout: Layout) -> dict[str, list[str]]:
    """Return `<part>/<subset>/<split>` → file names; those that are missing have none."""
    plan: dict[str, list[str]] = {}
    for subset in task.subsets:
        for split in task.splits:
            if form.form == "rows":
                plan[f"rows/{subset}/{split}"] = layout.find(task.config or subset, split)
            else:
                start = "" if subset == "default" else f"{subset}-"
                for part, configs in _RETRIEVAL.items():
                    named = [c.format(start) for c in configs if not start or "{}" in c]
                    found = (layout.find(config, split) for config in named)
                    plan[f"{part}/{subset}/{split}"] = next(filter(None, found), [])
    if task.own_loading and not all(plan.values()):  # arranged by mteb's code: take the split's files as they are
        return {f"rows/default/{split}": layout.find(None, split) or _all(layout) for split in task.splits}
    return plan


_RETRIEVAL = {"queries": ("{}queries", "query"), "corpus": ("{}corpus",), "judgements": ("{}qrels", "default", "qrels")}
"""Part → the configurations that mteb looks for, in its order; `{}` stands for the subset."""


def _all(layout: Layout) -> list[str]:
    return sorted({name for splits in layout.configs.values() for split in splits for name in layout.find(None, split)})


def _described(task: EvaluationTask, tables: dict[str, list[str]]) -> Manifest:
    """Return a manifest that says no more than where the files are."""
    said: dict[str, Any] = {
        "name": "evaluation", "title": task.name, "collection": "offline", "task": "question-answering",
        "family": "retrieval", "origin": {"kind": "hub", "repo": task.repo, "ref": task.revision},
        "tables": {k: {"files": names or ["-"], "format": "jsonl", "fields": {}} for k, names in tables.items()},
        "shape": {"kind": "pair"}, "subsets": {"all": {"query_lang": "und-Zyyy"}},
        "license": {"id": "LicenseRef-evaluation", "commercial": False, "redistribution": False},
        "citation": "stated by MTEB", "samples": 0, "instruction": "Only to be compared with.",
    }  # fmt: skip
    return Manifest.model_validate(said)
