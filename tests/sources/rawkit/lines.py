"""JSON lines as the Hub has them."""

import gzip
import json
from pathlib import Path


def jsonl(path: Path, rows: list[dict]) -> None:
    """Write records, one a line; compressed where the name ends in `.gz`."""
    data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def thinned(rows: list[dict], every: int) -> list[dict]:
    """Put each record where a shape that takes one of so many finds it, and others of its class between them."""
    return [
        row if place == 0 else {key: f"{value} ({place})" if key == "title" else value for key, value in row.items()}
        for row in rows
        for place in range(every)
    ]
