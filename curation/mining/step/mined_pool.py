"""A pool and its intermediate results in step `mine`."""

from __future__ import annotations

from dataclasses import dataclass, field

from curation.tables.pools import Pool
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.store import Marker


@dataclass
class MinedPool(Pool):
    """A pool with the markers of the operations that worked on it.

    Attributes:
        collected: marker of `Collect`.
        mined: markers of `Search`, one for each block of queries; empty for labeled rows.
        aligned: markers of `Align`, one for each shard; or the single marker of `DrawClasses`.

    """

    collected: Marker = field(init=False)
    mined: list[Marker] = field(default_factory=list)
    aligned: list[Marker] = field(default_factory=list)

    @property
    def identity(self) -> str:
        """Hash of the pool's texts and links."""
        return digest([[output.path, output.xxh3] for output in self.collected.outputs])
