"""Turn the selected rows of one pool into samples and documents. A document is stored once and referenced by number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.mixing.recipe import Recipe, instructed, symmetric
from curation.mixing.step.inherited_negatives import MixSamples, admitted_negatives
from curation.mixing.step.provenance import inherit
from curation.mixing.step.select import TRAIN, VALIDATION, PoolState
from curation.tables.pools import PoolDocuments
from open_ml_embed.core.array_types import I64, U64
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.store import Store
from open_ml_embed.core.text.arrays import list_starts, one_array
from open_ml_embed.core.text.tokens import mix_all, tokenize
from sources.manifest import License, Manifest

SAMPLE_SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("subset", pa.string(), nullable=False),
        pa.field("provenance", pa.list_(pa.string()), nullable=False),
        pa.field("license", pa.string(), nullable=False),
        pa.field("family", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("positive_language", pa.string(), nullable=False),
        pa.field("query", pa.string(), nullable=False),
        pa.field("other_queries", pa.list_(pa.string()), nullable=False),
        pa.field("positive", pa.string(), nullable=False),
        pa.field("query_cluster", pa.int64(), nullable=False),
        pa.field("positive_id", pa.int64(), nullable=False),
        pa.field("other_positive_ids", pa.list_(pa.int64()), nullable=False),
        pa.field("negative_ids", pa.list_(pa.int64()), nullable=False),
    ]
)
"""Samples of a mix. Languages are ISO 639-3 codes or names of programming languages. `positive_id`,
`other_positive_ids` and `negative_ids` are document numbers; given negatives come before mined ones. `provenance` names
every source and subset that has the sample, its own first. `other_queries` and `other_positive_ids` are other wordings,
from its duplicates. `license` is the strictest license of those sources."""

DOCUMENT_SCHEMA = pa.schema(
    [
        pa.field("document_id", pa.int64(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("cluster", pa.int64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("subset", pa.string(), nullable=False),
    ]
)
"""Documents of a mix; `document_id` is dense from 0, in the order of the files. Documents with the same `cluster` are
equal or near-duplicates; a trainer must not use them as negatives of each other."""


_ROWS = pa.schema(
    [
        pa.field("row_id", pa.binary(16)), pa.field("source", pa.string()), pa.field("subset", pa.string()),
        pa.field("query_lang", pa.string()), pa.field("positive_lang", pa.string()),
        pa.field("query", pa.large_string()), pa.field("positive", pa.large_string()),
    ]
)  # fmt: skip
PIECE = 16_384
"""Texts of an Arrow chunk with 32-bit offsets."""


@dataclass(frozen=True)
class Assembled:
    """Tables of one pool: `train` and `validation` with `SAMPLE_SCHEMA`, `documents` with `DOCUMENT_SCHEMA`."""

    train: pa.Table
    validation: pa.Table
    documents: pa.Table


def assemble(
    store: Store,
    pool: PoolState,
    offered: PoolDocuments,
    manifest: Manifest,
    recipe: Recipe,
    *,
    license_of: Callable[[str], License],
    first_id: int,
    keep: int,
    seed: int,
) -> Assembled:
    """Build the samples of one pool, in order of rank, and the documents that they reference.

    Args:
        store: of the build.
        pool: rows and verdicts.
        offered: documents of the pool in step `mine`.
        manifest: of the source.
        recipe: the mix file.
        license_of: returns the license of a source.
        first_id: number of the first document.
        keep: most negatives of a sample.
        seed: decides which documents carry the instruction.

    """
    chosen = np.flatnonzero(pool.verdict <= VALIDATION)
    chosen = chosen[np.argsort(pool.rank[chosen], kind="stable")]
    rows = _rows(store, pool, chosen)
    mined_table = pa.concat_tables(
        store.read_table(f"negatives/{s.path}.negatives.arrow", ["negatives"]) for s in pool.shards
    )
    inherited = inherit(store, pool, rows, chosen, license_of)
    query_cluster = _clusters(store, pool)
    mined_pool = offered.pool.name if manifest.family == "retrieval" else None
    queries, positive_text = one_array(rows["query"]), one_array(rows["positive"])
    other_positives = inherited.positives
    query_exact = _query_hashes(store, pool)[chosen]
    mix_samples = MixSamples(
        pool, mined_pool, query_cluster, chosen, query_exact, (other_positives.offsets, other_positives.cluster)
    )
    given_negatives = admitted_negatives(store, mix_samples, inherited.negatives)
    mined_lists = mined_table["negatives"].take(chosen).combine_chunks()
    mined_starts = list_starts(mined_lists)
    mined_documents, mined_index = np.unique(mined_lists.flatten().to_numpy(), return_inverse=True)
    text_columns = [positive_text, offered.texts(mined_documents), given_negatives.text, other_positives.text]
    texts = pa.concat_arrays(text_columns).dictionary_encode()
    codes = texts.indices.to_numpy().astype(np.int64)
    positive_codes, mined_codes, given_codes, other_codes = np.split(
        codes, np.cumsum([len(part) for part in text_columns[:3]])
    )
    cluster = np.empty(len(texts.dictionary), np.int64)
    cluster[given_codes] = given_negatives.cluster
    cluster[other_codes] = other_positives.cluster
    cluster[mined_codes] = offered.clusters(mined_documents)
    cluster[positive_codes[::-1]] = pool.document_cluster[chosen[::-1]]
    negatives, starts = _merge(
        given_negatives.offsets,
        given_codes,
        mined_starts,
        mined_codes[mined_index],
        positive_codes,
        other_positives.offsets,
        other_codes,
        cluster,
        keep,
    )
    documents = _instruct_some(texts.dictionary, manifest, recipe, seed)
    if recipe.instructions:
        queries = pc.binary_join_element_wise(_instruction(manifest), queries, _NOTHING)
    n = len(chosen)
    samples = pa.table(
        [
            pa.array([i.hex() for i in rows["row_id"].to_pylist()], pa.string()),
            rows["source"],
            rows["subset"],
            inherited.provenance,
            inherited.license,
            [manifest.family] * n,
            [manifest.task] * n,
            *_languages(store, pool, rows, chosen),
            _strings(queries),
            _instructed(inherited.queries, manifest, recipe),
            _strings(documents.take(pa.array(positive_codes))),
            pa.array(query_cluster[chosen]),
            pa.array(positive_codes + first_id),
            pa.ListArray.from_arrays(
                pa.array(other_positives.offsets.astype(np.int32)), pa.array(other_codes + first_id)
            ),
            pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), pa.array(negatives + first_id)),
        ],
        schema=SAMPLE_SCHEMA,
    )
    d = len(documents)
    document_table = pa.table(
        [
            pa.array(np.arange(d) + first_id),
            _strings(documents),
            pa.array(cluster),
            *_places(pool, offered, mined_documents, mined_codes, positive_codes, d),
        ],
        schema=DOCUMENT_SCHEMA,
    )
    train = pa.array(pool.verdict[chosen] == TRAIN)
    return Assembled(samples.filter(train), samples.filter(pc.invert(train)), document_table)


def _rows(store: Store, pool: PoolState, chosen: I64) -> pa.Table:
    """Read rows in the order of `chosen`; texts as large_string, because those of a pool may exceed 2 GiB."""
    ordered = np.sort(chosen)
    table = pool.read(store, "rows", ordered, _ROWS.names).cast(_ROWS)
    return table.take(pa.array(np.searchsorted(ordered, chosen)))


def _strings(texts: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """Cast large_string to string in chunks; chunks are copied, because a slice keeps the offsets of the whole."""
    whole = one_array(texts)
    pieces = [pa.concat_arrays([whole.slice(i, PIECE)]).cast(pa.string()) for i in range(0, len(whole), PIECE)]
    return pa.chunked_array(pieces, pa.string())


def _places(
    pool: PoolState, offered: PoolDocuments, mined_documents: I64, mined_codes: I64, positive_codes: I64, size: int
) -> Iterator[pa.Array]:
    """Yield the columns source and subset of the documents; negatives may come from other sources of the pool."""
    for pool_value, values in zip((pool.source, pool.subset), offered.places(mined_documents), strict=True):
        names = np.full(size, pool_value, object)
        names[mined_codes] = values
        names[positive_codes] = pool_value
        yield pa.array(names, pa.string())


def _instructed(lists: pa.LargeListArray, manifest: Manifest, recipe: Recipe) -> pa.ChunkedArray:
    """Return the other wordings of n queries as list<string>[n], with the instruction if the recipe sets it."""
    texts = lists.flatten()
    if recipe.instructions:
        texts = pc.binary_join_element_wise(_instruction(manifest), texts, _NOTHING)
    whole = pa.LargeListArray.from_arrays(lists.offsets, texts)
    pieces = [pa.concat_arrays([whole.slice(i, PIECE)]) for i in range(0, len(whole), PIECE)]
    return pa.chunked_array([piece.cast(pa.list_(pa.string())) for piece in pieces], pa.list_(pa.string()))


def _query_hashes(store: Store, pool: PoolState) -> U64:
    parts = [store.read_table(f"signatures/{s.path}.signatures.arrow", ["query_exact"]) for s in pool.shards]
    return np.asarray(pa.concat_tables(parts)["query_exact"].to_numpy())


def _clusters(store: Store, pool: PoolState) -> I64:
    parts = [store.read_table(f"clusters/{s.path}.clusters.arrow", ["query_cluster"]) for s in pool.shards]
    return np.asarray(pa.concat_tables(parts)["query_cluster"].to_numpy())


def _languages(store: Store, pool: PoolState, rows: pa.Table, chosen: I64) -> list[pa.ChunkedArray]:
    """Return the two language columns: final languages if verdicts are used for the source, else declared ones."""
    if pool.judged:
        names = ["query_lang_final", "positive_lang_final"]
        parts = [store.read_table(f"verdicts/{s.path}.verdicts.arrow", names) for s in pool.shards]
        return [_code(column) for column in pa.concat_tables(parts).take(chosen).columns]
    return [_code(rows["query_lang"]), _code(rows["positive_lang"])]


def _code(tags: pa.ChunkedArray) -> pa.ChunkedArray:
    """Remove the script from language tags: `eng-Latn` becomes `eng`, `python-Code` becomes `python`."""
    return pc.replace_substring_regex(tags, "-[A-Z][a-z]{3}$", "")


_NOTHING = pa.scalar("", pa.large_string())


def _instruction(manifest: Manifest) -> pa.Scalar:
    return pa.scalar(instructed(manifest), pa.large_string())


def _instruct_some(texts: pa.Array, manifest: Manifest, recipe: Recipe, seed: int) -> pa.Array:
    """Prefix a share of the documents with the instruction; which ones depends only on seed and text."""
    if not (recipe.instructions and recipe.instructed_documents and symmetric(manifest)):
        return texts
    draw = mix_all(tokenize(texts).exact ^ np.uint64(seed)) >> np.uint64(11)
    selected = pa.array(draw.astype(np.float64) / 2**53 < recipe.instructed_documents)
    return pc.if_else(selected, pc.binary_join_element_wise(_instruction(manifest), texts, _NOTHING), texts)


@njit
def _merge(
    given_starts: I64,
    given: I64,
    mined_starts: I64,
    mined: I64,
    positive: I64,
    other_starts: I64,
    other: I64,
    cluster: I64,
    num_negatives: int,
) -> tuple[I64, I64]:
    """Join given and mined negatives of each sample.

    Given ones come first. Near-duplicates of a positive and repetitions are dropped, and at most `num_negatives` kept.

    Returns:
        int64[total] document codes, and int64[n + 1] offsets.

    """
    n = len(positive)
    result = np.empty(len(given) + len(mined), np.int64)
    starts = np.zeros(n + 1, np.int64)
    count = 0
    for row in range(n):
        first = count
        for kind in range(2):
            codes = given if kind == 0 else mined
            bounds = given_starts if kind == 0 else mined_starts
            for i in range(bounds[row], bounds[row + 1]):
                code = codes[i]
                is_new = cluster[code] != cluster[positive[row]] and count - first < num_negatives
                for j in range(other_starts[row], other_starts[row + 1]):
                    is_new = is_new and cluster[code] != cluster[other[j]]
                for j in range(first, count):
                    is_new = is_new and result[j] != code
                if is_new:
                    result[count] = code
                    count += 1
        starts[row + 1] = count
    return result[:count].copy(), starts
