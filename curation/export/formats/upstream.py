"""F2LLM's trainer, step 1: a parquet file for each file of the released corpus, with texts in columns."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import pyarrow as pa

from curation.export.exporters import Exporter
from curation.export.rows import Batch, Rows
from curation.export.shards import Writer
from open_ml_embed.core.array_types import I64
from sources.manifest import Family
from sources.released import NEGATIVES, PREFIX, ReleasedRows, read_release, unknown_rows, written

LISTED, UNLISTED = "raw_training_data", "unlisted"
"""Folders of files whose name the trainer knows, and of the others."""
DRAWN = 80_000
"""Rows of a file that step 1 draws; it says nothing of the others."""
TABLE = "release.tsv"


@dataclass(frozen=True)
class UpstreamFile:
    """One file to write.

    Attributes:
        name: without `.parquet`.
        family: of its rows.
        listed: whether the trainer knows the name.
        parts: a source's rows, as lines of a table of a release, and their places in the selection, in file order.

    """

    name: str
    family: str
    listed: bool
    parts: list[tuple[ReleasedRows, I64]]

    @property
    def places(self) -> I64:
        """Return int64[n], places of its rows in `Selection.rows`."""
        return np.concatenate([places for _, places in self.parts])


def upstream_files(rows: Rows) -> list[UpstreamFile]:
    """Return the files of an export, in order of name: each sample is in one.

    Where the release has several files for a subset, its samples are dealt out one by one. Where several subsets of a
    source are in one file, they stay in the drawn order. Several sources of a file follow each other, as in the
    release.
    """
    release, chosen = read_release(), rows.selection
    found: dict[tuple[bool, str, str], dict[tuple[int, str], tuple[ReleasedRows, list[I64]]]] = {}
    for number, (source, subset) in enumerate(chosen.pools):
        for family in get_args(Family):
            places = np.flatnonzero((chosen.pool == number) & chosen.in_family(family))
            if not len(places):
                continue
            lines = release.files_of(source, subset, family)
            for k, line in enumerate(lines or [_unlisted(source, subset, family)]):
                parts = found.setdefault((not lines, line.file, family), {})
                parts.setdefault((line.first, line.source), (line, []))[1].append(places[k :: max(len(lines), 1)])
    return [
        UpstreamFile(
            name, family, not unlisted,
            [(line, np.sort(np.concatenate(places))) for _, (line, places) in sorted(parts.items())],
        )
        for (unlisted, name, family), parts in sorted(found.items())
    ]  # fmt: skip


def _unlisted(source: str, subset: str, family: Family) -> ReleasedRows:
    """Return the line of a file whose name no list has; a source's name has no `-`, so the name is its alone."""
    name = subset if source.startswith(PREFIX) else f"{source}-{subset}"
    return unknown_rows(name.replace(".", "_"), source.removeprefix(PREFIX), family)


def write(rows: Rows, writer: Writer) -> None:
    """Write a file for each of the release's that has samples, and the table of who is where."""
    files = upstream_files(rows)
    for file in files:
        with writer.one_file(f"{LISTED if file.listed else UNLISTED}/{file.name}", "parquet") as sink:
            for batch in rows.batches(file.family, file.places):
                sink.write(_table(rows, batch, NEGATIVES[file.family]))
    writer.text(TABLE, written(_lines(files)))
    writer.notes += [*unlisted_notes(files, LISTED), *single_notes(files), *_drawn_notes(files)]


def unlisted_notes(files: list[UpstreamFile], folder: str, ending: str = "") -> list[str]:
    """Return a sentence for each file whose name upstream's trainer does not know.

    Args:
        files: of the export.
        folder: that the trainer reads.
        ending: of the names of the written files, before `.parquet`.

    """
    return [
        f"{UNLISTED}/{file.name}{ending}.parquet, {len(file.places):,} rows: upstream's trainer does not know the "
        f"name, and stops at it; add {file.name!r} to its list of {file.family} data, and move the file to {folder}/"
        for file in files
        if not file.listed
    ]


def single_notes(files: list[UpstreamFile], ending: str = "") -> list[str]:
    """Return a sentence for each file of one row; for the arguments see `unlisted_notes`."""
    return [
        f"{file.name}{ending}.parquet has one row: step 2 of upstream's trainer holds out a hundredth of each file, "
        "and stops where nothing is left to train on; export more of it, or take the file away"
        for file in files
        if len(file.places) == 1
    ]


def _drawn_notes(files: list[UpstreamFile]) -> list[str]:
    return [
        f"{file.name}.parquet has {len(file.places):,} rows: of these, step 1 of upstream's trainer draws {DRAWN:,}"
        for file in files
        if len(file.places) > DRAWN
    ]


def _table(rows: Rows, batch: Batch, width: int) -> pa.Table:
    numbers = batch.negatives_by_column(width)
    columns = {"query": batch.queries, "passage": rows.texts(batch.first_positives)}
    columns |= {f"negative_{i + 1}": rows.texts(numbers[:, i]) for i in range(width)}
    return pa.table({name: column.cast(pa.string()) for name, column in columns.items()})


def _lines(files: list[UpstreamFile]) -> list[ReleasedRows]:
    """Return the lines of the table of this export: ranges of rows where a file has several sources."""
    lines = []
    for file in files:
        start: Counter[str] = Counter()
        for line, places in file.parts:
            first = start[file.name]
            start[file.name] += len(places)
            end = None if line is file.parts[-1][0] else start[file.name]
            lines.append(replace(line, first=first, end=end))
    return lines


UPSTREAM = Exporter(
    title="input of F2LLM's trainer, step 1",
    reader="`process_data_qwen.py` of CodeFuse-Embeddings reads the folder `raw_training_data`.",
    columns={
        "query": "text, with its instruction where the mix has some: the trainer adds none",
        "passage": "text that answers it",
        "negative_1 … negative_24": "texts that do not; in the files of two-way classification `negative_1` alone",
    },
    usage=f"""Files have the names of the released corpus, since the trainer looks the loss up by them. Rows of other
sources are in `{UNLISTED}/`. `{TABLE}` has the source of each file, or of each range of its rows; `curate
import-release` reads it. Step 1 takes every entry of its folder for parquet, so let nothing else lie in it, and draws
{DRAWN:,} rows of a larger file.
""",
    write=write,
    negatives=NEGATIVES,
    same=True,
    fixed=True,
)
