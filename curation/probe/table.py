"""The output of `curate probe`: a table with one line for each source, the worst first, then the findings."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from curation.pipeline.outcome import Line, Outcome, made_outcome
from curation.pipeline.outcome_printing import print_outcome
from curation.pipeline.plan import size
from curation.probe.run import VERDICTS, Probed, worst
from open_ml_embed.core.printing import print_json
from open_ml_embed.core.terminal import Terminal

MOST_SUBSETS = 10
"""Subsets that are shown of a source that is named on the command line."""
_TEXT_CHARS = 120
"""Characters of a text that are shown."""


def probe_outcome(probed: Probed) -> Outcome:
    """Return the outcome in the form of the other commands, the worst source first."""
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
    """Return the JSON object that `--json` prints: the outcome, each line with the full result of its source."""
    data = probe_outcome(probed).as_json(probed.profile)
    data["sources"] = [line | (result | line) for line, result in zip(data["sources"], probed.sources, strict=True)]
    verdicts = {verdict: sum(s["verdict"] == verdict for s in probed.sources) for verdict in VERDICTS}
    return data | {"verdicts": verdicts, "probed": probed.anew}


def print_probed(probed: Probed, *, as_json: bool = False, closely: bool = False) -> None:
    """Print a table and the findings, or one JSON object, to standard output.

    Args:
        probed: the result.
        as_json: print JSON.
        closely: also show the columns and first rows of each source.

    """
    if as_json:
        print_json(probe_json(probed))
        return
    print_outcome(probe_outcome(probed), probed.profile)
    console = Terminal()
    for source in probed.sources:
        for finding in source["findings"]:
            if finding["level"] != "note" or closely:
                _say(console, source["source"], finding)
        if closely:
            _show(console, source)


def _sizes(sizes: dict[str, Any]) -> tuple[str, str, str]:
    records = "-" if sizes["records"] is None else f"{sizes['records']:,}"
    return f"{sizes['files']:,}", size(sizes["bytes"]), records


def _say(console: Console, source: str, finding: dict[str, Any]) -> None:
    where = finding["where"]
    location = source if not where or where == source else where if where.startswith(source) else f"{source}: {where}"
    details = [f"in {finding['subsets']} subsets"] if finding["subsets"] > 1 else []
    details += [f"and {finding['places'] - 1} more like it"] if finding["places"] > 1 else []
    suffix = f" ({', '.join(details)})" if details else ""
    console.print(f"{finding['level']} {location}: {finding['what']}{suffix}", soft_wrap=True)
    if finding["remedy"]:
        console.print(f"  remedy: {finding['remedy']}", soft_wrap=True)


def _show(console: Console, source: dict[str, Any]) -> None:
    """Print the details of one source: revisions, tables, damage, first rows."""
    for revision in source["revisions"]:
        console.print(f"{revision['repo']} at {revision['ref']}: commit {revision['commit']}", soft_wrap=True)
    for name, of in source["tables"].items():
        files, bytes_text, records = _sizes(of)
        console.print(f"table {name}: {files} files, {bytes_text}, {records} records", soft_wrap=True)
        columns = source["columns"].get(name, {})
        if columns:
            console.print("  " + ", ".join(f"{c}: {kind}" for c, kind in columns.items()), soft_wrap=True)
        for field, column in source["renamed"].get(name, {}).items():
            console.print(f"  column {column!r} is read as {field!r}", soft_wrap=True)
    damage = {kind: count for kind, count in source["checks"].items() if count}
    if damage:
        console.print("checks: " + ", ".join(f"{kind} {n:,}" for kind, n in damage.items()), soft_wrap=True)
    for name, subset in list(source["subsets"].items())[:MOST_SUBSETS]:
        partial = ", partial" if subset["partial"] else ""
        console.print(
            f"{source['source']}/{name}: {subset['records']:,} records, {subset['rows']:,} rows{partial}",
            soft_wrap=True,
        )
        for row in subset["first"]:
            console.print(f"  {row['query_lang']}: {_line(row['query'])}", soft_wrap=True)
            console.print(f"    {row['positive_lang']}: {_line(row['positive'])}", soft_wrap=True)
            for text in row["negatives"]:
                console.print(f"    negative: {_line(text)}", soft_wrap=True)
            if row["label"] is not None:
                console.print(f"    label: {_line(row['label'])}", soft_wrap=True)


def _line(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= _TEXT_CHARS else one_line[:_TEXT_CHARS] + "…"
