"""What the files of a release hold: rows, columns of negatives, languages, and instructions inside queries."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from open_ml_embed.core.errors import SchemaError
from open_ml_embed.core.text.instructed import split_instructed
from sources.languages import LanguageCodeError, is_tag, named_tag, tag_of
from sources.released import NEGATIVES, ReleasedRows

LANG = "lang"
UNDETERMINED = "und-Zyyy"
_ROWS = 8192
_KEPT = 1000
"""Different instructions of a file that are told apart."""


@dataclass(frozen=True)
class Found:
    """The rows of one source in one file.

    Attributes:
        name: of the file at its origin.
        line: of the table of the release; made up for a file that the table does not have.
        listed: whether the table has the file.
        rows: of the source in the file.
        negatives: columns of negatives.
        languages: value of the column `lang` → language tag, where the column decides; empty: it does not.
        instructions: instruction → rows whose query carries it.
        looked: whether the file was read; if not, all of the above but names is what the table leads to expect.

    """

    name: str
    line: ReleasedRows
    listed: bool
    rows: int = 0
    negatives: int = 0
    languages: dict[str, str] = field(default_factory=dict)
    instructions: Counter[str] = field(default_factory=Counter)
    looked: bool = True

    @property
    def instruction(self) -> str | None:
        """The instruction that most of the instructed queries carry, of equals the first by alphabet; null: none."""
        return most_frequent(self.instructions)

    @property
    def instructed(self) -> int:
        """Rows whose query carries some instruction."""
        return self.instructions.total()


def most_frequent(counts: Counter[str]) -> str | None:
    """Return the text that is counted most, of equals the first by alphabet; null if there is none."""
    return min(counts, key=lambda text: (-counts[text], text), default=None)


def expected(name: str, line: ReleasedRows, *, listed: bool) -> Found:
    """Return what the table leads to expect of a file that is not here yet."""
    return Found(name, line, listed, negatives=NEGATIVES[line.family], looked=False)


def look_at(path: Path, name: str, lines: list[ReleasedRows], *, listed: bool) -> list[Found]:
    """Read the queries and languages of a file.

    Args:
        path: of the file.
        name: of the file at its origin.
        lines: of the table, for this file.
        listed: whether the table has the file, or the line was made up.

    Returns:
        What each line stands for, without those that the file has no rows of.

    Raises:
        SchemaError: it is no parquet file, or lacks a column of the layout.

    """
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            negatives = _negatives(names, name)
            total = file.metadata.num_rows
            counts, languages, nulls = _counted(file, lines, with_languages=LANG in names)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise SchemaError(
            f"cannot be read: {str(error).splitlines()[0]}", where=name, remedy="fetch the file again, or leave it out"
        ) from error
    found = []
    for k, line in enumerate(lines):
        rows = max(min(total, total if line.end is None else line.end) - line.first, 0)
        decides = not line.query_language and LANG in names and not nulls[k]
        tags = {value: _tag(value) for value in sorted(languages[k])} if decides else {}
        if rows:
            found.append(Found(name, line, listed, rows, negatives, tags, counts[k]))
    return found


def _negatives(names: list[str], where: str) -> int:
    """Return the number of columns of negatives.

    Raises:
        SchemaError: a column of the layout is missing.

    """
    count = 0
    while f"negative_{count + 1}" in names:
        count += 1
    missing = [name for name in ("query", "passage", *(() if count else ("negative_1",))) if name not in names]
    others = [name for name in names if name.startswith("negative_")]
    if missing or len(others) != count:
        what = f"columns missing: {', '.join(missing or [f'negative_{count + 1}'])}"
        raise SchemaError(
            f"{what}; found: {', '.join(names)}",
            where=where,
            remedy="leave the file out, or import it as a source of its own with `curate sources new`",
        )
    return count


def _counted(
    file: pq.ParquetFile, lines: list[ReleasedRows], *, with_languages: bool
) -> tuple[list[Counter[str]], list[set[str]], list[int]]:
    """Return for each line: instruction → queries with it, the values of `lang`, and how many are null."""
    counts: list[Counter[str]] = [Counter() for _ in lines]
    languages: list[set[str]] = [set() for _ in lines]
    nulls = [0] * len(lines)
    start = 0
    for batch in file.iter_batches(_ROWS, columns=["query", *([LANG] if with_languages else [])]):
        stop = start + batch.num_rows
        for k, line in enumerate(lines):
            first, end = max(line.first, start), stop if line.end is None else min(line.end, stop)
            if first >= end:
                continue
            some = batch.slice(first - start, end - first)
            instructions, _ = split_instructed(some["query"].cast(pa.large_string()))
            for entry in instructions.drop_null().value_counts().to_pylist():
                known = entry["values"] in counts[k] or len(counts[k]) < _KEPT
                counts[k][entry["values"] if known else "(further ones)"] += entry["counts"]
            if with_languages:
                values = some[LANG].cast(pa.string())
                languages[k] |= set(values.drop_null().unique().to_pylist())
                nulls[k] += values.null_count
        start = stop
    if start < file.metadata.num_rows:  # a page of a column that holds fewer values ends the iteration without an error
        raise pa.ArrowInvalid(f"{file.metadata.num_rows - start:,} rows fewer than its footer says")
    return counts, languages, nulls


def _tag(value: str) -> str:
    """Return the language tag of a value of `lang`: a code, or a name of a language or a programming language."""
    for known in (tag_of, named_tag):
        with suppress(LanguageCodeError):
            if is_tag(tag := known(value)):
                return tag
    return UNDETERMINED
