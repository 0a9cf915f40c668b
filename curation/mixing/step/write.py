"""Operation `mix/files`: one Parquet file of a mix, its texts read from the rows shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import BaseModel

from curation.mixing.recipe import Recipe, instructed, symmetric
from curation.mixing.schemas import DOCUMENT_SCHEMA, SAMPLE_SCHEMA
from curation.mixing.step.numbering import INHERITED, MINED, POSITIVE, Number, NumberRef
from curation.mixing.step.pool import BLOCK_ROWS, MixPool
from curation.mixing.step.provenance import inherit
from open_ml_embed.core.array_types import I64
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Outputs, Task
from open_ml_embed.core.text.arrays import one_array
from open_ml_embed.core.text.instructed import instructed as has_instruction
from open_ml_embed.core.text.tokens import mix_all, tokenize
from sources.manifest import License, Manifest

GROUP_ROWS = 20_000
"""Rows of a row group."""
_ROWS = pa.schema(
    [
        pa.field("row_id", pa.binary(16)), pa.field("source", pa.string()), pa.field("subset", pa.string()),
        pa.field("query_lang", pa.string()), pa.field("positive_lang", pa.string()),
        pa.field("query", pa.large_string()), pa.field("positive", pa.large_string()),
    ]
)  # fmt: skip
_PIECE = 16_384
"""Texts of an Arrow chunk with 32-bit offsets."""
_NOTHING = pa.scalar("", pa.large_string())


class Slice(NamedTuple):
    """A part of a pool's samples or documents.

    Attributes:
        pool: the pool, by its index among the pools of the file.
        start, stop: which lines of its table.
        first_id: the number of the pool's first document in the mix.

    """

    pool: int
    start: int
    stop: int
    first_id: int


@dataclass(frozen=True)
class FileRef:
    """Payload of a task: the content of one file.

    Attributes:
        kind: `train`, `validation` or `documents`.
        pools: of the slices.
        manifests: of the pools' sources, in the same order.
        slices: what the file holds, in order.
        licenses: source → its license, of all sources of the build.

    """

    kind: str
    pools: tuple[NumberRef, ...]
    manifests: tuple[Manifest, ...]
    slices: tuple[Slice, ...]
    licenses: Mapping[str, License]


class WriteSettings(BaseModel):
    """What decides the texts of a mix: its file, and the seed of which documents carry an instruction."""

    recipe: Recipe
    seed: int


class WriteFile:
    """Operation: write one Parquet file."""

    name: ClassVar[str] = "mix/files"
    version: ClassVar[int] = 1

    def __init__(self, settings: WriteSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Write a file; `task.payload` is a `FileRef`. Returns language → samples that have it on either side."""
        ref: FileRef = task.payload
        is_documents = ref.kind == "documents"
        schema = DOCUMENT_SCHEMA if is_documents else SAMPLE_SCHEMA
        languages: Counter[str] = Counter()

        def write(sink: IO[bytes]) -> int:
            rows = 0
            with pq.ParquetWriter(pa.PythonFile(sink, "w"), schema, compression="zstd") as writer:
                for table in _groups(self._tables(ref, store, is_documents=is_documents)):
                    writer.write_table(table, row_group_size=GROUP_ROWS)
                    rows += table.num_rows
                    if not is_documents:
                        languages.update(_languages_of(table))
            return rows

        out.file("parquet", write)
        return {"languages": dict(sorted(languages.items()))}

    def _tables(self, ref: FileRef, store: Store, *, is_documents: bool) -> Iterator[pa.Table]:
        for part in ref.slices:
            pool = _Pool(store, ref.pools[part.pool], ref.manifests[part.pool], self.settings)
            for start in range(part.start, part.stop, BLOCK_ROWS):
                stop = min(start + BLOCK_ROWS, part.stop)
                if is_documents:
                    yield pool.documents(start, stop, part.first_id)
                else:
                    yield pool.samples(ref.kind, start, stop, part.first_id, ref.licenses)


