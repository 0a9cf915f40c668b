"""`Mix`: a training mix on disk, its samples and documents."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.dataset as pads

from curation.export.options import Kind, Options, Shortage, Split, Terms
from curation.export.run import Exported
from curation.export.run import export as write_export
from curation.mixing.files import SPLITS, MixFiles, with_columns
from curation.mixing.from_records import Kind as Records
from curation.mixing.from_records import write_mix
from curation.mixing.schemas import DOCUMENT_SCHEMA, SAMPLE_SCHEMA
from open_ml_embed.core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

    from datasets import Dataset, DatasetDict


class MixDatasets(NamedTuple):
    """A mix as Hugging Face datasets: `samples` by split, and `documents`, of which row i has `document_id` i."""

    samples: DatasetDict
    documents: Dataset


@dataclass(frozen=True, eq=False)
class MixStatistics:
    """What a mix holds.

    Attributes:
        train: samples to train on.
        validation: samples held out.
        documents: texts that samples point at.
        languages: code → samples with it on either side, the most frequent first.
        table: pyarrow.Table, a row for each source and loss family: `source` string, `family` string, `train` int64,
            `validation` int64.

    """

    train: int
    validation: int
    documents: int
    languages: dict[str, int]
    table: pa.Table

    def __repr__(self) -> str:
        return (
            f"MixStatistics({self.train:,} samples to train on, {self.validation:,} held out, {self.documents:,} "
            f"documents, {len(self.languages)} languages)"
        )


@dataclass(frozen=True)
class Mix:
    """A mix: parquet files of samples and of documents, each text once.

    A sample has its query, its positive, and the numbers of its hard negatives among the documents; the columns are
    those of docs/decisions.md and of the dataset card in the folder.

    Attributes:
        path: its folder, as `curate mix` writes it.

    Raises:
        ValueError: (a `CorpusError`) the folder is no mix.

    """

    path: Path

    def __init__(self, path: str | PathLike[str]) -> None:
        folder = Path(path)
        if not (folder / "samples").is_dir() or not (folder / "documents").is_dir():
            raise SettingsError(
                "no mix: it lacks the folders samples/ and documents/",
                where=str(folder),
                remedy="give the folder of a mix, as out/<profile>/mixes/<name>, or build one with `Build.run`",
            )
        object.__setattr__(self, "path", folder)

    @classmethod
    def from_records(
        cls,
        records: Iterable[Mapping[str, Any]],
        to: str | PathLike[str],
        *,
        source: str = "own",
        family: Literal["retrieval", "clustering", "classification"] = "retrieval",
        language: str = "und",
        instruction: str | None = None,
        validation: float = 0.0,
        seed: int = 1,
    ) -> Mix:
        """Write records of your own as a mix, to train on at once; each text becomes one document.

        Equal texts are found, nothing else: `curate build FILE --to mix` also finds near-duplicates and contamination,
        and mines negatives. A negative that is one of the record's positives is left out.

        Args:
            records: with `query`, `anchor` or `question`; `positive`, `pos`, `answer` or `passage`, a text or a list of
                texts; and any of `negative`, `negatives`, `neg`, `negative_1` and so on. A `datasets.Dataset` does.
            to: the folder, which is not there yet.
            source: name of their source.
            family: what negatives mean: in `retrieval` those of other records count too.
            language: of all texts, ISO 639-3.
            instruction: for all queries, which then carry it as mixes with instructions do; null: none.
            validation: share of the queries that are held out.
            seed: of what is held out.

        Raises:
            SchemaError: a record lacks a query or a positive.
            ValueError: (a `CorpusError`) a value that cannot be, or the folder is there.

        """
        write_mix(records, Path(to), Records(source, family, language, instruction, validation, seed))
        return cls(to)

    @property
    def samples(self) -> pads.Dataset:
        """The samples of both splits: a pyarrow Dataset, read as it is asked for; `.to_table()` reads it whole."""
        return self._dataset(*SPLITS)

    @property
    def documents(self) -> pads.Dataset:
        """The documents: a pyarrow Dataset; row i has `document_id` i."""
        return self._dataset("documents")

    def split(self, name: Literal["train", "validation"]) -> pads.Dataset:
        """Return the samples of one split: a pyarrow Dataset."""
        return self._dataset(name)

    @property
    def statistics(self) -> MixStatistics:
        """What it holds, counted from the files."""
        counts: dict[tuple[str, str], Counter[str]] = {}
        languages: Counter[str] = Counter()
        for split in SPLITS:
            columns = ["source", "family", "language", "positive_language"]
            for batch in self._folder.read(split, columns):
                groups = pa.Table.from_batches([batch]).group_by(columns).aggregate([([], "count_all")])
                for group in groups.to_pylist():
                    counts.setdefault((group["source"], group["family"]), Counter())[split] += group["count_all"]
                    for code in {group["language"], group["positive_language"]}:
                        languages[code] += group["count_all"]
        keys = sorted(counts)
        columns_of = {"source": [key[0] for key in keys], "family": [key[1] for key in keys]}
        table = pa.table(
            {name: pa.array(values, pa.string()) for name, values in columns_of.items()}
            | {split: pa.array([counts[key][split] for key in keys], pa.int64()) for split in SPLITS}
        )
        totals = {split: sum(counter[split] for counter in counts.values()) for split in SPLITS}
        ordered = dict(sorted(languages.items(), key=lambda item: (-item[1], item[0])))
        return MixStatistics(totals["train"], totals["validation"], self._folder.rows("documents"), ordered, table)

    def to_datasets(self) -> MixDatasets:
        """Return the mix as Hugging Face datasets, memory-mapped from the library's cache.

        The texts of a sample's negatives: `documents[sample["negative_ids"]]["text"]`.
        """
        from datasets import DatasetDict, load_dataset

        files = {kind: [str(path) for path in self._folder.files(kind)] for kind in (*SPLITS, "documents")}
        samples = load_dataset("parquet", data_files={split: files[split] for split in SPLITS})
        documents = load_dataset("parquet", data_files={"train": files["documents"]}, split="train")
        return MixDatasets(DatasetDict(samples), documents)

    def export(
        self,
        format_name: str,
        to: str | PathLike[str],
        *,
        split: Split | None = None,
        languages: Sequence[str] = (),
        sources: Sequence[str] = (),
        license: Terms | None = None,
        limit: int | None = None,
        negatives: int | None = None,
        shortage: Shortage = "drop",
        seed: int = 1,
        shard_rows: int = 100_000,
        temperature: float | None = None,
        weights: Mapping[str, float] | None = None,
        files: Kind | None = None,
        tokenizer: str | PathLike[str] | None = None,
        dry_run: bool = False,
    ) -> Exported:
        """Write the mix, or a part of it, in the format of another trainer (docs/formats.md).

        Args:
            format_name: `sentence-transformers`, `flagembedding`, `tevatron`, `ms-swift`, `nemotron`, `kalm`,
                `triplets`, `beir`, `upstream`, `upstream-tokenized`, or one of a plugin.
            to: the folder to write: new, empty, or one that holds an earlier export and nothing else.
            split: `train` or `validation`; null: `train`, and of `beir` `validation`.
            languages: only samples with one of these on either side; none: all.
            sources: only samples of these; none: all.
            license: only samples every source of which allows this.
            limit: at most so many samples, drawn by `seed`.
            negatives: a row, the first ones; null: the format's own number, or all there are.
            shortage: of rows with fewer negatives than the format needs: `drop` leaves them out, `repeat` takes theirs
                again.
            seed: of the order, and of what `limit` draws.
            shard_rows: rows a file.
            temperature: with `limit`: the shares of sources are their rows ** (1 / `temperature`).
            weights: with `limit`: source → factor of its share; 0 leaves it out.
            files: `parquet`, `jsonl` or `jsonl.zst`, where the format's reader takes several.
            tokenizer: for formats of token ids: the folder of the model that will be trained.
            dry_run: count only.

        Returns:
            What was taken, left out and written.

        Raises:
            StageError: the mix lacks files or columns.
            ValueError: (a `CorpusError`) a name that there is not, a number that cannot be, a folder with other files,
                or nothing is left to write.

        """
        options = Options(
            split, tuple(languages), tuple(sources), license, limit, negatives, shortage, seed, shard_rows,
            temperature, dict(weights or {}), files, None if tokenizer is None else Path(tokenizer),
        )  # fmt: skip
        return write_export(self.path, format_name, Path(to), options, dry_run=dry_run)

    def __repr__(self) -> str:
        rows = {kind: self._folder.rows(kind) for kind in (*SPLITS, "documents")}
        return (
            f"Mix({str(self.path)!r}: {rows['train']:,} samples to train on, {rows['validation']:,} held out, "
            f"{rows['documents']:,} documents)"
        )

    @property
    def _folder(self) -> MixFiles:
        return MixFiles(self.path)

    def _dataset(self, *kinds: str) -> pads.Dataset:
        files = []
        for kind in kinds:
            schema = DOCUMENT_SCHEMA if kind == "documents" else SAMPLE_SCHEMA
            for path in self._folder.files(kind):
                with_columns(path, schema.names)
                files.append(str(path))
        return pads.dataset(files, format="parquet")
