"""What a command line says instead of the profile: evaluation folders, another teacher. A step's file keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from curation.build import Build, from_root
from curation.mining.references import as_seen_from, placed


def overridden(build: Build, step: str, overrides: Mapping[str, Any]) -> Build:
    """Return the build as a step was run whose command line said more than the profile."""
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
    """Write a folder so that nobody takes it for the name of a set: with a slash in it."""
    return folder if "/" in folder else f"./{folder}"


def with_teacher(build: Build, model: str) -> Build:
    """Return the same build with another teacher; prompts, length and dtype stay the profile's."""
    return overridden(build, "mine", {"teacher": as_seen_from(model, build.root)})


def with_folders(build: Build, folders: list[Path]) -> Build:
    """Return the build with more evaluation sets: folders in BEIR's layout."""
    said = {"evaluation": [from_root(build, folder) for folder in folders]} if folders else {}
    return overridden(build, "decontaminate", said)
