"""The table of lengths in tokens of a chosen tokenizer, of a draw of rows of each source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curation.report.inputs import Inputs
from curation.report.rows_at import read_rows
from curation.report.shard_statistics import SourceSurvey
from curation.report.tables.form import Column, Form, ReportTable
from open_ml_embed.core.tokenizer_file import load_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SIDES = ("query", "positive")
TOKENS = Form(
    "token_lengths",
    "normalize",
    "Lengths of texts in tokens of `report.tokenizer`, without special tokens: a row for each source and side. Counted "
    "are the rows of each source with the lowest ids, `report.token_rows` at most. Empty without a tokenizer.",
    ("source", "side"),
    (
        Column("source", "name", "Name of the source."),
        Column("side", "name", "query or positive."),
        Column("texts", "count", "Texts that were tokenized."),
        Column("tokens", "count", "Their tokens."),
        Column("mean", "number", "Mean number of tokens."),
        Column("median", "number", "Median number of tokens."),
        Column("at_95_percent", "number", "95 % of the texts have at most so many tokens, interpolated."),
        Column("longest", "count", "Tokens of the longest text."),
        Column("characters_per_token", "number", "Characters of all texts per token; null without a token."),
    ),
)
FORMS = (TOKENS,)


def drawn_rows(inputs: Inputs) -> int:
    """Return how many rows of each source are tokenized."""
    settings = inputs.build.profile.report
    return settings.token_rows if settings.tokenizer else 0


def fill(inputs: Inputs, surveys: Mapping[str, SourceSurvey]) -> Iterator[ReportTable]:
    """Fill the table; it is empty if the profile names no tokenizer.

    Raises:
        SettingsError: there is no such tokenizer, or the file holds none.
        MissingPackageError: the package `tokenizers` is not installed.

    """
    named = inputs.build.profile.report.tokenizer
    yield TOKENS.fill(_lengths(inputs, surveys, _load(inputs.build.root, named)) if named else [])


def _load(root: Path, named: str) -> Tokenizer:
    return load_tokenizer(root / named, what="lengths in tokens", where=f"report.tokenizer: {named}")


def _lengths(inputs: Inputs, surveys: Mapping[str, SourceSurvey], tokenizer: Tokenizer) -> Iterator[tuple[object, ...]]:
    for source, survey in surveys.items():
        places = survey.drawn[: drawn_rows(inputs)]
        rows = read_rows(inputs.build.store, places, columns=["query", "positive"])
        for side in SIDES:
            texts = [row[side] for row in rows]
            encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
            lengths = np.array([len(encoding.ids) for encoding in encoded], np.int64)
            tokens = int(lengths.sum())
            if not len(lengths):
                continue
            median, high = (round(float(value), 1) for value in np.quantile(lengths, [0.5, 0.95]))
            characters = sum(map(len, texts))
            yield (
                source,
                side,
                len(texts),
                tokens,
                round(tokens / len(texts), 1),
                median,
                high,
                int(lengths.max()),
                round(characters / tokens, 2) if tokens else None,
            )
