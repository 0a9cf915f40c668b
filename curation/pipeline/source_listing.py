"""`curate sources`: list sources, and show the manifest of one source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from curation.pipeline.plan import entry, size, source_table
from curation.pipeline.source_filter import Filter
from open_ml_embed.core.fitting_table import Table
from open_ml_embed.core.printing import print_json
from open_ml_embed.core.terminal import Terminal
from sources import registry
from sources.fetch import origin_address
from sources.manifest import LangColumn, Manifest, Subset


def list_sources(chosen: Filter, root: Path | None = None, *, as_json: bool) -> None:
    """Print the sources that meet a filter.

    Args:
        chosen: the filter.
        root: a folder whose `manifests/` are included; null: only the project's sources.
        as_json: print JSON instead of a table.

    Raises:
        UnknownNameError: see `curation.pipeline.source_filter.Filter.choose`.

    """
    entries = [entry(m) for m in chosen.choose(registry.load_all(root=root))]
    if as_json:
        print_json(entries)
    else:
        rows = sum(e["rows"] for e in entries)
        Terminal().print(source_table(f"{len(entries)} sources, {rows:,} rows", entries))


def show_source(name: str, root: Path | None = None, *, as_json: bool) -> None:
    """Print the manifest of one source.

    Args:
        name: of the source.
        root: a folder whose `manifests/` are included; null: only the project's sources.
        as_json: print JSON instead of a table.

    Raises:
        UnknownNameError: there is no source of that name; the message has the nearest.

    """
    manifest = registry.load(name, root)
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    console = Terminal()
    about = Table(show_header=False, box=None, title=manifest.title, title_justify="left")
    about.add_column(style="bold")
    about.add_column()
    for label, text in _about(manifest).items():
        if text:
            about.add_row(label, text)
    console.print(about)
    console.print(_subsets(manifest))


def _about(manifest: Manifest) -> dict[str, str]:
    license = manifest.license
    allows = [word for word in ("commercial", "redistribution") if getattr(license, word)]
    families = f"{manifest.task}, {manifest.family} loss" + (", symmetric" if manifest.symmetric else "")
    return {
        "name": manifest.name,
        "task": families,
        "instruction": manifest.instruction,
        "rows": f"{manifest.samples:,}",
        "languages": f"{manifest.language_count()}" + (", told by row" if manifest.language_columns() else ""),
        "origin": origin_address(manifest),
        "raw files": "; ".join(
            f"{key}: {', '.join(table.files)} ({table.format})" for key, table in manifest.tables.items()
        ),
        "raw fields": ", ".join(f"{n}: {t}" for table in manifest.tables.values() for n, t in table.fields.items()),
        "download": size(manifest.download) + (f" ({manifest.download_basis})" if manifest.download_basis else ""),
        "shape": f"{manifest.shape.kind} {json.dumps(manifest.shape.args, ensure_ascii=False)}",
        "only where": json.dumps(manifest.where, ensure_ascii=False) if manifest.where else "",
        "raw schema": f"{manifest.confidence} confidence",
        "access": _access(manifest),
        "license": f"{license.id}; allows {' and '.join(allows) or 'neither commercial use nor redistribution'}",
        "license note": license.note,
        "cite": manifest.citation,
        "notes": manifest.notes,
    }


def _access(manifest: Manifest) -> str:
    access: dict[str, Any] = manifest.access.model_dump()
    kind = access.pop("kind")
    return "; ".join([kind, *(f"{name.replace('_', ' ')}: {text}" for name, text in access.items())])


def _subsets(manifest: Manifest) -> Table:
    table = Table(title=f"{len(manifest.subsets)} subsets", title_justify="left")
    for column in ("subset", "query", "positive", "rows"):
        table.add_column(column, justify="right" if column == "rows" else "left")
    for name, subset in manifest.subsets.items():
        rows = "" if subset.samples is None else f"{subset.samples:,}"
        table.add_row(name, _language(subset.query_lang), _positive(subset), rows)
    return table


def _positive(subset: Subset) -> str:
    return _language(subset.query_lang if subset.positive_lang is None else subset.positive_lang)


def _language(lang: str | LangColumn) -> str:
    return lang if isinstance(lang, str) else f"column {lang.column}"
