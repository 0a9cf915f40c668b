"""One pool's selected rows to samples and documents: texts once, negatives as document numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.mixing.recipe import Recipe, instructed, symmetric
from curation.mixing.step.inherited_negatives import Asked, admitted
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
"""A mix's samples. Languages are ISO 639-3, or a programming language's name. `positive_id`, `other_positive_ids` and
`negative_ids` are document numbers; hard negatives given by a source come before mined ones. `provenance` names every
source and subset that the sample was found in, its own first; the other queries and positives are those of its
duplicates, in other words; `license` is the strictest of those sources."""

DOCUMENT_SCHEMA = pa.schema(
    [
        pa.field("document_id", pa.int64(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("cluster", pa.int64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("subset", pa.string(), nullable=False),
    ]
)
"""A mix's documents, `document_id` dense from 0 over the files in order. Documents of one `cluster` are the same or
near-duplicates: a trainer masks them for each other."""


_ROWS = pa.schema(
    [
        pa.field("row_id", pa.binary(16)), pa.field("source", pa.string()), pa.field("subset", pa.string()),
        pa.field("query_lang", pa.string()), pa.field("positive_lang", pa.string()),
        pa.field("query", pa.large_string()), pa.field("positive", pa.large_string()),
    ]
)  # fmt: skip
PIECE = 16_384


@dataclass(frozen=True)
class Assembled:
    """Tables of one pool: `SAMPLE_SCHEMA` twice, `DOCUMENT_SCHEMA` once."""

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
    """Gather one pool's samples, in rank order, and the documents that they name."""
    chosen = np.flatnonzero(pool.verdict <= VALIDATION)
    chosen = chosen[np.argsort(pool.rank[chosen], kind="stable")]
    own = _rows(store, pool, chosen)
    mined = pa.concat_tables(
        store.read_table(f"negatives/{s.path}.negatives.arrow", ["negatives"]) for s in pool.shards
    )
    taken = inherit(store, pool, own, chosen, license_of)
    query_cluster = _clusters(store, pool)
    foreign = offered.pool.name if manifest.family == "retrieval" else None
    queries, positive_text = one_array(own["query"]), one_array(own["positive"])
    others = taken.positives
    exact = _query_hashes(store, pool)[chosen]
    asked = Asked(pool, foreign, query_cluster, chosen, exact, (others.offsets, others.cluster))
    given = admitted(store, asked, taken.negatives)
    mined_lists = mined["negatives"].take(chosen).combine_chunks()
    mined_starts = list_starts(mined_lists)
    needed, mined_places = np.unique(mined_lists.flatten().to_numpy(), return_inverse=True)
    found = [positive_text, offered.texts(needed), given.text, others.text]
    texts = pa.concat_arrays(found).dictionary_encode()
    codes = texts.indices.to_numpy().astype(np.int64)
    positive, needed_codes, given_codes, other_codes = np.split(codes, np.cumsum([len(part) for part in found[:3]]))
    cluster = np.empty(len(texts.dictionary), np.int64)
    cluster[given_codes] = given.cluster
    cluster[other_codes] = others.cluster
    cluster[needed_codes] = offered.clusters(needed)
    cluster[positive[::-1]] = pool.document_cluster[chosen[::-1]]
    negatives, starts = _merge(
        given.offsets,
        given_codes,
        mined_starts,
        needed_codes[mined_places],
        positive,
        others.offsets,
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
            pa.array([i.hex() for i in own["row_id"].to_pylist()], pa.string()),
            own["source"],
            own["subset"],
            taken.provenance,
            taken.license,
            [manifest.family] * n,
            [manifest.task] * n,
            *_languages(store, pool, own, chosen),
            _strings(queries),
            _instructed(taken.queries, manifest, recipe),
            _strings(documents.take(pa.array(positive))),
            pa.array(query_cluster[chosen]),
            pa.array(positive + first_id),
            pa.ListArray.from_arrays(pa.array(others.offsets.astype(np.int32)), pa.array(other_codes + first_id)),
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
            *_places(pool, offered, needed, needed_codes, positive, d),
        ],
        schema=DOCUMENT_SCHEMA,
    )
    train = pa.array(pool.verdict[chosen] == TRAIN)
    return Assembled(samples.filter(train), samples.filter(pc.invert(train)), document_table)


