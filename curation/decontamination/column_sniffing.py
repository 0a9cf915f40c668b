"""Text columns of files without a manifest: chosen by name or by type, and read with the readers of `sources`."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from open_ml_embed.core.errors import SchemaError
from open_ml_embed.core.json_text import loads
from sources.manifest import ArrowType, RawTable
from sources.parts import RawFile
from sources.quarantine import Quarantine
from sources.readers import read
from sources.readers.sniff import open_text

_PEEKED = 100
_PEEKED_BYTES = 4 << 20
_NO_TEXTS = {
    "id", "_id", "idx", "index", "guid", "uuid", "query-id", "corpus-id", "query_id", "doc_id", "url", "link",
    "source", "label", "labels", "label_text", "split", "lang", "language", "script", "dialect", "iso_code", "date",
    "timestamp", "score", "category",
}  # fmt: skip
"""Names of columns that hold strings but no texts."""


def columns_of(file: RawFile) -> dict[str, ArrowType]:
    """Return all columns of a file with their types; the type of a column without texts is `any`.

    Raises:
        SchemaError: no reader reads this file format.

    """
    form = format_of(file)
    if form == "parquet":
        schema = pq.read_schema(file.path)
        return {field.name: _arrow_kind(field.type) for field in schema}
    with open_text(Path(file.path), file.name) as stream:
        head = stream.read(_PEEKED_BYTES).decode("utf-8-sig", "replace")
    if form == "jsonl":
        kinds: dict[str, ArrowType] = {}
        for line in itertools.islice(filter(None, map(str.strip, head.splitlines())), _PEEKED):
            for name, value in _object(line).items():
                if value is not None:
                    kinds.setdefault(name, _json_kind(value))
        return kinds
    header = next(csv.reader(io.StringIO(head), delimiter="\t" if form == "tsv" else ","), [])
    return dict.fromkeys(header, "string")


def format_of(file: RawFile) -> str:
    """Return the name of the reader for a file: `parquet`, `jsonl`, `csv` or `tsv`.

    Raises:
        SchemaError: no reader reads this file format.

    """
    match = re.search(r"\.(parquet|jsonl|json|csv|tsv)(\.(gz|bz2|xz|zst|lz4|br))?$", file.name)
    if match is None:
        raise SchemaError("no Parquet, JSON lines, csv or tsv", where=file.name, remedy="leave the task out")
    return "jsonl" if match[1] == "json" else match[1]


def records(file: RawFile, fields: dict[str, ArrowType], quarantine: Quarantine) -> Iterator[pa.Table]:
    """Stream the given columns of a file; unreadable records go to quarantine."""
    table = RawTable.model_validate({"files": [file.name], "format": format_of(file), "fields": fields})
    for batch in read(file.path, file.name, table, quarantine):
        yield batch.columns


def flattened(column: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """Return (texts, row number of each text), int64; a list column gives all texts of each list."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], column.type)
    if pa.types.is_list(array.type):
        return pc.list_flatten(array), pc.list_parent_indices(array).cast(pa.int64())
    return array, pa.array(range(len(array)), pa.int64())


def _object(line: str) -> dict[str, Any]:
    try:
        item = loads(line)
    except ValueError:  # an incomplete last line, or invalid JSON, which the reader quarantines later
        return {}
    return item if isinstance(item, dict) else {}


def _json_kind(value: object) -> ArrowType:
    if isinstance(value, str):
        return "string"
    return "list<string>" if isinstance(value, list) and value and isinstance(value[0], str) else "any"


def _arrow_kind(kind: pa.DataType) -> ArrowType:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    if (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and _arrow_kind(kind.value_type) == "string":
        return "list<string>"
    return "any"


def chosen(columns: dict[str, ArrowType], wanted: dict[str, list[str]]) -> dict[str, str]:
    """Return column → role for the wanted text columns that exist, or else for every text column, as a query.

    Args:
        columns: column → type, from `columns_of`.
        wanted: role → names of columns.

    """
    texts = {name: kind for name, kind in columns.items() if kind != "any"}
    roles = {name: role for role, names in wanted.items() for name in names if name in texts}
    return roles or {name: "query" for name in texts if name.lower() not in _NO_TEXTS}
