"""A mix without the samples and documents of some sources, its documents numbered anew."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.mixing.files import LOCATIONS, SPLITS, MixFiles, batches_of, schema_of
from curation.mixing.schemas import DOCUMENT_SCHEMA, SAMPLE_SCHEMA
from open_ml_embed.core.array_types import I64, Mask
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.text.arrays import list_starts


@dataclass(frozen=True)
class LeftOut:
    """What a mix is without.

    Attributes:
        samples: that are of one of the sources, or that one of them has too, or whose positive is a document of one.
        negatives: documents of the sources, as negatives and further positives of samples that stay.
        documents: that no sample names any more.

    """

    samples: int
    negatives: int
    documents: int


def write_without(mix: MixFiles, sources: Set[str], folder: Path) -> LeftOut:
    """Write a mix without some sources, with the names of its files.

    A sample that a source has which stays and one which does not is left out too: it has the stricter license of both.

    Args:
        mix: the mix.
        sources: to leave out.
        folder: to write to; made if it is not there.

    Raises:
        SettingsError: no training sample is left.
        StageError: the mix is damaged, or its documents are not numbered one by one.

    """
    barred = _barred(mix, sources)
    named = np.zeros(len(barred), np.bool_)
    samples = negatives = stay = 0
    for split in SPLITS:
        for batch in mix.read(split, SAMPLE_SCHEMA.names):
            kept = _stays(batch, sources, barred)
            samples += int((~kept).sum())
            stay += int(kept.sum()) if split == "train" else 0
            for name in ("positive_id", "other_positive_ids", "negative_ids"):
                numbers = _numbers(batch.filter(pa.array(kept))[name])
                named[numbers] = True
                negatives += int(barred[numbers].sum())
    if not stay:
        raise SettingsError("no sample is left", where=str(mix.root), remedy="leave fewer sources out")
    named &= ~barred
    new: I64 = np.cumsum(named) - 1
    for split in SPLITS:
        for path in mix.files(split):
            batches = (_renumbered(b, sources, barred, new) for b in batches_of(path, SAMPLE_SCHEMA.names))
            _write(folder / LOCATIONS[split][0] / path.name, batches, SAMPLE_SCHEMA)
    for path in mix.files("documents"):
        _write(folder / "documents" / path.name, _documents(path, named, new), DOCUMENT_SCHEMA)
    return LeftOut(samples, negatives, int((~named).sum()))


def _barred(mix: MixFiles, sources: Set[str]) -> Mask:
    """Return bool[documents]: those that are of one of the sources."""
    return np.concatenate([_among(batch["source"], sources) for _, batch in mix.numbered_documents(["source"])])


def _among(names: pa.Array, sources: Set[str]) -> Mask:
    among: Mask = pc.is_in(names, pa.array(sorted(sources), pa.string())).to_numpy(zero_copy_only=False)
    return among


def _stays(batch: pa.RecordBatch, sources: Set[str], barred: Mask) -> Mask:
    """Return bool[n]: the samples that no source has which is left out."""
    origins = pc.list_element(pc.split_pattern(batch["provenance"].flatten(), "/", max_splits=1), 0)
    has = _among(origins, sources)
    starts = list_starts(batch["provenance"])
    of_others = np.zeros(batch.num_rows, np.bool_)
    of_others[np.repeat(np.arange(batch.num_rows), np.diff(starts))[has]] = True
    stays: Mask = ~(_among(batch["source"], sources) | of_others | barred[_numbers(batch["positive_id"])])
    return stays


def _numbers(column: pa.Array) -> I64:
    numbers: I64 = (column.flatten() if pa.types.is_nested(column.type) else column).to_numpy()
    return numbers


def _renumbered(batch: pa.RecordBatch, sources: Set[str], barred: Mask, new: I64) -> pa.RecordBatch:
    kept = batch.filter(pa.array(_stays(batch, sources, barred)))
    columns = {name: kept[name] for name in kept.schema.names}
    columns["positive_id"] = pa.array(new[_numbers(kept["positive_id"])])
    for name in ("other_positive_ids", "negative_ids"):
        starts, numbers = list_starts(kept[name]), _numbers(kept[name])
        stay = ~barred[numbers]
        lengths = np.diff(offsets_of(stay.astype(np.int64))[starts])
        offsets = offsets_of(lengths).astype(np.int32)
        columns[name] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(new[numbers[stay]]))
    return pa.record_batch(columns).select(SAMPLE_SCHEMA.names).cast(schema_of(SAMPLE_SCHEMA.names))


def _documents(path: Path, named: Mask, new: I64) -> Iterator[pa.RecordBatch]:
    for batch in batches_of(path, DOCUMENT_SCHEMA.names):
        numbers = batch["document_id"].to_numpy()
        kept = batch.filter(pa.array(named[numbers]))
        renamed = pa.array(new[kept["document_id"].to_numpy()])
        yield kept.set_column(0, DOCUMENT_SCHEMA.field("document_id"), renamed)


def _write(path: Path, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            if batch.num_rows:
                writer.write_batch(batch)
