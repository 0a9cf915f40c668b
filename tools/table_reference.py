"""Writes docs/tables.md from the Arrow schemas of what a build writes: `python -m tools.table_reference`."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from curation.decontamination.matching import REASONS as OVERLAPS
from curation.dedup.step.clusters import CLUSTER_SCHEMA
from curation.dedup.step.clusters import REASONS as DUPLICATES
from curation.dedup.step.merge import MERGE_SCHEMA
from curation.langid.step.run import LANGUAGES_SCHEMA
from curation.langid.step.verdicts import DROP_REASONS, VERDICTS, VERDICTS_SCHEMA
from curation.mining.negatives import ORIGINS
from curation.mining.step.search import NEGATIVES_SCHEMA
from curation.mixing.schemas import DOCUMENT_SCHEMA, SAMPLE_SCHEMA
from curation.publish.card import DOCUMENT_COLUMNS, SAMPLE_COLUMNS
from curation.quality.measures import QUALITY_SCHEMA
from curation.tables.contamination import CONTAMINATION_SCHEMA
from sources.schema import QUARANTINE_SCHEMA, ROW_SCHEMA

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tables.md"
HEAD = """# Tables that a build writes

Written from the schemas by `python -m tools.table_reference`; a test holds it to them.

Shards are Arrow IPC files below `work/<profile>/`. A row-aligned table has one line for each row of its rows shard, in
the same order, so columns of both can be put side by side. `curate show SOURCE` prints rows with all that is known of
them. Mixes are Parquet files below `out/<profile>/mixes/`. [Statistics](statistics.md) and [the report's
tables](report.md) have pages of their own.
"""


def _named(names: tuple[str | None, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names if name)


def _sides(columns: dict[str, str], sides: tuple[str, str]) -> dict[str, str]:
    return {f"{side}_{name}": f"{side}: {what}" for side in sides for name, what in columns.items()}


TABLES: dict[str, tuple[str, pa.Schema, dict[str, str]]] = {
    "rows/…rows.arrow": (
        "Step `normalize`: one line for each training sample.",
        ROW_SCHEMA,
        {
            "row_id": "128-bit hash of source, subset, query and positive; the same in every build",
            "source": "name of the source",
            "subset": "a language, a direction or a part of the source",
            "query": "text of the query",
            "positive": "text of the positive",
            "negatives": "given negatives of the source",
            "label": "class of a clustering or classification row",
            "query_lang": "language that the source declares, as `eng-Latn` or `python-Code`",
            "positive_lang": "the same for the positive",
            "origin": "raw file, and number of the record in it from 0 on",
        },
    ),
    "rows/…quarantine.arrow": (
        "Step `normalize`: records that gave no row.",
        QUARANTINE_SCHEMA,
        {
            "source": "name of the source",
            "subset": "subset that was read",
            "file": "raw file, with `!member` for a file in an archive",
            "record": "number of the record from 0 on",
            "reason": "why there is no row",
            "excerpt": "at most 200 characters of the record",
        },
    ),
    "languages/…languages.arrow": (
        "Step `identify`, row-aligned.",
        LANGUAGES_SCHEMA,
        _sides(
            {
                "code": "ISO 639-3 (`und`: not determined, `zxx`: no language), or a programming language",
                "script": "ISO 15924, or `Code`",
                "confidence": "how often such an answer is right, 0 to 1",
                "letters": "letters that the answer is based on; one of Han, kana or hangul counts as three",
            },
            ("query", "positive"),
        ),
    ),
    "verdicts/…verdicts.arrow": (
        "Step `identify`, row-aligned: declared and identified language compared.",
        VERDICTS_SCHEMA,
        {
            **{f"{side}_verdict": f"{side}: {_named(VERDICTS)}" for side in ("query", "positive")},
            **{f"{side}_lang_final": f"{side}: the tag that counts" for side in ("query", "positive")},
            "drop_reason": f"{_named(DROP_REASONS)}; null: the row stays",
        },
    ),
    "quality/…quality.arrow": (
        "Step `measure`, row-aligned; [quality.md](quality.md) says what each figure is for.",
        QUALITY_SCHEMA,
        {
            **_sides(
                {
                    "alphanumeric": "letters, marks and digits",
                    "symbols": "share of the other visible characters, 0 to 1",
                    "repetition": "share of the sequences of ten characters that occurred before in the text, 0 to 1",
                },
                ("query", "positive"),
            ),
            "length_ratio": "visible characters of the positive for each one of the query; NaN: a side has none",
            "equal": "both sides have the same letters, marks and digits, case aside",
        },
    ),
    "clusters/…clusters.arrow": (
        "Step `dedup`, row-aligned.",
        CLUSTER_SCHEMA,
        {
            "keep": "the row stands for its sample cluster",
            "reason": f"{_named(DUPLICATES)}; null: kept",
            "sample_cluster": "number; equal or near-duplicate samples share it",
            "query_cluster": "number; equal or near-duplicate queries share it",
            "document_cluster": "the same for positives and negatives",
            "negative_clusters": "document clusters of the given negatives",
        },
    ),
    "merges/…merges.arrow": (
        "Step `dedup`, row-aligned: what each kept row stands for.",
        MERGE_SCHEMA,
        {"merged": "its duplicates: id, source, subset, reason, texts that differ, document cluster, given negatives"},
    ),
    "contamination/…contamination.arrow": (
        "Step `decontaminate`, row-aligned.",
        CONTAMINATION_SCHEMA,
        {
            "contaminated": "the row stays out of the mixes",
            **_sides(
                {
                    "overlap": f"{_named(OVERLAPS)}; null: none",
                    "score": "strength of the overlap, 0 to 1",
                    "tasks": "evaluation tasks that have the text",
                    "text": "the most similar evaluation text, as task/subset/role/id",
                },
                ("query", "document"),
            ),
        },
    ),
    "negatives/…negatives.arrow": (
        "Step `mine`, row-aligned.",
        NEGATIVES_SCHEMA,
        {
            "negatives": "document numbers of the pool, given ones first, then by score",
            "scores": "of the teacher; NaN where there is none",
            "origins": f"index into {_named(ORIGINS)}",
            "positive_score": "the teacher's score of the positive; NaN: unknown",
            "positive_rank": "candidates that score above the positive; -1: unknown",
        },
    ),
    "mixes/<name>/samples": ("Steps `mix NAME`.", SAMPLE_SCHEMA, SAMPLE_COLUMNS),
    "mixes/<name>/documents": ("Steps `mix NAME`.", DOCUMENT_SCHEMA, DOCUMENT_COLUMNS),
}
"""Where a table is → what it is, its schema, and column → what that is."""


def page() -> str:
    """Return the page.

    Raises:
        LookupError: a table has a column that is not described, or the other way round.

    """
    parts = [HEAD]
    for path, (about, schema, columns) in TABLES.items():
        if odd := set(schema.names) ^ set(columns):
            raise LookupError(f"{path}: {', '.join(sorted(odd))}")
        rows = [
            f"| `{field.name}` | {_type(field.type)} | {'yes' if field.nullable else ''} | {columns[field.name]} |"
            for field in schema
        ]
        head = "| column | type | null | what it is |\n| --- | --- | --- | --- |"
        parts.append(f"## `{path}`\n\n{about}\n\n{head}\n" + "\n".join(rows) + "\n")
    return "\n".join(parts).rstrip() + "\n"


def _type(kind: pa.DataType) -> str:
    if pa.types.is_struct(kind):
        return "struct"
    if pa.types.is_list(kind):
        return f"list of {_type(kind.value_type)}"
    return str(kind)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
