"""What `curate probe` prints: a line a source, worst first, then what is to be mended or looked at."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.markup import escape

from curation.pipeline.outcome import Line, Outcome, made_outcome, print_outcome
from curation.pipeline.plan import size
from curation.probe.run import VERDICTS, Probed, worst

MOST_SUBSETS = 10
"""Subsets that are shown of a source that was asked for by name."""
_TEXT_CHARS = 120


def probe_outcome(probed: Probed) -> Outcome:
    """Return what was found as the other verbs say what they did; worst first."""
    lines = [_line_of(source, anew=source["source"] in probed.anew) for source in probed.sources]
    kept = len(probed.sources) - len(probed.anew)
    notes = [f"{kept} of them kept from before: `--again` probes anew"] if kept else []
    failed = {source["source"]: source for source in probed.sources if source["verdict"] == "failed"}
    return made_outcome("probe", lines, notes, refused={name: worst(source) for name, source in sorted(failed.items())})


def _line_of(source: dict[str, Any], *, anew: bool) -> Line:
    size, subsets = source["size"], source["subsets"].values()
    return Line(
        source["source"],
        {
            "files": size["files"],
            "bytes": size["bytes"],
            "of_unknown_size": int(size["bytes"] is None),
            "records": size["records"],
            "head_records": sum(subset["records"] for subset in subsets),
            "head_rows": sum(subset["rows"] for subset in subsets),
            "head_quarantined": sum(source["quarantined"].values()),
            "head_damaged": source["checks"].get("damaged", 0),
            "read": source["read"] if anew else 0,
        },
        None,
        {"verdict": source["verdict"], "reach": source["reach"]},
    )


def probe_json(probed: Probed) -> dict[str, Any]:
    """Return what `--json` prints: the outcome, each line with all that was found of its source."""
    data = probe_outcome(probed).as_json(probed.profile)
    data["sources"] = [line | (found | line) for line, found in zip(data["sources"], probed.sources, strict=True)]
    verdicts = {verdict: sum(s["verdict"] == verdict for s in probed.sources) for verdict in VERDICTS}
    return data | {"verdicts": verdicts, "probed": probed.anew}


def print_probed(probed: Probed, *, as_json: bool = False, closely: bool = False) -> None:
    """Print to standard output: a table and the findings, or one JSON object.

    Args:
        probed: what was found.
        as_json: all of it as JSON.
        closely: show columns and first rows of each source too.

    """
    if as_json:
        print(json.dumps(probe_json(probed), ensure_ascii=False, indent=1))
        return
    print_outcome(probe_outcome(probed), probed.profile)
    console = Console(highlight=False)
    for source in probed.sources:
        for finding in source["findings"]:
            if finding["level"] != "note" or closely:
                _say(console, source["source"], finding)
        if closely:
            _show(console, source)


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
            for text in row["negatives"]:
                console.print(escape(f"    negative: {_line(text)}"), soft_wrap=True)
            if row["label"] is not None:
                console.print(escape(f"    label: {_line(row['label'])}"), soft_wrap=True)


def _line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _TEXT_CHARS else flat[:_TEXT_CHARS] + "…"
