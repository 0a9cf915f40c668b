"""The synthetic Nordic sets: a split a language in one folder, each record with the instruction of its own task."""

from pathlib import Path

from tests.sources.rawkit.tables import parquet


def nordic(folder: Path, kind: str, columns: tuple[str, ...], records: dict[str, list[tuple]]) -> None:
    """Write `kardosdrur/synthetic-nordic-<kind>`.

    Args:
        folder: below which the repository is written.
        kind: of the set.
        columns: before the instruction.
        records: split → values of these columns.

    """
    for split, values in records.items():
        rows = [
            dict(zip(columns, record, strict=True)) | {"instruction": f" Made-up task {number} ({split})."}
            for number, record in enumerate(values)
        ]
        parquet(folder / f"kardosdrur/synthetic-nordic-{kind}/data/{split}-00000-of-00001.parquet", rows)
