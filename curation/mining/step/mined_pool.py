"""A pool on its way through the step."""

from __future__ import annotations

from dataclasses import dataclass, field

from curation.tables.pools import Pool
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.store import Marker


@dataclass
class MinedPool(Pool):
    """A pool, and what was made of it.

    Attributes:
        collected: marker of `Collect`.
        mined: markers of `Search`, block by block; none where rows carry classes.
        aligned: markers of `Align`, shard by shard, or the one of `DrawClasses`.

    """

    collected: Marker = field(init=False)
    mined: list[Marker] = field(default_factory=list)
    aligned: list[Marker] = field(default_factory=list)

    @property
    def identity(self) -> str:
        """Hash of its texts and links."""
        return digest([[output.path, output.xxh3] for output in self.collected.outputs])
