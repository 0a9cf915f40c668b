"""Reads a mix folder: parquet files of samples and of documents, in name order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from curation.mixing.files import LOCATIONS, SPLITS, MixFiles, batches_of, with_columns
from open_ml_embed.core.errors import StageError
from train.loop.keys import content_digest

Family = Literal["retrieval", "clustering", "classification"]
FAMILIES: tuple[Family, ...] = get_args(Family)
SAMPLE_COLUMNS = ["source", "subset", "family", "query", "query_cluster", "positive_id", "negative_ids"]
DOCUMENT_COLUMNS = ["document_id", "text", "cluster"]
INSTRUCTION = "Instruct: "


@dataclass(frozen=True)
class Dataset:
    """The rows of one subset of a source with one loss family; the batch of a step comes from one dataset.

    A subset is what a source releases as one set: a language of WebFAQ, a direction of a bitext. If a batch held texts
    of several, a model could tell in-batch negatives apart by their language.
    """

    source: str
    subset: str
    family: Family

    @property
    def name(self) -> str:
        """Source and subset."""
        return f"{self.source}/{self.subset}"


@dataclass(frozen=True)
class Mix(MixFiles):
    """A mix folder on disk.

    Attributes:
        root: the folder.
        digests: file that caches the hashes of files, so that a mix is hashed only once; None: no cache.

    """

    digests: Path | None = None

    @cached_property
    def identity(self) -> str:
        """Hash of the contents of all files of the mix."""
        files = [path for kind in LOCATIONS for path in self.files(kind)]
        return content_digest(files, remembered=self.digests)

    def datasets(self) -> tuple[Dataset, ...]:
        """Check the metadata of all samples, and return the datasets, sorted by source, subset and family.

        Raises:
            StageError: a column is missing, a row has no source, no subset or an unknown family, or a clustering or
                classification dataset has no negatives at all.

        """
        for path in self.files("documents"):
            with_columns(path, DOCUMENT_COLUMNS)
        rows: Counter[tuple[str, str, Family]] = Counter()
        with_negatives: Counter[tuple[str, str, str]] = Counter()
        for split in SPLITS:
            for path in self.files(split):
                with_columns(path, SAMPLE_COLUMNS)
                for source, subset, family, count, count_with_negatives in _survey(path):
                    if source is None or subset is None or family not in FAMILIES:
                        raise StageError(
                            f"{count} samples of source {source!r}, subset {subset!r} have the loss family {family!r}",
                            where=str(path),
                            remedy=f"families are {', '.join(FAMILIES)}: correct the source's manifest, mix again",
                        )
                    rows[source, subset, family] += count
                    with_negatives[source, subset, family] += count_with_negatives
        for (source, subset, family), count in sorted(rows.items()):
            if family != "retrieval" and not with_negatives[source, subset, family]:
                raise StageError(
                    f"none of the {count} samples of {source}/{subset} has a negative, "
                    f"and {family} has no other contrast",
                    where=str(self.root),
                    remedy="run `curate mine` and `curate mix` again, or leave the source out of the mix",
                )
        return tuple(Dataset(*key) for key in sorted(rows))

    def batches(self, kind: str) -> Iterator[pa.RecordBatch]:
        """Yield record batches of the columns that the trainer needs, in file order.

        Raises:
            StageError: a file lacks one of the columns.

        """
        return self.read(kind, DOCUMENT_COLUMNS if kind == "documents" else SAMPLE_COLUMNS)

    @property
    def instructed(self) -> bool:
        """Whether the queries start with an instruction; either all queries of a mix do or none does."""
        first: str = next(batch for batch in self.batches("train") if batch.num_rows).column("query")[0].as_py()
        return first.startswith(INSTRUCTION)

    def texts(self, limit: int, *, characters: int | None = None) -> Iterator[str]:
        """Yield about `limit` texts: documents and training queries, evenly spaced over the mix.

        Args:
            limit: number of texts.
            characters: maximum length of a text; the rest is cut off. None: whole texts.

        """
        step = max(1, -(-(self.rows("documents") + self.rows("train")) // limit))
        for kind, column in (("documents", "text"), ("train", "query")):
            for batch in self.batches(kind):
                texts = batch.column(column)
                if characters is not None:
                    texts = pc.utf8_slice_codeunits(texts, 0, characters)
                yield from texts.drop_null().to_pylist()[::step]


def _survey(path: Path) -> Iterator[tuple[str | None, str | None, str | None, int, int]]:
    """Yield (source, subset, family, number of samples, number of samples with negatives) for every record batch."""
    keys = ["source", "subset", "family"]
    for batch in batches_of(path, [*keys, "negative_ids"], rows=1 << 16):
        has_negatives = pc.greater(pc.fill_null(pc.list_value_length(batch["negative_ids"]), 0), 0)
        table = pa.table({name: batch[name] for name in keys} | {"has_negatives": has_negatives})
        groups = table.group_by(keys).aggregate([([], "count_all"), ("has_negatives", "sum")])
        for group in groups.to_pylist():
            yield *(group[name] for name in keys), group["count_all"], group["has_negatives_sum"]
