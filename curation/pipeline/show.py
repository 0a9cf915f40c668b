"""`curate show`: print rows of a source with the results of all steps for them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from rich.console import Console

from curation.build import QUARANTINE, Build, Shard, StepResult
from curation.mining.negatives import ORIGINS
from curation.pipeline.freshness import Checker, State, load
from curation.tables.contamination import SIDES
from curation.tables.pools import documents_of
from open_ml_embed.core.errors import StageError, UnknownNameError
from open_ml_embed.core.fitting_table import Table
from open_ml_embed.core.printing import print_json
from open_ml_embed.core.terminal import Terminal

TEXT_CHARS = 400
"""Characters of a text that are printed."""
MOST_PAIRS = 40
"""Pairs of declared and identified languages that are printed."""
MOST_NEGATIVES = 8
_TABLES = {
    "identify": ("languages", "verdicts"),
    "measure": ("quality",),
    "dedup": ("clusters", "merges"),
    "decontaminate": ("contamination",),
}
"""Step → its row-aligned tables."""
MOST_MERGED = 8


def show_rows(
    build: Build, source: str, subset: str | None, count: int, row_id: str | None, *, as_json: bool = False
) -> None:
    """Print rows with their languages, clusters, verdicts and negatives, as far as the steps have been run.

    Results that are not current are not shown; a line says why.

    Args:
        build: the profile.
        source: name.
        subset: null: all subsets.
        count: number of rows.
        row_id: print only this row; null: the first rows.
        as_json: print one JSON object for each row.

    Raises:
        StageError: there are no rows, or they are not current.
        UnknownNameError: the source or subset does not exist.

    """
    checker = Checker(build)
    shards = _shards(build, checker.require("normalize", refused=True), source, subset)
    console = Terminal()
    current = {step: _is_current(checker.state(step), console) for step in (*_TABLES, "mine")}
    decontaminated = checker.state("decontaminate").result
    # without shards, the step was run without any evaluation set
    current["decontaminate"] &= bool(decontaminated and decontaminated.shards)
    tables = [name for step, names in _TABLES.items() if current[step] for name in names]
    shown = 0
    for shard in shards:
        rows = build.store.read_table(f"rows/{shard.path}.rows.arrow")
        step_tables = [build.store.read_table(f"{name}/{shard.path}.{name}.arrow") for name in tables]
        for i in range(rows.num_rows):
            row = rows.slice(i, 1).to_pylist()[0]
            if row_id and row["row_id"].hex() != row_id:
                continue
            for table in step_tables:
                row |= table.slice(i, 1).to_pylist()[0]
            row["mined"] = _negatives(build, shard, i) if current["mine"] else []
            _print_json(row) if as_json else console.print(_card(row))
            shown += 1
            if shown == count or row_id:
                return
    if row_id and not shown:
        raise StageError(
            f"no row {row_id}", where=source, remedy="row ids are 32 hexadecimal digits, as show prints them"
        )


def _is_current(state: State, console: Console) -> bool:
    """Tell whether a step's result can be shown; print why not if it is stale or lost."""
    if state.kind in ("stale", "lost"):
        console.print(f"not shown: {state.why}; {state.remedy}")
    return state.kind == "done"


def _shards(build: Build, normalized: StepResult, source: str, subset: str | None) -> list[Shard]:
    build.manifest(source)
    shards = [s for s in normalized.shards if s.source == source]
    if not shards:
        raise StageError("this build has no rows of it", where=source, remedy=f"see `curate status{build.options}`")
    subsets = sorted({s.subset for s in shards})
    if subset is not None and subset not in subsets:
        raise UnknownNameError("subset", subset, subsets, where=source)
    return [s for s in shards if subset in (None, s.subset)]


