"""KaLM-Embedding's fine-tuning data: a folder a data set, each query with its instruction, positives and negatives."""

from pathlib import Path

import pyarrow as pa

from tests.sources.rawkit.writing import write_parquet

Record = tuple[str, list[str], list[str]]
"""Query without its instruction, positives, negatives."""
_SCHEMA = pa.schema([("query", pa.string()), ("pos", pa.list_(pa.string())), ("neg", pa.list_(pa.string()))])


def kalm(folder: Path, name: str, instruction: str, records: list[Record]) -> None:
    """Write the folder of one data set."""
    rows: list[dict[str, object]] = [
        {"query": f"Instruct: {instruction} \n Query: {query}", "pos": positives, "neg": negatives}
        for query, positives, negatives in records
    ]
    home = folder / "KaLM-Embedding/KaLM-embedding-finetuning-data" / name
    write_parquet(home / "train-00000-of-00001.parquet", rows, _SCHEMA)
