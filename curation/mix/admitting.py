"""Which negatives of its duplicates a sample may take over: its own the miner has looked at, these nobody yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numba as nb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.dedup.api import cluster
from curation.mining.answers import ANSWER_SCHEMA, answer_texts, answers_of
from curation.mining.masks import Ragged, build_masks, masked_by
from curation.mix.select import PoolState
from curation.settings import DedupSettings
from curation.store import Store
from curation.text.arrays import list_starts, one_array
from curation.text.tokens import I64, tokenise

LARGE = pa.large_string()


class Asked(NamedTuple):
    """Samples of a pool, and what is known to answer them.

    Attributes:
        pool: their source and subset.
        mined: name of the miner's pool; null where no other pool can hold answers.
        query_cluster: int64, of all rows of `pool`.
        chosen: int64[n], which of them are the samples.
        query: texts of the samples.
        others: large_list<large_string>[n], positives of their duplicates.

    """

    pool: PoolState
    mined: str | None
    query_cluster: I64
    chosen: I64
    query: pa.Array
    others: pa.Array


def admitted(store: Store, asked: Asked, offered: pa.Array, settings: DedupSettings) -> tuple[Ragged, pa.Array, I64]:
    """Look at negatives that were given to the duplicates of n samples.

    Args:
        store: of the build.
        asked: the samples.
        offered: large_list<large_string>[n].
        settings: what a near-duplicate is.

    Returns:
        Which texts each sample may have (numbers of the array that follows), distinct texts (large_string), and their
        clusters, int64: of a document that a text resembles, or of its own. Left out are a sample's own query and
        whatever resembles an answer to it or to a near-duplicate of it, in this pool or another.

    """
    texts = offered.flatten().dictionary_encode()
    lists = Ragged(list_starts(offered), texts.indices.to_numpy().astype(np.int32))
    if not len(texts):
        return lists, texts.dictionary, np.zeros(0, np.int64)
    rows = np.flatnonzero(np.diff(lists.offsets))
    answers = list(_answers(store, asked, rows))
    asking = np.concatenate([answer.query_cluster for answer in answers])
    m = len(texts.dictionary)
    alike = cluster(pa.concat_arrays([texts.dictionary, *(answer.texts for answer in answers)]), settings)
    group = alike["component"].to_numpy()
    exact = tokenise(texts.dictionary).exact
    masks = build_masks(
        Ragged.empty(len(asked.chosen)), group[:m], query_cluster=asked.query_cluster[asked.chosen],
        elsewhere=(asking, group[m:]), texts=(tokenise(asked.query).exact, exact),
    )  # fmt: skip
    kept = np.zeros(len(lists.values), bool)
    _admit(masks, rows, lists.offsets, lists.values, kept)
    before = np.concatenate([[0], np.cumsum(kept)])
    used, numbers = np.unique(lists.values[kept], return_inverse=True)
    taken = Ragged(before[lists.offsets], numbers.astype(np.int32))
    clusters = _named(group, m, exact, np.concatenate([answer.cluster for answer in answers]))
    return taken, texts.dictionary.take(pa.array(used)), clusters[used]


class _Answers(NamedTuple):
    """Texts that answer queries of some clusters; their own document clusters, -1 where nobody knows."""

    query_cluster: I64
    texts: pa.Array
    cluster: I64


def _answers(store: Store, asked: Asked, rows: I64) -> Iterator[_Answers]:
    """Yield what answers some of the samples: their own positives, other rows of the pool, rows of other pools."""
    of_sample = asked.query_cluster[asked.chosen[rows]]
    clusters = np.unique(of_sample)
    here = np.flatnonzero(np.isin(asked.query_cluster, clusters))
    texts = asked.pool.read(store, "rows", here, ["positive"])["positive"].cast(LARGE)
    yield _Answers(asked.query_cluster[here], one_array(texts), asked.pool.document_cluster[here])
    others = asked.others.take(pa.array(rows))
    asking = np.repeat(of_sample, np.diff(list_starts(others)))
    yield _Answers(asking, others.flatten(), np.full(len(asking), -1))
    found = answers_of(store, asked.mined) if asked.mined else ANSWER_SCHEMA.empty_table()
    found = found.filter(pa.array(np.isin(found["query_cluster"].to_numpy(), clusters)))
    elsewhere = pa.concat_arrays([pa.array([], LARGE), *answer_texts(store, found)])
    yield _Answers(found["query_cluster"].to_numpy(), elsewhere, found["document_cluster"].to_numpy())


def _named(group: I64, m: int, exact: npt.NDArray[np.uint64], known: I64) -> I64:
    """Return a cluster for each of the first m texts: of an answer that it resembles, or of its own."""
    own = (exact >> np.uint64(1)).astype(np.int64)
    order = np.argsort(group[m:], kind="stable")
    order = order[known[order] >= 0]
    groups = group[m:][order]
    place = np.minimum(np.searchsorted(groups, group[:m]), max(len(groups) - 1, 0))
    if not len(groups):
        return own
    return np.where(groups[place] == group[:m], known[order][place], own)


@nb.njit(cache=True)
def _admit(masks, rows, offsets, values, kept):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    for row in rows:
        for i in range(offsets[row], offsets[row + 1]):
            kept[i] = masked_by(masks, row, values[i]) == 0
