"""One file written and read, and what came of it."""

from pathlib import Path

from sources.manifest import RawTable
from sources.quarantine import Quarantine
from sources.readers import read

AB = {"a": "string", "b": "int64"}


def reading(path: Path, batch_rows: int = 65_536, **table):
    """Return (record → row, quarantined (file, record, reason))."""
    quarantine = Quarantine("s", "t")
    spec = RawTable.model_validate({"files": ["*"], "fields": AB} | table)
    rows = {}
    for batch in read(path, f"raw/{path.name}", spec, quarantine, batch_rows=batch_rows):
        assert batch.columns.column_names == list(spec.fields)
        assert 0 < batch.columns.num_rows <= batch_rows or batch.columns.num_rows == 0
        assert len(batch.records) == batch.columns.num_rows
        for record, row in zip(batch.records.to_pylist(), batch.columns.to_pylist(), strict=True):
            assert (batch.file, record) not in rows
            rows[batch.file, record] = row
    bad = [(q["file"], q["record"], q["reason"]) for q in quarantine.table().to_pylist()]
    return rows, bad


def write(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def numbers(rows):
    return [record for _, record in rows]
