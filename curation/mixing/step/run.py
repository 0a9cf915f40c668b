"""Step `mix`: build one mix from the results of all steps, as Parquet files for `datasets.load_dataset`."""

from __future__ import annotations

import shutil
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from curation.build import Build, Inputs, StepResult
from curation.mixing.card import dataset_card
from curation.mixing.recipe import Recipe, load_recipe
from curation.mixing.settings import MixSettings
from curation.mixing.step.assemble import DOCUMENT_SCHEMA, SAMPLE_SCHEMA, assemble
from curation.mixing.step.judged import judged_sources
from curation.mixing.step.select import PoolState, apply_cap, drop_twins, funnel, judge_pool
from curation.tables.contamination import contaminated_clusters
from curation.tables.pools import documents_of
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.files import put_folder
from open_ml_embed.core.progress import Progress
from open_ml_embed.core.store import HashingSink, Output
from sources.manifest import License, Manifest


def run_mix(build: Build, inputs: Inputs, name: str) -> StepResult:
    """Build one mix.

    Args:
        build: the profile.
        inputs: results of the steps before.
        name: of the mix.

    Raises:
        UnknownNameError: the mix does not exist.
        StageError: the result of a step before is missing, or the profile has no source of this mix.

    """
    recipe = load_recipe(name, build.root)
    settings = build.profile.mixes.get(name, MixSettings())
    rows = inputs["normalize"]
    pools = {key: shards for key, shards in rows.by_pool().items() if recipe.holds(key[0])}
    if not pools:
        raise StageError(
            f"profile {build.name} has no rows of the sources of this mix",
            where=f"mix {name}",
            remedy="list one of the profile's sources in the mix file, or choose other sources",
        )
    contaminated = contaminated_clusters(build.store, inputs.get("decontaminate"))
    judged = judged_sources(inputs.step, build, rows)
    result = inputs.result()
    with Progress(f"mix {name}", total=2 * len(pools)) as progress:
        states: dict[str, list[PoolState]] = defaultdict(list)
        for (source, subset), shards in pools.items():
            state = judge_pool(
                build.store, source, subset, shards, settings, contaminated=contaminated, judged=source in judged
            )
            states[source].append(state)
            progress.advance(f"judge {source}/{subset}")
        drop_twins([p for s in states for p in states[s] if build.manifest(s).family == "retrieval"])
        for source_pools in states.values():
            apply_cap(source_pools, settings.cap or recipe.cap)

        def license_of(source: str) -> License:
            return build.manifest(source).license

        folder = build.mix(name)
        writer = _MixWriter(folder, settings.shard_rows)
        for source, source_pools in states.items():
            manifest = build.manifest(source)
            for pool in source_pools:
                assembled = assemble(
                    build.store,
                    pool,
                    documents_of(build, source, pool.subset),
                    manifest,
                    recipe,
                    license_of=license_of,
                    first_id=writer.documents.rows,
                    keep=build.profile.mining.num_negatives,
                    seed=settings.seed,
                )
                writer.add(assembled.train, assembled.validation, assembled.documents)
                progress.advance(f"write {source}/{pool.subset}")
    result.stats = {"sources": {s: funnel(p) for s, p in states.items()}, "counts": _counts(writer)}
    result.stats["languages"] = dict(sorted(writer.languages.items()))
    inputs.begin()
    result.files = writer.close(_card(recipe, result, [build.manifest(name) for name in sorted(states)]))
    build.save(result)
    return result


def _counts(writer: _MixWriter) -> dict[str, int]:
    return {
        "train": writer.train.rows,
        "validation": writer.validation.rows,
        "samples": writer.train.rows + writer.validation.rows,
        "documents": writer.documents.rows,
    }


def _card(recipe: Recipe, result: StepResult, sources: list[Manifest]) -> str:
    return dataset_card(recipe, result.stats, sources)


class _MixWriter:
    """Writes the mix to a temporary folder and renames it when complete."""

    def __init__(self, folder: Path, rows: int) -> None:
        self._final, self._work = folder, folder.with_name(folder.name + ".tmp")
        shutil.rmtree(self._work, ignore_errors=True)
        self.train = _Rolling(self._work / "samples", "train", SAMPLE_SCHEMA, rows)
        self.validation = _Rolling(self._work / "samples", "validation", SAMPLE_SCHEMA, rows)
        self.documents = _Rolling(self._work / "documents", "documents", DOCUMENT_SCHEMA, rows)
        self.languages: dict[str, int] = {}

    def add(self, train: pa.Table, validation: pa.Table, documents: pa.Table) -> None:
        self.train.add(train)
        self.validation.add(validation)
        self.documents.add(documents)
        for table in (train, validation):
            query, positive = table["language"], table["positive_language"]
            # A sample counts once for each language it has on either side.
            for languages in (query, positive.filter(pc.not_equal(query, positive))):
                for entry in languages.value_counts().to_pylist():
                    self.languages[entry["values"]] = self.languages.get(entry["values"], 0) + entry["counts"]

    def close(self, card: str) -> list[Output]:
        """Write the card, rename the folder, and return the files of the mix, with paths below `out/<profile>/`."""
        writers = (self.train, self.validation, self.documents)
        for writer in writers:
            writer.close()
        (self._work / "README.md").write_text(card, "utf-8")
        put_folder(self._work, self._final)
        data = card.encode()
        outputs = [
            Output("README.md", 0, len(data), xxhash.xxh3_128_hexdigest(data)),
            *(o for p in writers for o in p.made),
        ]
        return [replace(output, path=f"mixes/{self._final.name}/{output.path}") for output in outputs]


class _Rolling:
    """Writes tables of any size to Parquet files of `limit` rows each."""

    def __init__(self, folder: Path, stem: str, schema: pa.Schema, limit: int) -> None:
        self._folder, self._stem, self._schema, self._limit = folder, stem, schema, limit
        self.made: list[Output] = []
        self._held: list[pa.Table] = []
        self._held_rows = self._files = self.rows = 0
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, table: pa.Table) -> None:
        self.rows += table.num_rows
        self._held.append(table)
        self._held_rows += table.num_rows
        while self._held_rows >= self._limit:
            self._flush(self._limit)

    def _flush(self, rows: int) -> None:
        table = pa.concat_tables(self._held) if self._held else self._schema.empty_table()
        self._write(table.slice(0, rows))
        remaining = table.slice(rows)
        self._held, self._held_rows = ([remaining] if remaining.num_rows else []), remaining.num_rows

    def _write(self, table: pa.Table) -> None:
        path = self._folder / f"{self._stem}-{self._files:05d}.parquet"
        with path.open("wb") as sink:
            hashing = HashingSink(sink)
            pq.write_table(table, pa.PythonFile(hashing, "w"), compression="zstd", row_group_size=20_000)
        name = f"{self._folder.name}/{path.name}"
        self.made.append(Output(name, table.num_rows, hashing.written, hashing.digest.hexdigest()))
        self._files += 1

    def close(self) -> None:
        if self._held_rows or not self._files:
            self._flush(self._held_rows)