def _groups(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Yield the rows of all tables in tables of `GROUP_ROWS` rows, whatever the sizes of those; the last has the rest.

    One row group is written of each, so groups do not depend on where pools begin.
    """
    held: list[pa.Table] = []
    rows = 0
    for table in tables:
        held.append(table)
        rows += table.num_rows
        while rows >= GROUP_ROWS:
            whole = pa.concat_tables(held)
            yield whole.slice(0, GROUP_ROWS)
            held, rows = [whole.slice(GROUP_ROWS)], rows - GROUP_ROWS
    if rows:
        yield pa.concat_tables(held)


def _languages_of(table: pa.Table) -> Counter[str]:
    """Count each sample once for each language that it has on either side."""
    query, positive = table["language"], table["positive_language"]
    counts: Counter[str] = Counter()
    for languages in (query, positive.filter(pc.not_equal(query, positive))):
        for entry in languages.value_counts().to_pylist():
            counts[entry["values"]] += entry["counts"]
    return counts


class _Pool:
    """Reads the samples and documents of one pool."""

    def __init__(self, store: Store, ref: NumberRef, manifest: Manifest, settings: WriteSettings) -> None:
        self._store, self._manifest, self._settings = store, manifest, settings
        self._pool: MixPool = ref.pool
        self._stem = f"{Number.name}/{ref.pool.path}"
        self._instruction = pa.scalar(instructed(manifest, ref.pool.subset), pa.large_string())
        self._offered = ref.documents(store)

    def samples(self, kind: str, start: int, stop: int, first_id: int, licenses: Mapping[str, License]) -> pa.Table:
        """Return samples start … stop - 1 of a split, with `SAMPLE_SCHEMA`."""
        store, pool, manifest = self._store, self._pool, self._manifest
        numbered = store.read_table(f"{self._stem}.{kind}.arrow").slice(start, stop - start).combine_chunks()
        rows = numbered["row"].to_numpy()
        table = pool.read(store, "rows", rows, _ROWS.names).cast(_ROWS)
        inherited = inherit(store, pool, rows, table)
        queries = one_array(table["query"])
        if self._settings.recipe.instructions:
            queries = self._with_instruction(queries)
        n = len(rows)
        return pa.table(
            [
                pa.array([i.hex() for i in table["row_id"].to_pylist()], pa.string()),
                table["source"],
                table["subset"],
                inherited.provenance,
                inherited.licenses(licenses),
                pa.array([manifest.family] * n, pa.string()),
                pa.array([manifest.task] * n, pa.string()),
                *self._languages(rows, table),
                _strings(queries),
                self._other_queries(inherited.queries),
                _strings(self._instruct_some(one_array(table["positive"]))),
                pool.read(store, "clusters", rows, ["query_cluster"])["query_cluster"],
                pa.array(numbered["positive"].to_numpy().astype(np.int64) + first_id),
                _global(numbered["others"], first_id),
                _global(numbered["negatives"], first_id),
            ],
            schema=SAMPLE_SCHEMA,
        )

    def documents(self, start: int, stop: int, first_id: int) -> pa.Table:
        """Return documents start … stop - 1, with `DOCUMENT_SCHEMA`."""
        numbered = self._store.read_table(f"{self._stem}.documents.arrow").slice(start, stop - start)
        origin, place = numbered["origin"].to_numpy(), numbered["place"].to_numpy()
        texts, parts = [], []
        source = np.full(len(origin), self._pool.source, object)
        subset = np.full(len(origin), self._pool.subset, object)
        for kind in (POSITIVE, MINED, INHERITED):
            at = np.flatnonzero(origin == kind)
            if len(at):
                texts.append(self._texts(kind, place[at]).cast(pa.large_string()))
                parts.append(at)
            if kind == MINED and len(at):  # they may come from other sources and subsets of the pool
                source[at], subset[at] = self._offered.places(place[at])
        order = np.argsort(np.concatenate([np.zeros(0, np.int64), *parts]), kind="stable")
        text = pa.concat_arrays([pa.array([], pa.large_string()), *texts]).take(pa.array(order))
        return pa.table(
            [
                pa.array(np.arange(start, stop) + first_id),
                _strings(self._instruct_some(text)),
                numbered["cluster"],
                pa.array(source, pa.string()),
                pa.array(subset, pa.string()),
            ],
            schema=DOCUMENT_SCHEMA,
        )

    def _texts(self, kind: int, places: I64) -> pa.Array:
        """Return the texts of documents of one kind: large_string or string[n]; positives and lines are ascending."""
        if kind == POSITIVE:
            return one_array(self._pool.read(self._store, "rows", places, ["positive"])["positive"])
        if kind == MINED:
            return self._offered.texts(places)
        return one_array(self._store.read_rows(f"{self._stem}.inherited.arrow", places)["text"])

    def _languages(self, rows: I64, table: pa.Table) -> list[pa.ChunkedArray]:
        """Return the two language columns: final languages if verdicts are used for the source, else declared ones."""
        if self._pool.judged:
            names = ["query_lang_final", "positive_lang_final"]
            return [_code(column) for column in self._pool.read(self._store, "verdicts", rows, names).columns]
        return [_code(table["query_lang"]), _code(table["positive_lang"])]

    def _other_queries(self, lists: pa.LargeListArray) -> pa.ChunkedArray:
        """Return the other wordings of n queries as list<string>[n], with the instruction if the mix has it."""
        texts = lists.flatten()
        if self._settings.recipe.instructions:
            texts = self._with_instruction(texts)
        whole = pa.LargeListArray.from_arrays(lists.offsets, texts)
        pieces = [pa.concat_arrays([whole.slice(i, _PIECE)]) for i in range(0, len(whole), _PIECE)]
        return pa.chunked_array([piece.cast(pa.list_(pa.string())) for piece in pieces], pa.list_(pa.string()))

    def _with_instruction(self, texts: pa.Array) -> pa.Array:
        """Put the instruction before texts; one that carries an instruction of its own keeps that."""
        joined = pc.binary_join_element_wise(self._instruction, texts, _NOTHING)
        has_one = has_instruction(texts)
        return pc.if_else(has_one, texts, joined) if has_one.true_count else joined

    def _instruct_some(self, texts: pa.Array) -> pa.Array:
        """Prefix a share of the documents with the instruction; which ones depends only on seed and text."""
        recipe = self._settings.recipe
        if not (recipe.instructions and recipe.instructed_documents and symmetric(self._manifest)):
            return texts
        draw = mix_all(tokenize(texts).exact ^ np.uint64(self._settings.seed)) >> np.uint64(11)
        selected = pa.array(draw.astype(np.float64) / 2**53 < recipe.instructed_documents)
        return pc.if_else(selected, self._with_instruction(texts), texts)


def _global(lists: pa.ChunkedArray, first_id: int) -> pa.ListArray:
    """Return lists of a pool's document numbers as lists of the mix's: list<int64>[n]."""
    whole = lists.combine_chunks()
    whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    offsets = whole.offsets.to_numpy() - whole.offsets[0].as_py()
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(whole.flatten().to_numpy().astype(np.int64) + first_id))


def _strings(texts: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """Cast large_string to string in chunks; chunks are copied, because a slice keeps the offsets of the whole."""
    whole = one_array(texts)
    pieces = [pa.concat_arrays([whole.slice(i, _PIECE)]).cast(pa.string()) for i in range(0, len(whole), _PIECE)]
    return pa.chunked_array(pieces, pa.string())


def _code(tags: pa.ChunkedArray) -> pa.ChunkedArray:
    """Remove the script from language tags: `eng-Latn` becomes `eng`, `python-Code` becomes `python`."""
    return pc.replace_substring_regex(tags, "-[A-Z][a-z]{3}$", "")