def _rows(store: Store, pool: PoolState, chosen: I64) -> pa.Table:
    """Return rows in the order asked for; texts as large_string, since those of a pool may pass 2 GiB."""
    ordered = np.sort(chosen)
    table = pool.read(store, "rows", ordered, _ROWS.names).cast(_ROWS)
    return table.take(pa.array(np.searchsorted(ordered, chosen)))


def _strings(texts: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """Return large_string as string, in pieces that can be: copied, since a slice has the offsets of the whole."""
    whole = one_array(texts)
    pieces = [pa.concat_arrays([whole.slice(i, PIECE)]).cast(pa.string()) for i in range(0, len(whole), PIECE)]
    return pa.chunked_array(pieces, pa.string())


def _places(
    pool: PoolState, offered: PoolDocuments, needed: I64, needed_codes: I64, positive: I64, size: int
) -> Iterator[pa.Array]:
    """Yield source and subset of every document; a negative may be from another source that shares the pool."""
    for own, others in zip((pool.source, pool.subset), offered.places(needed), strict=True):
        names = np.full(size, own, object)
        names[needed_codes] = others
        names[positive] = own
        yield pa.array(names, pa.string())


def _instructed(lists: pa.LargeListArray, manifest: Manifest, recipe: Recipe) -> pa.ChunkedArray:
    """Return the other wordings of n queries as list<string>, with the instruction where the recipe wants it."""
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


def _languages(store: Store, pool: PoolState, own: pa.Table, chosen: I64) -> list[pa.ChunkedArray]:
    """Return the two language columns: declared, or final where the source's verdicts count."""
    if pool.judged:
        names = ["query_lang_final", "positive_lang_final"]
        parts = [store.read_table(f"verdicts/{s.path}.verdicts.arrow", names) for s in pool.shards]
        return [_code(column) for column in pa.concat_tables(parts).take(chosen).columns]
    return [_code(own["query_lang"]), _code(own["positive_lang"])]


def _code(tags: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cut `eng-Latn` and `python-Code` to their language."""
    return pc.replace_substring_regex(tags, "-[A-Z][a-z]{3}$", "")


_NOTHING = pa.scalar("", pa.large_string())


def _instruction(manifest: Manifest) -> pa.Scalar:
    return pa.scalar(instructed(manifest), pa.large_string())


def _instruct_some(texts: pa.Array, manifest: Manifest, recipe: Recipe, seed: int) -> pa.Array:
    """Put the instruction before a share of the documents; which ones depends on seed and text alone."""
    if not (recipe.instructions and recipe.instructed_documents and symmetric(manifest)):
        return texts
    draw = mix_all(tokenize(texts).exact ^ np.uint64(seed)) >> np.uint64(11)
    some = pa.array(draw.astype(np.float64) / 2**53 < recipe.instructed_documents)
    return pc.if_else(some, pc.binary_join_element_wise(_instruction(manifest), texts, _NOTHING), texts)


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
    keep: int,
) -> tuple[I64, I64]:
    """Join given and mined negatives: given first, none near any positive, none twice, at most `keep`."""
    n = len(positive)
    result = np.empty(len(given) + len(mined), np.int64)
    starts = np.zeros(n + 1, np.int64)
    used = 0
    for row in range(n):
        begin = used
        for part in range(2):
            codes = given if part == 0 else mined
            bounds = given_starts if part == 0 else mined_starts
            for i in range(bounds[row], bounds[row + 1]):
                code = codes[i]
                fresh = cluster[code] != cluster[positive[row]] and used - begin < keep
                for j in range(other_starts[row], other_starts[row + 1]):
                    fresh = fresh and cluster[code] != cluster[other[j]]
                for j in range(begin, used):
                    fresh = fresh and result[j] != code
                if fresh:
                    result[used] = code
                    used += 1
        starts[row + 1] = used
    return result[:used].copy(), starts
