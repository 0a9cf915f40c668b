"""Mixes that are another mix changed in one thing: fewer samples, other negatives, nothing known of near-duplicates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.mixing.files import SPLITS
from open_ml_embed.core.array_types import I32, I64
from open_ml_embed.core.files import whole_folder
from open_ml_embed.core.hashing import digest
from train.data.mix import Mix
from train.experiments.plan import MixVariant

SEED = 0
REFERENCES = ("positive_id", "other_positive_ids", "negative_ids")
OWN = 1 << 40
"""Query clusters from here on are of one sample each."""


def write_variant(mix: Mix, variant: MixVariant, folder: Path) -> Path:
    """Write a changed copy of a mix below a folder, unless it is there, and return its folder.

    Samples and documents keep their order. Held-out samples are those of the mix, or of its subsets that are taken.

    Args:
        mix: the mix.
        variant: what is changed.
        folder: folder for all variants.

    """
    changes = variant.model_dump(include={"negatives", "masks", "rows", "subsets"})
    to = folder / digest([mix.identity, changes, SEED])[:16]
    if to.is_dir():
        return to
    samples = {path: pq.read_table(path) for split in SPLITS for path in mix.files(split)}
    train = mix.files("train")
    if variant.subsets is not None:
        largest = _largest([samples[path] for path in train], variant.subsets)
        samples = {path: table.filter(pc.is_in(_subset_of(table), largest)) for path, table in samples.items()}
    if variant.rows is not None:
        last = _nth([samples[path]["row_id"] for path in train], variant.rows)
        samples |= {path: samples[path].filter(pc.less_equal(samples[path]["row_id"], last)) for path in train}
    documents = pa.concat_tables([pq.read_table(path) for path in mix.files("documents")])
    if variant.negatives != "as-mined":
        pools = _Pools(documents)
        samples |= {path: _with_negatives(samples[path], variant, pools) for path in train}
    if variant.is_smaller:
        kept = _referred(list(samples.values()))
        samples = {path: _renumbered(table, kept) for path, table in samples.items()}
        documents = _put(documents.take(pa.array(kept)), "document_id", pa.array(np.arange(len(kept))))
    if not variant.masks:
        documents = _put(documents, "cluster", documents["document_id"])
        for number, path in enumerate(train):
            own = OWN + (number << 32) + np.arange(samples[path].num_rows, dtype=np.int64)
            samples[path] = _put(samples[path], "query_cluster", pa.array(own))
    with whole_folder(to) as filled:
        (filled / "samples").mkdir(parents=True)
        (filled / "documents").mkdir()
        for path, table in samples.items():
            pq.write_table(table, filled / "samples" / path.name)
        pq.write_table(documents, filled / "documents" / "documents-00000.parquet")
    return to


def _nth(columns: list[pa.ChunkedArray], number: int) -> pa.Scalar:
    """Return the value of that rank, from 1, among the values of all columns; the largest if there are fewer."""
    values = pa.chunked_array([chunk for column in columns for chunk in column.chunks])
    return values[pc.sort_indices(values)[min(number, len(values)) - 1].as_py()]


def _subset_of(table: pa.Table) -> pa.ChunkedArray:
    """Return the source and the subset of each row, joined."""
    return pc.binary_join_element_wise(table["source"], table["subset"], "\0")


def _largest(tables: list[pa.Table], number: int) -> pa.Array:
    """Return the names of the subsets with the most samples; of equally large ones the first by name."""
    counts = pc.value_counts(pa.chunked_array([c for table in tables for c in _subset_of(table).chunks])).to_pylist()
    ordered = sorted(counts, key=lambda entry: (-entry["counts"], entry["values"]))
    return pa.array([entry["values"] for entry in ordered[:number]])


class _Pools:
    """The documents of each source and subset."""

    def __init__(self, documents: pa.Table) -> None:
        encoded = _subset_of(documents).combine_chunks().dictionary_encode()
        self.code = {name: code for code, name in enumerate(encoded.dictionary.to_pylist())}
        codes: I32 = encoded.indices.to_numpy()
        self.order: I64 = np.argsort(codes, kind="stable")
        self.starts: I64 = np.searchsorted(codes[self.order], np.arange(len(self.code) + 1))

    def of(self, source: str, subset: str) -> I64:
        """Return the document numbers of a subset, ascending."""
        code = self.code[f"{source}\0{subset}"]
        documents: I64 = self.order[self.starts[code] : self.starts[code + 1]]
        return documents


def _with_negatives(table: pa.Table, variant: MixVariant, pools: _Pools) -> pa.Table:
    mined = table["negative_ids"].to_pylist()
    if variant.negatives == "none":
        families = table["family"].to_pylist()
        drawn = [[] if family == "retrieval" else own for family, own in zip(families, mined, strict=True)]
    else:
        columns = ("source", "subset", "row_id", "positive_id", "other_positive_ids")
        rows = zip(*(table[column].to_pylist() for column in columns), strict=True)
        drawn = [
            _draw(pools.of(source, subset), len(own), row_id, {positive, *others})
            for (source, subset, row_id, positive, others), own in zip(rows, mined, strict=True)
        ]
    return _put(table, "negative_ids", pa.array(drawn, table.schema.field("negative_ids").type))


def _draw(pool: I64, wanted: int, row_id: str, answers: set[int]) -> list[int]:
    """Return distinct documents of a pool without the known answers, drawn by the sample's id."""
    rng = np.random.default_rng([SEED, int(row_id[:16], 16)])
    drawn = rng.choice(pool, size=min(len(pool), wanted + len(answers)), replace=False)
    return [int(document) for document in drawn if int(document) not in answers][:wanted]


def _referred(tables: list[pa.Table]) -> I64:
    """Return the numbers of all documents that samples refer to, ascending."""
    found = [np.empty(0, np.int64)]
    for table in tables:
        for name in REFERENCES:
            column = table[name].combine_chunks()
            found.append((column.flatten() if pa.types.is_list(column.type) else column).to_numpy(zero_copy_only=False))
    return np.unique(np.concatenate(found))


def _renumbered(table: pa.Table, kept: I64) -> pa.Table:
    for name in REFERENCES:
        column = table[name].combine_chunks()
        nested = pa.types.is_list(column.type)
        values = (column.flatten() if nested else column).to_numpy(zero_copy_only=False)
        numbers = pa.array(np.searchsorted(kept, values))
        lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False) if nested else None
        if lengths is not None:
            offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
            numbers = pa.ListArray.from_arrays(offsets, numbers)
        table = _put(table, name, numbers)
    return table


def _put(table: pa.Table, column: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    at = table.schema.get_field_index(column)
    field = table.schema.field(at)
    return table.set_column(at, field, values.cast(field.type))
