"""The rows that a profile will make of a source, from the manifest alone."""

from __future__ import annotations

from curation.settings import Profile
from sources.globs import has_wildcard
from sources.manifest import Manifest
from sources.shapes import partner_tables, shape


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
