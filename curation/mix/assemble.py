"""One pool's selected rows to samples and documents: texts once, negatives as document numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.mining.grouping import PoolDocuments
from curation.mix.inherit import inherit
from curation.mix.recipe import Recipe, instructed, symmetric
from curation.mix.select import TRAIN, VALIDATION, PoolState
from curation.store import Store
from curation.text.tokens import I64, mix_all, tokenise
from sources.manifest import Manifest

SAMPLE_SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("subset", pa.string(), nullable=False),
        pa.field("provenance", pa.list_(pa.string()), nullable=False),
        pa.field("licence", pa.string(), nullable=False),
        pa.field("family", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        pa.field("positive_language", pa.string(), nullable=False),
        pa.field("query", pa.string(), nullable=False),
        pa.field("positive", pa.string(), nullable=False),
        pa.field("query_cluster", pa.int64(), nullable=False),
        pa.field("positive_id", pa.int64(), nullable=False),
        pa.field("other_positive_ids", pa.list_(pa.int64()), nullable=False),
        pa.field("negative_ids", pa.list_(pa.int64()), nullable=False),
    ]
)
"""A mix's samples. Languages are ISO 639-3, or a programming language's name. `positive_id`, `other_positive_ids` and
`negative_ids` are document numbers; hard negatives given by a source come before mined ones. `provenance` names every
source and subset that the sample was found in, its own first; the other positives are those of its near-duplicates;
`licence` is the strictest of those sources."""

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


@dataclass(frozen=True)
class Assembled:
    """Tables of one pool: `SAMPLE_SCHEMA` twice, `DOCUMENT_SCHEMA` once."""

    train: pa.Table
    validation: pa.Table
    documents: pa.Table


def assemble(
    store: Store, pool: PoolState, offered: PoolDocuments, manifest: Manifest, recipe: Recipe, *, first_id: int,
    keep: int, seed: int,
) -> Assembled:  # fmt: skip
    """Gather one pool's samples, in rank order, and the documents that they name."""
    chosen = np.flatnonzero(pool.verdict <= VALIDATION)
    chosen = chosen[np.argsort(pool.rank[chosen], kind="stable")]
    rows = pa.concat_tables(store.read_table(f"rows/{s.path}.rows.arrow") for s in pool.shards)
    mined = pa.concat_tables(
        store.read_table(f"negatives/{s.path}.negatives.arrow", ["negatives"]) for s in pool.shards
    )
    own = rows.take(chosen)
    taken = inherit(store, pool, own, chosen)
    mined_lists = mined["negatives"].take(chosen).combine_chunks()
    given_starts, mined_starts = _starts(taken.negatives), _starts(mined["negatives"].take(chosen))
    needed, mined_places = np.unique(mined_lists.flatten().to_numpy(), return_inverse=True)
    given_texts, other_texts = taken.negatives.flatten(), taken.positives.flatten()
    found = [_one(own["positive"]), offered.texts(needed).cast(pa.string()), given_texts, other_texts]
    texts = pa.concat_arrays(found).dictionary_encode()
    codes = texts.indices.to_numpy().astype(np.int64)
    positive, needed_codes, given_codes, other_codes = np.split(codes, np.cumsum([len(part) for part in found[:3]]))
    other_starts = _starts(taken.positives)
    cluster = np.empty(len(texts.dictionary), np.int64)
    if len(given_codes):
        cluster[given_codes] = (tokenise(given_texts).exact >> np.uint64(1)).astype(np.int64)
    cluster[other_codes] = np.repeat(pool.document_cluster[chosen], np.diff(other_starts))
    cluster[needed_codes] = offered.clusters(needed)
    cluster[positive[::-1]] = pool.document_cluster[chosen[::-1]]
    mined_codes = needed_codes[mined_places]
    negatives, starts = _merge(
        given_starts, given_codes, mined_starts, mined_codes, positive, other_starts, other_codes, cluster, keep
    )
    documents = _instruct_some(texts.dictionary, manifest, recipe, seed)
    queries = own["query"]
    if recipe.instructions:
        queries = pc.binary_join_element_wise(instructed(manifest), queries, "")
    n = len(chosen)
    samples = pa.table(
        [
            pa.array([i.hex() for i in own["row_id"].to_pylist()], pa.string()),
            own["source"], own["subset"], taken.provenance, taken.licence, [manifest.family] * n, [manifest.task] * n,
            *_languages(store, pool, own, chosen), queries, documents.take(pa.array(positive)),
            pa.array(_clusters(store, pool)[chosen]), pa.array(positive + first_id),
            pa.ListArray.from_arrays(pa.array(other_starts.astype(np.int32)), pa.array(other_codes + first_id)),
            pa.ListArray.from_arrays(pa.array(starts.astype(np.int32)), pa.array(negatives + first_id)),
        ],
        schema=SAMPLE_SCHEMA,
    )  # fmt: skip
    d = len(documents)
    document_table = pa.table(
        [
            pa.array(np.arange(d) + first_id),
            documents,
            pa.array(cluster),
            *_places(pool, offered, needed, needed_codes, positive, d),
        ],
        schema=DOCUMENT_SCHEMA,
    )
    train = pa.array(pool.verdict[chosen] == TRAIN)
    return Assembled(samples.filter(train), samples.filter(pc.invert(train)), document_table)


