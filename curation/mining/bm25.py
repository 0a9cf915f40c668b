"""BM25 over hashed tokens: an inverted index whose postings are cut into ranges of documents, and its scores.

Robertson and Zaragoza 2009; the idf of Lucene. A score is a float32 sum in a fixed order, rarest term first, so it is
the same on every machine. `curation.mining.bm25_build` builds an index, `curation.mining.bm25_search` searches it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from open_ml_embed.core.array_types import F32, I32, I64, U16, U64, Integers
from open_ml_embed.core.compiled import njit
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.text.tokens import Tokens

RANGE = 4096
"""Documents of a range: their scores fit into the first-level cache, and a number in a range fits into uint16."""


ROW = RANGE // 8
"""A block with at least so many postings is a row: it holds an impact for every document of its range. Adding a row
takes less time than adding so many postings one by one."""


class Index(NamedTuple):
    """Postings of n documents over v terms. The postings of a term in a range of documents are a block.

    A block is a list of postings, or a row of `RANGE` impacts if it has many postings.

    Attributes:
        terms: uint64[v], sorted token hashes.
        holding: int32[v], how many documents have the term.
        starts: int64[ranges + 1], offset of each range's blocks. Document d is in range d // `RANGE`.
        block_terms: int32[blocks], the term of each block, ascending within a range.
        block_starts: int64[blocks + 1], offset of each block's postings; rows have none.
        block_rows: int32[blocks], the number of each block's row; -1 for lists.
        peaks: float32[blocks], the largest impact of each block.
        documents: uint16[postings], document numbers modulo `RANGE`, ascending within a block.
        impacts: float32[postings], what the term adds to the score of that document; above 0.
        rows: float32[rows, RANGE], what the term adds to the score of each document of the range; 0 without the term.

    """

    terms: U64
    holding: I32
    starts: I64
    block_terms: I32
    block_starts: I64
    block_rows: I32
    peaks: F32
    documents: U16
    impacts: F32
    rows: F32


def query_terms(index: Index, tokens: Tokens) -> tuple[I64, I64]:
    """Look the tokens of n queries up in the index.

    Returns:
        int64 term numbers of all queries, each once per query, rarest term first; and int64[n + 1] offsets of the
        queries. Tokens that no document has are left out.

    """
    position = np.searchsorted(index.terms, tokens.hashes)
    in_index = np.zeros(len(position), bool)
    inside = position < len(index.terms)
    in_index[inside] = index.terms[position[inside]] == tokens.hashes[inside]
    query_of = np.repeat(np.arange(len(tokens)), np.diff(tokens.offsets))
    row_size = np.int64(len(index.terms) + 1)
    cells = np.unique(query_of[in_index] * row_size + position[in_index])
    query, term = cells // row_size, cells % row_size
    counts = np.bincount(query, minlength=len(tokens))
    order = np.lexsort((term, index.holding[term], query))
    return term[order], offsets_of(counts)


def take_tokens(tokens: Tokens, texts: Integers) -> Tokens:
    """Return the tokens of the texts with these numbers, in this order."""
    lengths = np.diff(tokens.offsets)[texts]
    offsets = offsets_of(lengths)
    position = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    return Tokens(tokens.hashes[np.repeat(tokens.offsets[texts], lengths) + position], offsets, tokens.exact[texts])


@njit(nogil=True)
def score_of(terms: I64, index: Index, document: int) -> np.float32:
    """Return the score of one document, float32, summed in the same order as by `bm25_search.search`.

    Args:
        terms: int64, the query's terms, from `query_terms`.
        index: postings of n documents.
        document: 0 … n - 1.

    """
    score = np.float32(0.0)
    first, last = index.starts[document // RANGE], index.starts[document // RANGE + 1]
    for term in terms:
        block = first + np.searchsorted(index.block_terms[first:last], np.int32(term))
        if block < last and index.block_terms[block] == term:
            row = index.block_rows[block]
            if row >= 0:
                score += index.rows[row, document % RANGE]
            else:
                start, stop = index.block_starts[block], index.block_starts[block + 1]
                score += impact_in(index.documents, index.impacts, start, stop, np.uint16(document % RANGE))
    return score


@njit(nogil=True)
def impact_in(documents: U16, impacts: F32, first: int, last: int, inside: np.uint16) -> np.float32:
    """Return the impact of document `inside` (modulo `RANGE`) in the block of postings first … last - 1; 0: none."""
    low, high = first, last
    while low < high:
        middle = (low + high) >> 1
        if documents[middle] < inside:
            low = middle + 1
        else:
            high = middle
    return impacts[low] if low < last and documents[low] == inside else np.float32(0.0)
