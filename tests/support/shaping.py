"""One shape run on records given as tables."""

from collections import Counter

import pyarrow as pa

from sources.manifest import Manifest
from sources.parts import Context, RawBatch
from sources.quarantine import Quarantine
from sources.schema import DRAFT_SCHEMA
from sources.shapes import arguments, shape

LANGS = {"query_lang": "eng-Latn"}


def run(kind, args, langs=LANGS, size=None, **tables):
    """Return (rows, quarantined (file, record, reason), filtered); `size` cuts the records into batches."""
    manifest = Manifest.model_validate(
        {
            "name": "s", "title": "S", "collection": "ml-embed", "task": "nli", "family": "retrieval",
            "origin": {"kind": "hub", "repo": "o/r"}, "shape": {"kind": kind, "args": args}, "subsets": {"t": langs},
            "tables": {name: {"files": ["*"], "format": "jsonl", "fields": {
                column: "int64" if rows and isinstance(rows[0][column], int) else "any" for column in rows[0]}}
                for name, rows in tables.items()},
            "license": {"id": "MIT", "commercial": True, "redistribution": True}, "citation": "none",
            "samples": 0, "instruction": "Find what belongs to it.",
        }
    )  # fmt: skip

    def read(name):
        rows = tables.get(name, [])
        step = size or max(len(rows), 1)
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            yield RawBatch(pa.Table.from_pylist(some), name, pa.array(range(start, start + len(some)), pa.int64()))

    context = Context(manifest, read, Quarantine("s", "t"), Counter())
    module = shape(kind)
    drafts = list(module.drafts(context, arguments(module, manifest)))
    assert all(table.schema.equals(DRAFT_SCHEMA) for table in drafts)
    rows = pa.concat_tables(drafts).to_pylist() if drafts else []
    bad = [(q["file"], q["record"], q["reason"]) for q in context.quarantine.table().to_pylist()]
    return rows, bad, dict(context.filtered)


def texts(rows):
    return [(row["query"], row["positive"]) for row in rows]
