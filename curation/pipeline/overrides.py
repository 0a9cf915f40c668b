"""Overrides: settings on the command line (evaluation folders, teacher), which the step's file records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from curation.build import Build, from_root
from curation.mining.references import as_seen_from, placed


def overridden(build: Build, step: str, overrides: Mapping[str, Any]) -> Build:
    """Return the build with the overrides of a step applied to its profile.

    Args:
        build: the profile.
        step: that the overrides belong to.
        overrides: `evaluation`: folders of evaluation sets; `teacher`: a model.

    """
    if not overrides:
        return build
    profile = build.profile
    if "evaluation" in overrides:
        sets = [*profile.decontaminate.sets, *map(slashed, overrides["evaluation"])]
        changed = profile.decontaminate.model_copy(update={"sets": sets})
        profile = profile.model_copy(update={"decontaminate": changed})
    if "teacher" in overrides:
        teacher = profile.mining.teacher.model_copy(update={"model": placed(overrides["teacher"], build.root)})
        profile = profile.model_copy(update={"mining": profile.mining.model_copy(update={"teacher": teacher})})
    return replace(build, profile=profile, overrides={**build.overrides, step: dict(overrides)})


def slashed(folder: str) -> str:
    """Return a folder with a slash in it, which distinguishes it from the name of an evaluation set."""
    return folder if "/" in folder else f"./{folder}"


def with_teacher(build: Build, model: str) -> Build:
    """Return the build with another teacher; prompts, length and dtype are those of the profile."""
    return overridden(build, "mine", {"teacher": as_seen_from(model, build.root)})


def with_folders(build: Build, folders: list[Path]) -> Build:
    """Return the build with additional evaluation sets: folders in the BEIR format."""
    overrides = {"evaluation": [from_root(build, folder) for folder in folders]} if folders else {}
    return overridden(build, "decontaminate", overrides)
