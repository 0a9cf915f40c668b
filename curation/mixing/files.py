"""The files of a mix: samples of each split, and documents. Exports, the trainer and the public API read them here.

A mix may come from anywhere, so nothing of it is believed: a file that is damaged, a column of another type, a null and
bytes that are no UTF-8 are refused with the path of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.mixing.schemas import DOCUMENT_SCHEMA, SAMPLE_SCHEMA
from open_ml_embed.core.errors import StageError

SPLITS = ("train", "validation")
LOCATIONS = {"train": ("samples", "train-"), "validation": ("samples", "validation-"), "documents": ("documents", "")}
"""Kind of file → its folder, and how its name begins. A mix is hashed in this order."""
BATCH_ROWS = 16_384
_FIELDS = {field.name: field for schema in (DOCUMENT_SCHEMA, SAMPLE_SCHEMA) for field in schema}
_UNREADABLE = (pa.ArrowException, OSError, UnicodeDecodeError)


@dataclass(frozen=True)
class MixFiles:
    """A mix on disk.

    Attributes:
        root: the folder.

    """

    root: Path

    def files(self, kind: str) -> list[Path]:
        """Return the parquet files of a split (`train`, `validation`) or of the `documents`, in name order.

        Raises:
            StageError: there are none, or one is a folder.

        """
        folder, start = LOCATIONS[kind]
        files = sorted((self.root / folder).glob(f"{start}*.parquet"))
        if not files:
            raise StageError(
                f"no {start}*.parquet",
                where=str(self.root / folder),
                remedy="name the folder of a mix, or run `curate mix` for this profile first",
            )
        for path in files:
            if not path.is_file():
                raise _unusable("is no file", path)
        return files

    def read(self, kind: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield record batches of some columns, in file order.

        Raises:
            StageError: a file lacks one of the columns, cannot be read, or holds what a mix cannot hold.

        """
        for path in self.files(kind):
            yield from batches_of(path, columns)

    def numbered_documents(self, columns: Sequence[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield the number of the first document of each record batch, and the batch: `document_id` and some columns.

        Raises:
            StageError: as `read`; or the documents are not numbered one by one, from 0.

        """
        first = 0
        for batch in self.read("documents", ["document_id", *columns]):
            numbers = batch["document_id"].to_numpy()
            if not np.array_equal(numbers, np.arange(first, first + len(numbers))):
                raise StageError(
                    f"documents from {first} on are not numbered one by one",
                    where=str(self.root / "documents"),
                    remedy="make the mix again",
                )
            yield first, batch
            first += len(numbers)

    def rows(self, kind: str) -> int:
        """Return the number of rows of a split or of the documents, read from the parquet footers.

        Raises:
            StageError: a file cannot be read.

        """
        return sum(footer_of(path).num_rows for path in self.files(kind))


def with_columns(path: Path, columns: Sequence[str]) -> pq.ParquetFile:
    """Open a file of a mix, which must have some columns, of the types that they have in a mix.

    Raises:
        StageError: it lacks one, one is of another type, or it cannot be read.

    """
    with _in_words(path):
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
    missing = sorted(set(columns) - set(schema.names))
    if missing:
        raise _unusable(f"columns missing: {', '.join(missing)}", path)
    for name in columns:
        found, wanted = schema.field(name).type, _FIELDS[name].type
        if not _alike(found, wanted):
            raise _unusable(f"the column {name} holds {found}, and in a mix it holds {wanted}", path)
    return file


def batches_of(
    path: Path, columns: Sequence[str], *, rows: int = BATCH_ROWS, row_groups: Sequence[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield record batches of some columns of a file of a mix, with the schema that `schema_of` returns.

    Args:
        path: the file.
        columns: their names.
        rows: most rows of a batch.
        row_groups: numbers of the row groups to read; None: all.

    Raises:
        StageError: it lacks one of the columns, cannot be read, or holds what a mix cannot hold.

    """
    file, schema = with_columns(path, columns), schema_of(columns)
    with _in_words(path):
        groups = range(file.num_row_groups) if row_groups is None else row_groups
        left = sum(file.metadata.row_group(group).num_rows for group in groups)
        batches = file.iter_batches(rows, row_groups=row_groups, columns=list(columns))
    while True:
        with _in_words(path):
            batch = next(batches, None)
            if batch is None:
                if left:  # a page of a column that holds fewer values ends the iteration without an error
                    raise _unusable(f"{left:,} rows fewer than its footer says", path)
                return
            left -= batch.num_rows
            batch.validate(full=True)
        for name in columns:
            column = batch.column(name)
            if column.null_count or (_is_list(column.type) and column.flatten().null_count):
                raise _unusable(f"the column {name} has nulls", path)
        with _in_words(path):
            batch = batch.select(schema.names).cast(schema)
        yield batch


def schema_of(columns: Sequence[str]) -> pa.Schema:
    """Return the schema of some columns of a mix."""
    return pa.schema([_FIELDS[name] for name in columns])


def footer_of(path: Path) -> pq.FileMetaData:
    """Return the footer of a file of a mix.

    Raises:
        StageError: the file cannot be read.

    """
    with _in_words(path):
        return pq.ParquetFile(path).metadata


def _alike(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Tell whether a type does for a column: widths of numbers and of offsets do not matter."""
    kinds: tuple[Callable[[pa.DataType], bool], ...] = (_is_text, pa.types.is_integer)
    if _is_list(wanted):
        return _is_list(found) and _alike(found.value_type, wanted.value_type)
    return any(is_kind(found) and is_kind(wanted) for is_kind in kinds)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise _unusable(f"cannot be read: {reason}", path) from error


def _unusable(what: str, path: Path) -> StageError:
    remedy = "make the mix again with `curate mix`; `curate verify --deep` shows which files of a build are damaged"
    return StageError(what, where=str(path), remedy=remedy)
