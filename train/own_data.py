"""Trains on a file of one's own: its records become a mix, once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from curation.mixing.from_records import Kind, write_mix
from open_ml_embed.core.errors import SchemaError, SettingsError, UnknownNameError
from open_ml_embed.core.hashing import digest, hash_file
from train.config import TrainSettings

VERSION = 1
VALIDATION = 0.02
"""Share of the queries that are held out, for evaluations."""
LOADERS = {".jsonl": "json", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
"""Ending of a file, without that of a compression, → the loader of `datasets`."""
PACKED = (".gz", ".zst", ".bz2", ".xz")


def mix_of(file: Path, work: Path) -> Path:
    """Return a mix of the records of a file, below `work`; it is made if it is not there.

    Args:
        file: jsonl, json, csv, tsv or parquet, also compressed; see `curation.mixing.from_records` for the columns.
        work: the work folder of the profile's training.

    Raises:
        UnknownNameError: there is no such file; the message has the nearest.
        SettingsError: the file is of another kind.
        SchemaError: it cannot be read, or a record lacks a query or a positive.

    """
    if not file.is_file():
        beside = [str(path) for path in file.parent.iterdir()] if file.parent.is_dir() else []
        raise UnknownNameError("file", str(file), beside, where="--data")
    folder = work / "own" / digest([VERSION, hash_file(file), VALIDATION])[:16] / file.name.partition(".")[0]
    if not folder.is_dir():
        try:
            write_mix(_records(file), folder, Kind(validation=VALIDATION))
        except SchemaError as error:
            raise SchemaError(error.what, where=f"{file}, {error.where}", remedy=error.remedy) from None
    return folder


def trained_on(settings: TrainSettings, mix: Path) -> TrainSettings:
    """Return settings of which every stage, and the evaluation, is on one mix."""
    stages = tuple(stage.model_copy(update={"mix": str(mix)}) for stage in settings.stages)
    evaluation = settings.evaluation.model_copy(update={"mix": str(mix)})
    return settings.model_copy(update={"stages": stages, "evaluation": evaluation})


def _records(file: Path) -> Iterator[Mapping[str, Any]]:
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError

    name = file.name.lower()
    for ending in PACKED:
        name = name.removesuffix(ending)
    loader = LOADERS.get(Path(name).suffix)
    if loader is None:
        raise SettingsError(
            "a file of a kind that is not known", where=f"--data {file}", remedy=f"one of {', '.join(LOADERS)}"
        )
    more: dict[str, Any] = {"delimiter": "\t"} if name.endswith(".tsv") else {}
    try:
        yield from load_dataset(loader, data_files=str(file), split="train", streaming=True, **more)
    except (ValueError, OSError, DatasetGenerationError) as error:
        if isinstance(error, SettingsError):
            raise
        what = f"it cannot be read: {str(error).splitlines()[0][:200]}"
        raise SchemaError(what, where=str(file), remedy="see that it is what its name says") from error
