"""Masks: documents that must never become negatives of a query, whatever their score.

Masks apply during retrieval, before any score threshold. They cover more than the linked positives: near-duplicates of
a positive share its document cluster. Queries that are near-duplicates of each other share a query cluster, and the
positives of one of them count as positives of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from open_ml_embed.core.array_types import I32, I64, U64, Mask
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.ragged import offsets_of

MASKS = (
    "",
    "language",
    "contaminated",
    "own-positive",
    "near-positive",
    "near-query-positive",
    "own-text",
    "same-label",
)
"""Names of the masks by code; code 0 means not masked. If several masks apply, the first one counts."""

LanguagePolicy = Literal["same", "any", "cross", "both"]
_POLICIES: dict[LanguagePolicy, int] = {"any": 0, "same": 1, "cross": 2, "both": 3}


class Ragged(NamedTuple):
    """n lists of numbers: list i is `values[offsets[i]:offsets[i + 1]]`.

    Attributes:
        offsets: int64[n + 1].
        values: int32[total].

    """

    offsets: I64
    values: I32

    @classmethod
    def of(cls, lists: list[list[int]]) -> Ragged:
        """Build from Python lists."""
        offsets = offsets_of([len(one) for one in lists])
        return cls(offsets, np.array([value for one in lists for value in one], np.int32))

    @classmethod
    def empty(cls, n: int) -> Ragged:
        """Return n empty lists."""
        return cls(np.zeros(n + 1, np.int64), np.zeros(0, np.int32))

    def counts(self, rows: I64) -> I64:
        """Return the lengths of the lists with these numbers, int64[len(rows)]."""
        return self.offsets[rows + 1] - self.offsets[rows]

    def take(self, rows: I64) -> Ragged:
        """Return the lists with these numbers."""
        counts = self.counts(rows)
        offsets = offsets_of(counts)
        return Ragged(
            offsets, self.values[np.repeat(self.offsets[rows] - offsets[:-1], counts) + np.arange(offsets[-1])]
        )


class Masks(NamedTuple):
    """All masks of n queries over m documents, in the form that `masked_by` reads. An empty array switches a mask off.

    Attributes:
        positives: document numbers of each query's positives.
        document_cluster: int64[m], equal for documents that are near-duplicates of each other.
        group: int64[n], dense from 0, equal for queries that are near-duplicates of each other.
        forbidden_offsets, forbidden: int64[groups + 1] and int64, document clusters of all positives of each group,
            sorted.
        query_text, document_text: uint64[n], uint64[m] hashes; a document with the same text as the query is masked.
        query_language, document_language: int32[n], int32[m]; `language` states how they must compare.
        language: 0: any; 1: the same; 2: different; 3: the same, or that of the query.
        own_language: int32[n], the language of each query itself, for 3.
        query_label, document_label: int64[n], int64[m]; documents with the query's label are masked. Negative numbers
            are no label.
        contaminated: bool[m], documents that are masked for all queries.

    """

    positives: Ragged
    document_cluster: I64
    group: I64
    forbidden_offsets: I64
    forbidden: I64
    query_text: U64
    document_text: U64
    query_language: I32
    document_language: I32
    language: int
    own_language: I32
    query_label: I64
    document_label: I64
    contaminated: Mask


def build_masks(
    positives: Ragged,
    document_cluster: I64,
    *,
    query_cluster: I64 | None = None,
    elsewhere: tuple[I64, I64] | None = None,
    texts: tuple[U64, U64] | None = None,
    languages: tuple[I32, I32] | None = None,
    language: LanguagePolicy = "any",
    own_language: I32 | None = None,
    labels: tuple[I64, I64] | None = None,
    contaminated: Mask | None = None,
) -> Masks:
    """Build the masks of n queries over m documents.

    Args:
        positives: document numbers for each query; a list may be empty.
        document_cluster: int64[m], any numbers, equal for near-duplicates.
        query_cluster: int64[n], any numbers, equal for near-duplicates; null: all queries are different.
        elsewhere: int64[p] query clusters, and int64[p] clusters of documents that answer them but are not linked in
            this pool.
        texts: hashes of the texts of queries and documents, uint64[n] and uint64[m].
        languages: int32[n], the language that the negatives of each query are compared with, and int32[m], the
            language of each document.
        language: how the two must compare.
        own_language: int32[n], the language of each query itself, for `both`; null: the same as its negatives'.
        labels: int64[n] and int64[m]; negative numbers are no label.
        contaminated: bool[m], documents that are also in an evaluation set.

    """
    n = len(positives.offsets) - 1
    numbers, group = np.unique(np.arange(n) if query_cluster is None else query_cluster, return_inverse=True)
    other_query_clusters, other_document_clusters = elsewhere or (np.zeros(0, np.int64),) * 2
    in_pool = np.isin(other_query_clusters, numbers)
    pair_group = np.concatenate(
        [np.repeat(group, np.diff(positives.offsets)), np.searchsorted(numbers, other_query_clusters[in_pool])]
    )
    pair_cluster = np.concatenate([document_cluster[positives.values], other_document_clusters[in_pool]])
    order = np.lexsort((pair_cluster, pair_group))
    pair_group, pair_cluster = pair_group[order], pair_cluster[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (pair_group[1:] != pair_group[:-1]) | (pair_cluster[1:] != pair_cluster[:-1])
    counts = np.bincount(pair_group[is_new], minlength=int(group.max()) + 1 if n else 0)
    no_text, no_number = (np.zeros(0, np.uint64),) * 2, (np.zeros(0, np.int64),) * 2
    query_text, document_text = texts or no_text
    query_language, document_language = languages if languages and language != "any" else (np.zeros(0, np.int32),) * 2
    query_label, document_label = labels or no_number
    return Masks(
        positives=Ragged(positives.offsets.astype(np.int64), positives.values.astype(np.int32)),
        document_cluster=document_cluster.astype(np.int64),
        group=group.astype(np.int64),
        forbidden_offsets=offsets_of(counts),
        forbidden=pair_cluster[is_new].astype(np.int64),
        query_text=query_text,
        document_text=document_text,
        query_language=query_language.astype(np.int32),
        document_language=document_language.astype(np.int32),
        language=_POLICIES[language] if len(document_language) else 0,
        own_language=(query_language if own_language is None else own_language).astype(np.int32),
        query_label=query_label,
        document_label=document_label,
        contaminated=np.zeros(0, bool) if contaminated is None else contaminated,
    )


def no_masks(queries: int) -> Masks:
    """Return masks that mask nothing."""
    return build_masks(Ragged.empty(queries), np.zeros(0, np.int64))


def by_language(masks: Masks, rows: I64 | None) -> Iterator[tuple[int, I64, I32]]:
    """Yield (language, queries, documents to search).

    One group for each language if negatives must have the same language as the positive, otherwise one group in all.

    Args:
        masks: of all queries over all documents.
        rows: int64, the queries to search for; null: all.

    """
    rows = np.arange(len(masks.group)) if rows is None else rows
    if masks.language != 1:
        yield 0, rows, np.arange(len(masks.document_cluster), dtype=np.int32)
        return
    language_of_row = masks.query_language[rows]
    for language in np.unique(language_of_row).tolist():
        documents = np.flatnonzero(masks.document_language == language).astype(np.int32)
        yield language, rows[language_of_row == language], documents


@njit(nogil=True)
def masked_by(masks: Masks, query: int, document: int) -> int:  # noqa: PLR0911 (a return a reason)
    """Return the code of the first mask that applies to a query and a document, an index into `MASKS`; 0: none."""
    if masks.language != 0:
        same = masks.query_language[query] == masks.document_language[document]
        if masks.language == 3:
            same = same or masks.own_language[query] == masks.document_language[document]
        if same == (masks.language == 2):
            return 1
    if len(masks.contaminated) and masks.contaminated[document]:
        return 2
    first, last = masks.positives.offsets[query], masks.positives.offsets[query + 1]
    for i in range(first, last):
        if masks.positives.values[i] == document:
            return 3
    group = masks.group[query]
    low, high = masks.forbidden_offsets[group], masks.forbidden_offsets[group + 1]
    if low < high and _among(masks.document_cluster[document], masks.forbidden, low, high):
        for i in range(first, last):
            if masks.document_cluster[masks.positives.values[i]] == masks.document_cluster[document]:
                return 4
        return 5
    if len(masks.query_text) and masks.query_text[query] == masks.document_text[document]:
        return 6
    if len(masks.query_label) and masks.query_label[query] >= 0:
        return 7 if masks.query_label[query] == masks.document_label[document] else 0
    return 0


@njit(nogil=True)
def _among(value: int, values: I64, first: int, last: int) -> bool:
    """Binary search: tell whether a sorted array holds a value between two positions."""
    while first < last:
        middle = (first + last) // 2
        if values[middle] == value:
            return True
        if values[middle] < value:
            first = middle + 1
        else:
            last = middle
    return False
