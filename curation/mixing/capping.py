"""Which rows share the cap of a mix: those of a source, or those of a file of the published corpus."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from curation.mixing.recipe import Recipe
from sources import registry
from sources.manifest import Manifest
from sources.released import TABLE, Release, read_release

Group = tuple[str, ...]
"""The rows that share one cap: a source, or the names of files. The rows of several files may have one cap for each."""


def cap_group(recipe: Recipe, manifest: Manifest, subset: str) -> Group:
    """Return the group of the rows of a subset.

    A subset that the published corpus cut into several files has a cap for each. Subsets, and sources, that are in one
    file there share its cap. A source that is in no file, or that has a cap of its own (`caps`), counts as one.
    """
    if recipe.cap_of == "source" or manifest.name in recipe.caps:
        return (manifest.name,)
    lines = _release(registry.file(TABLE)).files_of(manifest.name, subset, manifest.family)
    return tuple(sorted({line.file for line in lines})) or (manifest.name,)


def group_name(group: Group) -> str:
    """Return a name that no other group has; that of a source is its own name."""
    return " + ".join(group)


def expected_under_cap(
    recipe: Recipe, of_profile: int | None, manifests: Iterable[Manifest], rows: Mapping[str, int]
) -> dict[str, int]:
    """Return source → the most rows that the caps leave.

    Args:
        recipe: of the mix.
        of_profile: the cap of the profile; see `Recipe.cap_for`.
        manifests: of the sources of the mix.
        rows: source → rows before the cap. If the manifest does not state how many of them each subset has, they may
            be spread over the files as the cap cuts the fewest.

    """
    left: dict[str, int] = {}
    shared: dict[Group, dict[str, int]] = defaultdict(dict)
    for manifest in manifests:
        name, most = manifest.name, rows[manifest.name]
        cap = recipe.cap_for(name, of_profile)
        if cap is None:
            left[name] = most
            continue
        groups = {subset: cap_group(recipe, manifest, subset) for subset in manifest.subsets}
        counts: dict[Group, int] = defaultdict(int)
        for subset, group in groups.items():
            counts[group] += manifest.subsets[subset].samples or 0
        stated = sum(counts.values()) == most
        if len(counts) == 1:
            shared[next(iter(counts))][name] = most
            left[name] = 0
        elif stated:
            left[name] = sum(min(count, cap * len(group)) for group, count in counts.items())
        else:
            left[name] = min(most, cap * sum(map(len, counts)))
    for group, members in shared.items():
        cap = recipe.cap_for(next(iter(members)), of_profile)
        for name, count in _shares(members, (cap or 0) * len(group)).items():
            left[name] += count
    return left


def _shares(members: Mapping[str, int], most: int) -> dict[str, int]:
    """Divide a cap among the sources of a group in proportion to their rows; a rest goes to the largest."""
    whole = sum(members.values())
    if whole <= most:
        return dict(members)
    shares = {name: count * most // whole for name, count in members.items()}
    largest = max(members, key=lambda name: (members[name], name))
    shares[largest] += most - sum(shares.values())
    return shares


@cache
def _release(table: Path) -> Release:
    return read_release(table)
