"""Which file of the released corpus of F2LLM-v2 has which rows: of which source, loss family and languages.

The table is `manifests/releases/f2llm_v2.tsv`, a line for each file, or for each range of rows of a file that holds
several sources. Its columns: `file` without `.parquet`; `first` and `end`, rows of a range, empty where it begins or
ends with the file; `source` and its `title`, `family` and `task`; `subsets` of the source's manifest that the file
holds, separated by commas, empty for all; `query_language` and `positive_language`, empty where rows differ.

Upstream's trainer looks the name of a file up in lists of its own to choose the loss, so these are also the names that
it accepts.
"""

from __future__ import annotations

import csv
import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import cast, get_args

from open_ml_embed.core.errors import ManifestError
from sources import registry
from sources.languages import LanguageCodeError, check_tag
from sources.manifest import Family, Task

TABLE = "releases/f2llm_v2.tsv"
"""Path of the table, in a folder of manifests."""
PREFIX = "released_"
"""How the names of imported sources begin, so that they can stand beside the project's own source of the same data."""
NEGATIVES = {"retrieval": 24, "clustering": 24, "classification": 1}
"""Loss family → columns of negatives of its files."""


@dataclass(frozen=True)
class ReleasedRows:
    """One line of the table: a file, or a range of its rows.

    Attributes:
        file: name without `.parquet`.
        first: the first row of the range.
        end: the row after the last one; null: the end of the file.
        source: name of the source.
        title: of the source.
        family: loss family.
        task: of the source.
        subsets: of the source's manifest, that the file holds; empty: all.
        query_language: tag of all queries; empty: rows differ.
        positive_language: tag of all passages and negatives; empty: rows differ.

    """

    file: str
    first: int
    end: int | None
    source: str
    title: str
    family: Family
    task: Task
    subsets: tuple[str, ...] = ()
    query_language: str = ""
    positive_language: str = ""

    @property
    def subset(self) -> str:
        """Name of the subset that these rows are of an imported source."""
        return subset_name(self.file)


def unknown_rows(file: str, source: str, family: Family) -> ReleasedRows:
    """Return the line of a file of which nothing is known but its source and loss family."""
    return ReleasedRows(file, 0, None, source, source, family, _COMMON_TASK[family])


_COMMON_TASK: dict[Family, Task] = {
    "retrieval": "question-answering", "clustering": "topic-classification", "classification": "sentiment",
}  # fmt: skip
"""Loss family → the task of most of its sources."""
COLUMNS = tuple(field.name for field in fields(ReleasedRows))


def subset_name(file: str) -> str:
    """Return the name of a file as that of a subset; `%23` is how an address spells `#`.

    >>> subset_name("xcodeeval_nl2code_C#"), subset_name("xcodeeval_nl2code_C%23"), subset_name("squad")
    ('xcodeeval_nl2code_Csharp', 'xcodeeval_nl2code_Csharp', 'squad')
    """
    return as_released(file).replace("#", "sharp")


def as_released(stem: str) -> str:
    """Return the name of a file as the release spells it, whatever it was downloaded as."""
    return stem.replace("%23", "#")


@dataclass(frozen=True)
class Release:
    """The table of a release.

    Attributes:
        rows: its lines, in their order.

    """

    rows: tuple[ReleasedRows, ...]

    @cached_property
    def by_file(self) -> dict[str, list[ReleasedRows]]:
        """File → its lines, in order of their rows."""
        found: dict[str, list[ReleasedRows]] = defaultdict(list)
        for row in self.rows:
            found[row.file].append(row)
        return {name: sorted(lines, key=lambda line: line.first) for name, lines in found.items()}

    def files_of(self, source: str, subset: str, family: str) -> list[ReleasedRows]:
        """Return the lines for the rows of a subset: several where the release cut it into parts; none: there is none.

        Args:
            source: as in the table, or as imported, with `PREFIX`.
            subset: as in the manifest of the source; or as imported, the name of a file.
            family: of the rows; a file of another family is trained with another loss, so it is not theirs.

        """
        rows = self._by_source.get(source.removeprefix(PREFIX), [])
        if source.startswith(PREFIX):
            found = [row for row in rows if row.subset == subset]
        else:
            found = [row for row in rows if not row.subsets or subset in row.subsets]
        return [row for row in found if row.family == family]

    @cached_property
    def _by_source(self) -> dict[str, list[ReleasedRows]]:
        found: dict[str, list[ReleasedRows]] = defaultdict(list)
        for row in self.rows:
            found[row.source].append(row)
        return dict(found)


def read_release(path: Path | None = None) -> Release:
    """Read the table of a release.

    Args:
        path: the file; null: the table of F2LLM-v2.

    Raises:
        ManifestError: it cannot be read, lacks a column, or a line has a value that cannot be.

    """
    path = path or registry.file(TABLE)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            missing = sorted({*COLUMNS} - {*(reader.fieldnames or ())})
            if missing:
                raise _invalid(f"columns missing: {', '.join(missing)}", str(path))
            lines = [_row(line, f"{path}, line {number}") for number, line in enumerate(reader, 2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _invalid(f"cannot be read: {error}", str(path)) from error
    for name, rows in (release := Release(tuple(lines))).by_file.items():
        for before, after in itertools.pairwise(rows):
            if before.end is None or before.end > after.first:
                raise _invalid(f"{before.source} and {after.source} have the same rows of {name}", str(path))
    return release


def written(rows: Iterable[ReleasedRows]) -> str:
    """Return the text of a table that `read_release` reads back."""
    lines = ["\t".join(COLUMNS)]
    for row in rows:
        values = [getattr(row, name) for name in COLUMNS]
        values[COLUMNS.index("first")] = row.first or ""
        values[COLUMNS.index("end")] = "" if row.end is None else row.end
        values[COLUMNS.index("subsets")] = ",".join(row.subsets)
        lines.append("\t".join(map(str, values)))
    return "\n".join(lines) + "\n"


def _row(line: dict[str, str | None], where: str) -> ReleasedRows:
    value = {name: (line[name] or "").strip() for name in COLUMNS}
    for name, known in (("family", get_args(Family)), ("task", get_args(Task))):
        if value[name] not in known:
            raise _invalid(f"{name} is {value[name]!r}; it may be {', '.join(known)}", where)
    try:
        first, end = int(value["first"] or 0), int(value["end"]) if value["end"] else None
        for name in ("query_language", "positive_language"):
            if value[name]:
                check_tag(value[name])
    except (ValueError, LanguageCodeError) as error:
        raise _invalid(str(error), where) from error
    if not value["file"] or not value["source"] or not 0 <= first < (first + 1 if end is None else end):
        raise _invalid("a line has a file, a source, and rows from `first` up to `end`", where)
    subsets = tuple(name for name in value["subsets"].split(",") if name)
    family, task = cast("Family", value["family"]), cast("Task", value["task"])
    languages = value["query_language"], value["positive_language"]
    return ReleasedRows(value["file"], first, end, value["source"], value["title"], family, task, subsets, *languages)


def _invalid(what: str, where: str) -> ManifestError:
    remedy = f"write it as manifests/{TABLE}: a line for each file, with the columns {', '.join(COLUMNS)}"
    return ManifestError(what, where=where, remedy=remedy)