def _negatives(build: Build, shard: Shard, row: int) -> list[tuple[str, str]]:
    """Return (heading, text) lines on the negatives of a row: score and rank of the positive, first negatives."""
    if shard.source in build.profile.mining.corpus:  # its rows have no query
        return []
    mined = build.store.read_table(f"negatives/{shard.path}.negatives.arrow").slice(row, 1).to_pylist()[0]
    score, rank = mined["positive_score"], mined["positive_rank"]
    lines = [] if math.isnan(score) else [("teacher", f"positive {score:.3f}, {rank} candidates above it")]
    numbers = np.array(mined["negatives"][:MOST_NEGATIVES], np.int32)
    texts = documents_of(build, shard.source, shard.subset).texts(numbers).to_pylist()
    for text, score, origin in zip(texts, mined["scores"], mined["origins"], strict=False):
        lines.append((f"negative, {ORIGINS[origin]}{'' if math.isnan(score) else f' {score:.3f}'}", text))
    return lines


def _card(row: dict[str, Any]) -> Table:
    table = Table(show_header=False, title=f"{row['source']} / {row['subset']}  {row['row_id'].hex()}")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    origin = row["origin"]
    lines = {
        "query": row["query"],
        "positive": row["positive"],
        "label": row["label"],
        "declared": f"{row['query_lang']} → {row['positive_lang']}",
        "origin": f"{origin['file']} record {origin['record']}",
    }
    if "query_code" in row:
        lines["identified"] = " → ".join(
            f"{row[f'{side}_code']}-{row[f'{side}_script']} ({row[f'{side}_confidence']:.2f})"
            for side in ("query", "positive")
        )
    if "query_verdict" in row:
        outcome = f"left out: {row['drop_reason']}" if row["drop_reason"] else "may stay"
        final = f"{row['query_lang_final']} → {row['positive_lang_final']}"
        lines["languages"] = f"{row['query_verdict']} → {row['positive_verdict']}; {final}; {outcome}"
    if "length_ratio" in row:
        lines["quality"] = _quality(row)
    if "contaminated" in row:
        lines["evaluation"] = _overlaps(row)
    if "keep" in row:
        verdict = "kept" if row["keep"] else f"left out: {row['reason']} of {row['sample_cluster']:016x}"
        lines["dedup"] = f"{verdict}; document cluster {row['document_cluster']:016x}"
    for name, text in lines.items():
        if text:
            table.add_row(name, str(text)[:TEXT_CHARS])
    for other in row.get("merged", [])[:MOST_MERGED]:
        what = f"{other['source']} / {other['subset']} {other['row_id'].hex()}, {other['reason'].partition('-')[0]}"
        texts = " → ".join(other[side] for side in ("query", "positive") if other[side]) or "the same"
        table.add_row("stands for", f"{what}: {texts}"[:TEXT_CHARS])
    for name, text in row["mined"] or [("negative, given", text) for text in row["negatives"][:MOST_NEGATIVES]]:
        table.add_row(name, text[:TEXT_CHARS])
    return table


def _quality(row: dict[str, Any]) -> str:
    """Describe the figures of quality of a row."""
    sides = (f"{name} {row[f'query_{name}']:.2f} → {row[f'positive_{name}']:.2f}" for name in ("symbols", "repetition"))
    figures = [f"letters and digits {row['query_alphanumeric']} → {row['positive_alphanumeric']}", *sides]
    if not math.isnan(row["length_ratio"]):
        figures.append(f"length ratio {row['length_ratio']:.2f}")
    if row["equal"]:
        figures.append("both sides equal")
    return "; ".join(figures)


def _overlaps(row: dict[str, Any]) -> str:
    """Describe the overlaps of a row with evaluation sets, and the verdict."""
    descriptions = [
        f"{side} {row[f'{side}_overlap']} ({row[f'{side}_score']:.2f}) with {row[f'{side}_text']}"
        f" of {', '.join(row[f'{side}_tasks'])}"
        for side in SIDES
        if row[f"{side}_overlap"]
    ]
    return (
        "; ".join([*descriptions, "contaminated" if row["contaminated"] else "may stay"])
        if descriptions
        else "nothing of any set"
    )


