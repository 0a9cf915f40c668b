"""What is exported of a mix, and how: the options of `curate export`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from open_ml_embed.core.errors import SettingsError, UnknownNameError

Split = Literal["train", "validation"]
Shortage = Literal["drop", "repeat"]
Terms = Literal["commercial", "redistribution"]


@dataclass(frozen=True)
class Options:
    """What to take of a mix, and how to write it.

    Attributes:
        split: whose samples; null: the format's own, which is `train`, and `validation` of `beir`.
        languages: only samples with one of these on either side; empty: all.
        sources: only samples of these sources; empty: all.
        license: only samples every source of which allows this.
        limit: at most so many samples, drawn by `seed`.
        negatives: at most so many negatives a row, the first ones; where a format wants the same number in all rows, so
            many. Null: the format's own number, or all there are.
        shortage: what becomes of a row with fewer negatives than the format needs: `drop` leaves it out, `repeat` takes
            its negatives again from the first.
        seed: of the order and of what `limit` draws.
        shard_rows: rows a file.

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

    def __post_init__(self) -> None:
        for name, value, least in (
            ("limit", self.limit, 1), ("negatives", self.negatives, 0), ("seed", self.seed, 0),
            ("shard-rows", self.shard_rows, 1),
        ):  # fmt: skip
            if value is not None and value < least:
                raise SettingsError(f"{value} is too small", where=f"--{name}", remedy=f"{least} or more")
        for name, chosen, known in (
            ("split", self.split, get_args(Split)), ("license", self.license, get_args(Terms)),
            ("shortage", self.shortage, get_args(Shortage)),
        ):  # fmt: skip
            if chosen is not None and chosen not in known:
                raise UnknownNameError(name, chosen, known, where=f"--{name}")
