"""`curate plan` and `curate sources`: figures from the manifests alone, before any work."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from rich.console import Console
from rich.table import Table

from curation.mix.recipe import load_recipe, recipe_names
from curation.steps import Build
from sources import registry
from sources.manifest import Manifest


def make_plan(build: Build) -> dict[str, Any]:
    """Return what the profile's sources will give.

    Rows are those of the published corpus (or measured, for the offline sources); a profile that takes slices
    (`rows_per_part`, `files_per_table`) will give at most that.
    """
    manifests = build.manifests()
    families = Counter[str]()
    tasks = Counter[str]()
    for manifest in manifests:
        families[manifest.family] += manifest.samples
        tasks[manifest.task] += manifest.samples
    languages = {tag.rpartition("-")[0] for m in manifests for tag in m.languages()}
    return {
        "profile": build.name,
        "sources": len(manifests),
        "subsets": sum(len(m.subsets) for m in manifests),
        "corpus": {
            "rows": sum(m.samples for m in manifests),
            "families": dict(sorted(families.items())),
            "tasks": dict(sorted(tasks.items())),
            "languages": len(languages),
        },
        "mixes": {name: _mix(build, name, manifests) for name in recipe_names()},
        "by_source": [_entry(m) for m in manifests],
    }


def _mix(build: Build, name: str, manifests: list[Manifest]) -> dict[str, Any]:
    recipe = load_recipe(name)
    settings = build.profile.mixes.get(name)
    cap = (settings.cap if settings else None) or recipe.cap
    held = {m.name: min(m.samples, cap or m.samples) for m in manifests if recipe.holds(m.name)}
    return {"rows": sum(held.values()), "cap": cap, "sources": held}


def _entry(manifest: Manifest) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "title": manifest.title,
        "family": manifest.family,
        "task": manifest.task,
        "rows": manifest.samples,
        "subsets": len(manifest.subsets),
        "licence": manifest.licence.id,
        "commercial": manifest.licence.commercial,
        "origin": manifest.origin.kind,
    }


def print_plan(plan: dict[str, Any]) -> None:
    """Print the plan as a table."""
    console = Console()
    corpus = plan["corpus"]
    console.print(_source_table(f"profile {plan['profile']}", plan["by_source"]))
    console.print(
        f"{plan['sources']} sources, {plan['subsets']} subsets, {corpus['rows']:,} rows, "
        f"{corpus['languages']} declared languages"
    )
    for name, rows in corpus["families"].items():
        console.print(f"  {name}: {rows:,}")
    for name, mix in plan["mixes"].items():
        cap = f"at most {mix['cap']:,} a source" if mix["cap"] else "uncapped"
        console.print(f"mix {name}: {mix['rows']:,} rows from {len(mix['sources'])} sources, {cap}")


def list_sources(*, as_json: bool) -> None:
    """Print all sources."""
    entries = [_entry(m) for m in registry.load_all()]
    if as_json:
        print(json.dumps(entries, ensure_ascii=False, indent=1))
    else:
        Console().print(_source_table(f"{len(entries)} sources", entries))


def _source_table(title: str, entries: list[dict[str, Any]]) -> Table:
    table = Table(title=title)
    for column in ("source", "family", "task", "rows", "subsets", "licence", "origin"):
        table.add_column(column, justify="right" if column in ("rows", "subsets") else "left")
    for e in entries:
        rows, subsets = f"{e['rows']:,}", str(e["subsets"])
        table.add_row(e["name"], e["family"], e["task"], rows, subsets, e["licence"], e["origin"])
    return table
