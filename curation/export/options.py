"""What is exported of a mix, and how: the options of `curate export`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from open_ml_embed.core.errors import SettingsError, UnknownNameError

Split = Literal["train", "validation"]
Shortage = Literal["drop", "repeat"]
Terms = Literal["commercial", "redistribution"]
Kind = Literal["parquet", "jsonl", "jsonl.zst"]


@dataclass(frozen=True)
class Options:
    """What to take of a mix, and how to write it.

    Attributes:
        split: whose samples; null: the format's own, which is `train`, and `validation` of `beir`.
        languages: only samples with one of these on either side; empty: all.
        sources: only samples of these sources; empty: all.
        license: only samples every source of which allows this.
        limit: at most so many samples, drawn by `seed`.
        temperature: with `limit`, a source's share of it is its rows to the power of 1 / `temperature`: 1 draws from
            all samples alike, a larger number takes more of small sources. Null: 1, if there are `weights`.
        weights: source → a factor of its share; 1 for the others, and 0 leaves a source out.
        negatives: at most so many negatives a row, the first ones; where a format wants the same number in all rows, so
            many. Null: the format's own number, or all there are.
        shortage: what becomes of a row with fewer negatives than the format needs: `drop` leaves it out, `repeat` takes
            its negatives again from the first.
        seed: of the order and of what `limit` draws.
        shard_rows: rows a file.
        files: the kind of files, where the format's reader takes several; null: the format's own.
        tokenizer: a `tokenizer.json`, or a folder that holds one; for formats of token ids.

    Raises:
        SettingsError: a number that cannot be.
        UnknownNameError: a value that is not in its list; the message has the nearest.

    """

    split: Split | None = None
    languages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    license: Terms | None = None
    limit: int | None = None
    negatives: int | None = None
    shortage: Shortage = "drop"
    seed: int = 1
    shard_rows: int = 100_000
    temperature: float | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    files: Kind | None = None
    tokenizer: Path | None = None

    def __post_init__(self) -> None:
        for name, value, least in (
            ("limit", self.limit, 1), ("negatives", self.negatives, 0), ("seed", self.seed, 0),
            ("shard-rows", self.shard_rows, 1),
        ):  # fmt: skip
            if value is not None and value < least:
                raise SettingsError(f"{value} is too small", where=f"--{name}", remedy=f"{least} or more")
        for name, chosen, known in (
            ("split", self.split, get_args(Split)), ("license", self.license, get_args(Terms)),
            ("shortage", self.shortage, get_args(Shortage)), ("files", self.files, get_args(Kind)),
        ):  # fmt: skip
            if chosen is not None and chosen not in known:
                raise UnknownNameError(name, chosen, known, where=f"--{name}")
        self._check_shares()

    def _check_shares(self) -> None:
        """Check how `limit` is shared out.

        Raises:
            SettingsError: a number that cannot be, or there is no limit to share out.

        """
        if self.temperature is not None and not 1 <= self.temperature < math.inf:
            raise SettingsError(f"{self.temperature} cannot be", where="--temperature", remedy="a number from 1 on")
        for source, weight in self.weights.items():
            if not 0 <= weight < math.inf:
                raise SettingsError(f"{weight} of {source} cannot be", where="--weight", remedy="a number from 0 on")
        if self.shared and self.limit is None:
            raise SettingsError(
                "shares of sources are shares of a number of samples, and there is none",
                where="--weight" if self.weights else "--temperature",
                remedy="add --limit with the number of samples to draw",
            )

    @property
    def shared(self) -> bool:
        """Tell whether `limit` is shared out among sources, and not drawn from all samples alike."""
        return bool(self.weights) or self.temperature is not None
