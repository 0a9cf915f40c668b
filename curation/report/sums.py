"""What must add up in the tables of a report, whatever the build."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from curation.report.tables.form import ReportTable
from curation.report.tables.sources import STAGES, column_of

Tables = Mapping[str, ReportTable]


def check(tables: Tables) -> None:
    """Check every sum; a table that does not add up is a fault of this program.

    Raises:
        AssertionError: names the sums that differ.

    """
    wrong = [f"{what}: {left:,} and {right:,}" for what, left, right in sums(tables) if left != right]
    assert not wrong, "; ".join(wrong)


def sums(tables: Tables) -> Iterator[tuple[str, int, int]]:
    """Yield (what, one sum, the other) for everything that must be equal."""
    yield from _of_rows(tables)
    yield from _of_mixes(tables)
    yield from _of_texts(tables)
    yield from _of_duplicates(tables)
    yield from _of_evaluation_sets(tables)
    yield from _of_negatives(tables)


def _of_rows(tables: Tables) -> Iterator[tuple[str, int, int]]:
    sources = tables["sources"]
    rows = sources.sum("rows")
    for row in sources.rows:
        ends = row["rows"] + row["filtered"] + row["quarantined"]
        yield f"records of {row['source']}", row["records"], ends
    for name in ("plan", "tasks", "languages", "source_languages"):
        yield f"rows of {name}", tables[name].sum("rows"), rows
    yield "sources of tasks", tables["tasks"].sum("sources"), len(sources)
    yield "losses", tables["losses"].sum("records"), sources.sum("filtered") + sources.sum("quarantined")
    yield "rows of the figures", tables["figures"].sum("value", figure="rows"), rows
    yield "rows of the ring", tables["ring"].sum("rows", of="corpus"), rows
    texts = tables["lengths"]
    for side in ("query", "positive"):
        yield f"lengths, {side}", texts.sum("texts", side=side), rows
    yield "bins of lengths", tables["length_histogram"].sum("texts"), texts.sum("texts")


def _of_mixes(tables: Tables) -> Iterator[tuple[str, int, int]]:
    funnel = tables["funnel"]
    for row in funnel.rows:
        ends = sum(row[column_of(stage)] for stage in STAGES)
        yield f"funnel of {row['mix']}, {row['source']}", row["records"], ends
        yield f"samples of {row['mix']}, {row['source']}", row["samples"], row["train"] + row["validation"]
        filtered = tables["mix_filters"].sum("records", mix=row["mix"], source=row["source"])
        yield f"filters of {row['mix']}, {row['source']}", row["mix_filter"], filtered
    for mix in dict.fromkeys(row["mix"] for row in funnel.rows):
        samples = funnel.sum("samples", mix=mix)
        for name in ("mix_tasks", "mix_sources", "mix_licenses", "mix_languages"):
            yield f"{name} of {mix}", tables[name].sum("samples", mix=mix), samples
        yield f"ring of {mix}", tables["ring"].sum("rows", of=mix), samples
        yield f"figure of {mix}", tables["figures"].sum("value", figure=f"{mix} mix"), samples

    pairs = tables["mix_pairs"]
    for mix, other in dict.fromkeys((row["mix"], row["other"]) for row in pairs.rows):
        for column, name in (("samples", mix), ("other_samples", other)):
            samples = funnel.sum("samples", mix=name)
            for by in ("source", "task", "license"):
                what = f"{column} of {mix} and {other} by {by}"
                yield what, pairs.sum(column, mix=mix, other=other, by=by), samples


def _of_texts(tables: Tables) -> Iterator[tuple[str, int, int]]:
    quality, sides = tables["quality"], tables["quality_sides"]
    for column in ("texts", "damaged"):
        yield f"quality, {column}", quality.sum(column), sides.sum(column)
    measured = tables["measures"].rows
    for row in tables["sources"].rows if measured else ():
        yield f"measured rows of {row['source']}", tables["measures"].sum("rows", source=row["source"]), row["rows"]
    for row in tables["agreement"].rows:
        ends = row["agree"] + row["disagree"] + row["undetermined"]
        yield f"agreement of {row['source']}", row["texts"], ends


def _of_duplicates(tables: Tables) -> Iterator[tuple[str, int, int]]:
    by_source, matrix = tables["source_duplicates"], tables["duplicate_matrix"]
    for kind in ("exact", "near"):
        total = tables["duplicates"].sum(f"{kind}_duplicates", of="sample")
        yield f"{kind} duplicates by source", by_source.sum(kind), total
        yield f"{kind} duplicates of the matrix", matrix.sum(kind), total


def _of_evaluation_sets(tables: Tables) -> Iterator[tuple[str, int, int]]:
    overlaps = tables["overlaps"]
    for row in tables["evaluation_sets"].rows:
        if row["skipped"] is None:
            for kind in ("exact", "near", "contained"):
                yield f"{row['task']}, {kind}", row[kind], overlaps.sum(kind, task=row["task"])


def _of_negatives(tables: Tables) -> Iterator[tuple[str, int, int]]:
    pools, turned_down = tables["pools"], tables["turned_down"]
    for row in pools.rows:
        kept_out = turned_down.sum("candidates", pool=row["pool"])
        yield f"candidates of {row['pool']}", row["candidates"], kept_out + (row["chosen"] or 0)
    rows = tables["negatives"].sum("rows")
    yield "rows of scores by language", tables["language_scores"].sum("rows"), rows
    scored = tables["scores"].sum("texts", side="positive")
    yield "positives of scores by language", tables["language_scores"].sum("positives"), scored
    scored = tables["scores"].sum("texts", side="negative")
    yield "negatives of scores by language", tables["language_scores"].sum("negatives"), scored
