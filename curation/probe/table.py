"""What `curate probe` prints: a line a source, worst first, then what is to be mended or looked at."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from curation.pipeline.plan import size
from curation.probe.run import Probed

MOST_SUBSETS = 10
"""Subsets that are shown of a source that was asked for by name."""
_STYLES = {"failed": "red", "warning": "yellow", "ok": None}
_TEXT_CHARS = 120


def print_probed(probed: Probed, *, as_json: bool = False, closely: bool = False) -> None:
    """Print to standard output: a table and the findings, or one JSON object.

    Args:
        probed: what was found.
        as_json: all of it as JSON.
        closely: show columns and first rows of each source too.

    """
    if as_json:
        print(json.dumps(probed.as_json(), ensure_ascii=False, indent=1))
        return
    console = Console(highlight=False)
    table = _table(probed)
    needed = console.measure(table, options=console.options.update(width=10_000)).maximum
    console.width = max(console.width, needed)  # a figure is never cut, whatever the width of the terminal
    count = len(probed.sources)
    console.print(f"[bold]{escape(f'probe, profile {probed.profile}: {count} sources')}[/]", soft_wrap=True)
    console.print(table)
    for source in probed.sources:
        for finding in source["findings"]:
            if finding["level"] != "note" or closely:
                _say(console, source["source"], finding)
        if closely:
            _show(console, source)
    kept = count - len(probed.anew)
    if kept:
        console.print(f"{kept} of them kept from before: `--again` probes anew")


def _table(probed: Probed) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("source", "verdict", "reach", "files", "bytes", "records", "head", "rows", "read"):
        left = column in ("source", "verdict", "reach")
        table.add_column(column, justify="left" if left else "right", no_wrap=True)
    for source in probed.sources:
        subsets = source["subsets"].values()
        table.add_row(
            source["source"],
            source["verdict"],
            source["reach"],
            *_sizes(source["size"]),
            f"{sum(s['records'] for s in subsets):,}",
            f"{sum(s['rows'] for s in subsets):,}",
            size(source["read"]),
            style=_STYLES[source["verdict"]],
        )
    total = probed.total()
    more = f" + {total['of_unknown_size']} unknown" if total["of_unknown_size"] else ""
    table.add_row("total", "", "", f"{total['files']:,}", f"{size(total['bytes'])}{more}", "", "", "",
                  size(total["read"]), style="bold")  # fmt: skip
    return table


def _sizes(said: dict[str, Any]) -> tuple[str, str, str]:
    records = "-" if said["records"] is None else f"{said['records']:,}"
    return f"{said['files']:,}", size(said["bytes"]), records


def _say(console: Console, source: str, finding: dict[str, Any]) -> None:
    where = finding["where"]
    named = source if not where or where == source else where if where.startswith(source) else f"{source}: {where}"
    more = [f"in {finding['subsets']} subsets"] if finding["subsets"] > 1 else []
    more += [f"and {finding['places'] - 1} more like it"] if finding["places"] > 1 else []
    also = f" ({', '.join(more)})" if more else ""
    console.print(escape(f"{finding['level']} {named}: {finding['what']}{also}"), soft_wrap=True)
    if finding["remedy"]:
        console.print(escape(f"  remedy: {finding['remedy']}"), soft_wrap=True)


def _show(console: Console, source: dict[str, Any]) -> None:
    """Print what is known of one source."""
    for revision in source["revisions"]:
        console.print(escape(f"{revision['repo']} at {revision['ref']}: commit {revision['commit']}"), soft_wrap=True)
    for name, of in source["tables"].items():
        files, taken, records = _sizes(of)
        console.print(escape(f"table {name}: {files} files, {taken}, {records} records"), soft_wrap=True)
        columns = source["columns"].get(name, {})
        if columns:
            console.print(escape("  " + ", ".join(f"{c}: {kind}" for c, kind in columns.items())), soft_wrap=True)
        for field, column in source["renamed"].get(name, {}).items():
            console.print(escape(f"  column {column!r} is read as {field!r}"), soft_wrap=True)
    damage = {kind: count for kind, count in source["checks"].items() if count}
    if damage:
        console.print(escape("checks: " + ", ".join(f"{kind} {n:,}" for kind, n in damage.items())), soft_wrap=True)
    for name, subset in list(source["subsets"].items())[:MOST_SUBSETS]:
        partial = ", partial" if subset["partial"] else ""
        console.print(
            escape(f"{source['source']}/{name}: {subset['records']:,} records, {subset['rows']:,} rows{partial}"),
            soft_wrap=True,
        )
        for row in subset["first"]:
            console.print(escape(f"  {row['query_lang']}: {_line(row['query'])}"), soft_wrap=True)
            console.print(escape(f"    {row['positive_lang']}: {_line(row['positive'])}"), soft_wrap=True)


def _line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _TEXT_CHARS else flat[:_TEXT_CHARS] + "…"