def show_disagreements(build: Build, source: str, *, as_json: bool = False) -> None:
    """Print the pairs of declared and identified languages of a source, and the strongest disagreements.

    Args:
        build: the profile.
        source: name.
        as_json: print one JSON object.

    Raises:
        StageError: step `identify` has no current verdicts on the source.
        UnknownNameError: the source does not exist.

    """
    build.manifest(source)
    entry = load(build, "identify").stats["sources"].get(source)
    if entry is None or "disagreements" not in entry:
        raise StageError("step identify has no verdicts on it", where=source, remedy=build.command("curate identify"))
    if as_json:
        _print_json({key: entry[key] for key in ("texts", "trust", "confusion", "disagreements")})
        return
    console = Terminal()
    console.print(f"{source}: {entry['texts']:,} texts, policy {entry['trust']['policy']}")
    confused = Table()
    for column in ("declared", "identified", "texts"):
        confused.add_column(column, justify="right" if column == "texts" else "left")
    pairs = [(count, declared, code) for declared, codes in entry["confusion"].items() for code, count in codes.items()]
    for count, declared, code in sorted(pairs, key=lambda pair: (-pair[0], *pair[1:]))[:MOST_PAIRS]:
        confused.add_row(declared, code, f"{count:,}")
    if len(pairs) > MOST_PAIRS:
        confused.caption = f"the {MOST_PAIRS} commonest of {len(pairs):,} pairs"
    console.print(confused)
    strongest = Table(title="strongest disagreements")
    for column in ("declared", "identified", "confidence", "text", "row"):
        strongest.add_column(column, overflow="fold")
    for disagreement in entry["disagreements"]:
        cells = (
            disagreement["declared"],
            disagreement["identified"],
            f"{disagreement['confidence']:.2f}",
            disagreement["text"],
        )
        strongest.add_row(*cells, f"{disagreement['row_id']} {disagreement['side']}")
    console.print(strongest)


def show_quarantine(build: Build, source: str, subset: str | None, count: int, *, as_json: bool = False) -> None:
    """Print quarantined records with file, record number and reason, then the files that were not read to their end.

    Args:
        build: the profile.
        source: name.
        subset: null: all subsets.
        count: number of records, and of files.
        as_json: print one JSON object for each.

    Raises:
        StageError: the rows are missing or not current.
        UnknownNameError: the source does not exist.

    """
    build.manifest(source)
    start = "/".join(filter(None, ("rows", source, subset))) + "/"
    result = Checker(build).require("normalize", refused=True)
    paths = [file.path for file in result.files if file.path.endswith(QUARANTINE)]
    table = Table(title=f"quarantined records of {source}")
    for column in ("file", "record", "reason", "excerpt"):
        table.add_column(column, overflow="fold")
    left = count
    for path in (path for path in paths if path.startswith(start)):
        for row in build.store.read_table(path).slice(0, left).to_pylist():
            if as_json:
                _print_json(row)
            table.add_row(*(str(row[name]) for name in ("file", "record", "reason", "excerpt")))
            left -= 1
        if left <= 0:
            break
    if not as_json:
        Terminal().print(table)
    _print_unread(result, source, subset, count, as_json=as_json)


def _print_unread(result: StepResult, source: str, subset: str | None, count: int, *, as_json: bool) -> None:
    """Print the files that were not read to their end, with the reason and the number of bytes that were not read."""
    of_subsets = result.stats.get("unreadable", {}).get(source, {})
    entries = [
        {"source": source, "subset": name, "file": file, "why": why, "bytes_not_read": size}
        for name, files in of_subsets.items()
        if subset in (None, name)
        for file, why, size in files
    ]
    if as_json:
        for entry in entries[:count]:
            _print_json(entry)
        return
    if not entries:
        return
    table = Table(title=f"files of {source} that were not read to their end")
    for column in ("subset", "file", "why", "bytes not read"):
        table.add_column(column, overflow="fold", justify="right" if column == "bytes not read" else "left")
    for entry in entries[:count]:
        table.add_row(*(entry[name] for name in ("subset", "file", "why")), f"{entry['bytes_not_read']:,}")
    unread = sum(entry["bytes_not_read"] for entry in entries)
    table.caption = f"{min(count, len(entries)):,} of {len(entries):,}; {unread:,} bytes were not read"
    Terminal().print(table)


def _print_json(data: dict[str, Any]) -> None:
    """Print one line of JSON; ids are written in hexadecimal digits."""
    print_json(data, indent=None, default=bytes.hex)
