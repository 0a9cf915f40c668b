"""The rows that a profile will make of a source, from the manifest alone."""

from __future__ import annotations

from curation.mixing.filters import Filters
from curation.settings import Profile
from sources.globs import has_wildcard
from sources.manifest import Manifest
from sources.shapes import partner_tables, shape
from sources.spoken import names, speaks


def expected_rows(manifest: Manifest, profile: Profile) -> int:
    """Return how many rows a profile makes of a source: those of the published corpus, or what a pilot keeps of them.

    A pilot (`normalize.rows_per_part`) keeps a number of rows of every part. The parts of a subset are known if its
    shape needs all its files, if `sources.files_per_table` limits them, or if the manifest names each file; otherwise
    all its rows are expected.
    """
    limit = profile.normalize.rows_per_part
    if limit is None:
        return manifest.samples
    total = 0
    for name, subset in manifest.subsets.items():
        parts = _parts(manifest.bound(name), profile.sources.files_per_table)
        bounds = [n for n in (subset.samples, None if parts is None else parts * limit) if n is not None]
        if not bounds:
            return manifest.samples
        total += min(bounds)
    return min(total, manifest.samples)


def rows_passing(manifest: Manifest, rows: int, filters: Filters) -> int:
    """Return how many rows of a source pass the filters of a mix, as far as its manifest tells.

    A subset passes a filter of languages with all its rows if it has one of them on a side (or only such, for both
    sides), else with none. If the manifest does not state the rows of each subset, all rows pass where one subset does.
    Lengths, scores and confidences are known after the build only.

    Args:
        manifest: of the source.
        rows: that are expected of it.
        filters: of the mix.

    """
    if filters.refuses(manifest) is not None:
        return 0
    if not filters.languages:
        return rows
    passing = [name for name in manifest.subsets if _passes(manifest, name, filters)]
    counts = {name: subset.samples for name, subset in manifest.subsets.items()}
    known = [count for count in counts.values() if count is not None]
    if len(known) < len(counts) or not sum(known):
        return rows if passing else 0
    return round(rows * sum(counts[name] or 0 for name in passing) / sum(known))


def _passes(manifest: Manifest, subset: str, filters: Filters) -> bool:
    part = manifest.model_copy(update={"subsets": {subset: manifest.subsets[subset]}})
    spoken = [language for language in filters.languages if speaks(part, language)]
    if not filters.both_sides:
        return bool(spoken)
    return bool(part.languages()) and all(any(names(code, tag) for code in spoken) for tag in part.languages())


def _parts(bound: Manifest, most: int | None) -> int | None:
    """Return the most parts of a subset; null: unknown."""
    if not shape(bound.shape.kind).PER_FILE:
        return 1
    whole = partner_tables(bound)
    total = 0
    for key, table in bound.tables.items():
        named = None if any(has_wildcard(name) for name in table.files) else len(set(table.files))
        bounds = [n for n in (named, None if key in whole else most) if n is not None]
        if not bounds:
            return None
        total += min(bounds)
    return total
