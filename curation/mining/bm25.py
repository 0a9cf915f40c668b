"""Exact BM25 over hashed tokens, one pool at a time (Robertson and Zaragoza 2009; the idf of Lucene).

Scores are accumulated in a fixed order, so the result is one and the same on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
import numpy.typing as npt

from curation.mining.heaps import F32, I32
from curation.text.tokens import I64, U64, Tokens


@dataclass(frozen=True)
class Index:
    """Postings of n documents over v terms.

    Attributes:
        terms: uint64[v], sorted token hashes.
        starts: int64[v + 1], where each term's postings begin.
        documents: int32, document numbers, ascending within a term.
        impacts: float32, what the term adds to that document's score.
        size: n.

    """

    terms: U64
    starts: I64
    documents: I32
    impacts: F32
    size: int


def build_index(tokens: Tokens, *, k1: float, b: float) -> Index:
    """Index documents.

    Args:
        tokens: of n documents, from `tokenise(…, for_search=True)`.
        k1: term-frequency saturation.
        b: length normalisation, 0 to 1.

    """
    n = len(tokens)
    lengths = np.diff(tokens.offsets)
    terms, term_of = np.unique(tokens.hashes, return_inverse=True)
    document_of = np.repeat(np.arange(n), lengths)
    cells, frequency = np.unique(term_of.astype(np.int64) * max(n, 1) + document_of, return_counts=True)
    term, document = cells // max(n, 1), cells % max(n, 1)
    holding = np.bincount(term, minlength=len(terms))
    idf = np.log1p((n - holding + 0.5) / (holding + 0.5))
    norm = k1 * (1 - b + b * lengths / max(lengths.mean(), 1e-9)) if n else np.zeros(0)
    impacts = idf[term] * frequency * (k1 + 1) / (frequency + norm[document])
    starts = np.concatenate([[0], np.cumsum(holding)])
    return Index(terms, starts, document.astype(np.int32), impacts.astype(np.float32), n)


def query_terms(index: Index, tokens: Tokens) -> tuple[I64, I64]:
    """Return the index's term numbers of each query, each once and ascending, and offsets."""
    place = np.searchsorted(index.terms, tokens.hashes)
    known = np.zeros(len(place), bool)
    inside = place < len(index.terms)
    known[inside] = index.terms[place[inside]] == tokens.hashes[inside]
    query_of = np.repeat(np.arange(len(tokens)), np.diff(tokens.offsets))
    cells = np.unique(query_of[known] * np.int64(len(index.terms) + 1) + place[known])
    counts = np.bincount(cells // (len(index.terms) + 1), minlength=len(tokens))
    return cells % (len(index.terms) + 1), np.concatenate([[0], np.cumsum(counts)])


def take_tokens(tokens: Tokens, texts: npt.NDArray[np.integer[Any]]) -> Tokens:
    """Return the tokens of some texts, in the order given."""
    lengths = np.diff(tokens.offsets)[texts]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    position = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    return Tokens(tokens.hashes[np.repeat(tokens.offsets[texts], lengths) + position], offsets, tokens.exact[texts])


@nb.njit(cache=True, nogil=True)
def score_one(terms, starts, documents, impacts, scores, touched):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Add up one query's scores into `scores` (float32[n], zero before); return how many documents were touched."""
    used = 0
    for term in terms:
        for i in range(starts[term], starts[term + 1]):
            document = documents[i]
            if scores[document] == 0.0:
                touched[used] = document
                used += 1
            scores[document] += impacts[i]
    return used
