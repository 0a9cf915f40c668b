"""Imports go one way, lazy ones too: core, sources, curation, train, and the public names on top."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.support import ROOT

PACKAGES = ("open_ml_embed", "sources", "curation", "train", "tools")
FLOORS = {
    "open_ml_embed.core": 0,
    "open_ml_embed.factorized": 1,
    "sources": 2,
    "curation": 3,
    "train": 4,
    "open_ml_embed": 5,
    "tools": 6,
}
"""Package → its floor: it imports from its own and from those below."""
WHOLE_BUILD = {"verify", "pipeline", "cli", "report", "probe", "release", "publish"}
"""Packages of `curation` that know all steps."""
SHARED = {"build", "settings", "failures", "raw_copies", "raw_files", "tables"}
"""What steps share: modules and packages of `curation` that know no step."""
OF_ONE_STEP = {"fetch", "normalize"}
"""Packages of `curation` that are a step and nothing else."""


def modules() -> dict[str, ast.Module]:
    found = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[name] = ast.parse(path.read_text("utf-8"))
    return found


def imported(name: str, tree: ast.Module, known: dict[str, ast.Module]) -> Iterator[str]:
    """Yield the modules of ours that a module imports anywhere in it; for type checkers alone does not count."""
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found = whole if whole in known else node.module
                if found in known and found != name:
                    yield found
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


@pytest.fixture(scope="module")
def graph() -> dict[str, set[str]]:
    known = modules()
    return {name: set(imported(name, tree, known)) for name, tree in known.items()}


def floor(module: str) -> int:
    longest = max((p for p in FLOORS if module == p or module.startswith(f"{p}.")), key=len)
    return FLOORS[longest]


def zone(module: str) -> tuple[str, str]:
    """Return what a module of `curation` is: `build`, `step`, `library`, `settings` or `shared`, and whose."""
    parts = module.split(".")[1:] or ["shared"]
    if parts[0] in WHOLE_BUILD:
        return "build", ""
    if parts[-1] == "settings" and len(parts) == 2:
        return "settings", parts[0]
    if parts[0] in OF_ONE_STEP or "step" in parts[1:2]:
        return "step", parts[0]
    return ("shared", "") if parts[0] in SHARED or parts == ["shared"] else ("library", parts[0])


MAY = {
    "build": {"build", "step", "library", "settings", "shared"},
    "step": {"step", "library", "settings", "shared"},
    "library": {"library", "settings"},
    "shared": {"shared", "settings"},
    "settings": set(),
}


def test_no_import_goes_up(graph):
    assert [(a, b) for a, bs in graph.items() for b in bs if floor(b) > floor(a)] == []


def test_a_step_knows_no_other_and_a_library_no_step(graph):
    wrong = []
    for a, bs in graph.items():
        for b in bs:
            if not (a.startswith("curation.") and b.startswith("curation.")):
                continue
            (kind, whose), (other, theirs) = zone(a), zone(b)
            if other not in MAY[kind] or (kind == other == "step" and whose != theirs):
                wrong.append((a, b))
    assert wrong == []


def test_a_library_opens_no_shard(graph):
    opens = {"open_ml_embed.core.store", "open_ml_embed.core.engine", "curation.build"}
    libraries = [name for name in graph if name.startswith("curation.") and zone(name)[0] in ("library", "settings")]
    assert len(libraries) > 60
    assert [name for name in libraries if graph[name] & opens] == []


def test_there_is_no_circle(graph):
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " → ".join((*path[path.index(module) :], module))
        if module not in done:
            for below in sorted(graph[module]):
                walk(below, (*path, module))
            done.add(module)

    for module in sorted(graph):
        walk(module, ())