def _places(
    pool: PoolState, offered: PoolDocuments, needed: I64, needed_codes: I64, positive: I64, size: int
) -> Iterator[pa.Array]:
    """Yield source and subset of every document; a negative may be from another source that shares the pool."""
    for own, others in zip((pool.source, pool.subset), offered.places(needed), strict=True):
        names = np.full(size, own, object)
        names[needed_codes] = others
        names[positive] = own
        yield pa.array(names, pa.string())


def _clusters(store: Store, pool: PoolState) -> np.ndarray[Any, Any]:
    parts = [store.read_table(f"clusters/{s.path}.clusters.arrow", ["query_cluster"]) for s in pool.shards]
    return np.asarray(pa.concat_tables(parts)["query_cluster"].to_numpy())


def _languages(store: Store, pool: PoolState, own: pa.Table, chosen: np.ndarray[Any, Any]) -> list[Any]:
    """Return the two language columns: declared, or final where the source's verdicts count."""
    if pool.judged:
        names = ["query_lang_final", "positive_lang_final"]
        parts = [store.read_table(f"verdicts/{s.path}.verdicts.arrow", names) for s in pool.shards]
        return [_code(column) for column in pa.concat_tables(parts).take(chosen).columns]
    return [_code(own["query_lang"]), _code(own["positive_lang"])]


def _one(column: Any) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _starts(lists: Any) -> np.ndarray[Any, Any]:
    return np.concatenate([[0], np.cumsum(pc.list_value_length(lists).to_numpy())]).astype(np.int64)


def _code(tags: Any) -> Any:
    """Cut `eng-Latn` and `python-Code` to their language."""
    return pc.replace_substring_regex(tags, "-[A-Z][a-z]{3}$", "")


def _instruct_some(texts: pa.Array, manifest: Manifest, recipe: Recipe, seed: int) -> pa.Array:
    """Put the instruction before a share of the documents; which ones depends on seed and text alone."""
    if not (recipe.instructions and recipe.instructed_documents and symmetric(manifest)):
        return texts
    draw = mix_all(tokenise(texts).exact ^ np.uint64(seed)) >> np.uint64(11)
    some = pa.array(draw.astype(np.float64) / 2**53 < recipe.instructed_documents)
    return pc.if_else(some, pc.binary_join_element_wise(instructed(manifest), texts, ""), texts)


@nb.njit(cache=True)
def _merge(  # type: ignore[no-untyped-def]  # noqa: ANN202
    given_starts, given, mined_starts, mined, positive, other_starts, other, cluster, keep,  # noqa: ANN001
):  # fmt: skip
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
