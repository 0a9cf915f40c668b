"""Modules, functions and files that pages and docstrings name are there."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from tests.support import ROOT

PAGES = ["README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
CODE = sorted(
    path.relative_to(ROOT).as_posix()
    for package in ("open_ml_embed", "sources", "curation", "train", "tools", "benchmarks")
    for path in (ROOT / package).rglob("*.py")
)
NAME = re.compile(r"`((?:open_ml_embed|sources|curation|train|tools|benchmarks)(?:\.\w+)+)`")
PATH = re.compile(
    r"`((?:open_ml_embed|sources|curation|train|tools|benchmarks|tests|manifests)/[\w./]*\w\.(?:py|yaml|tsv|md))`"
)
SETTINGS = re.compile(r"^(?:sources|train)\.[a-z_0-9.]+$")
"""Sections of params.yaml have the names of two packages."""
GROUPS = {f"open_ml_embed.{kind}" for kind in ("readers", "shapes", "backends", "teachers", "exporters", "sources")}
"""Groups of entry points."""


def resolves(name: str) -> bool:
    """Tell whether a dotted name is a module, or an attribute of one."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[cut:]:
            fields = getattr(found, "model_fields", {}) or getattr(found, "__dataclass_fields__", {})
            if not hasattr(found, attribute) and attribute not in fields:
                return False
            found = getattr(found, attribute, None)
        return True
    return False


def is_setting(name: str) -> bool:
    from curation.settings import Profile
    from train.config import TrainSettings

    section, first, *_ = name.split(".")
    model = Profile.model_fields["sources"].annotation if section == "sources" else TrainSettings
    return first in getattr(model, "model_fields", {})


def is_there(name: str) -> bool:
    """Tell whether a name is that of a module, a public name, a setting or a file."""
    if name.endswith((".tsv", ".yaml", ".json")) or resolves(name) or resolves(f"open_ml_embed.{name}"):
        return True
    return bool(SETTINGS.match(name)) and is_setting(name)


@pytest.mark.parametrize("file", [*PAGES, *CODE])
def test_what_is_named_is_there(file):
    text = (ROOT / file).read_text("utf-8")
    names = {match[1] for match in NAME.finditer(text)} - GROUPS
    wrong = [name for name in sorted(names) if not is_there(name)]
    paths = {match[1] for match in PATH.finditer(text) if "NAME" not in match[1]}
    wrong += [path for path in sorted(paths) if not (ROOT / Path(path)).exists()]
    assert wrong == []
