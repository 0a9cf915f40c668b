"""Who may fetch a dataset, and what it takes: part of every manifest, so a plan can say it before any download."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from open_ml_embed.core.section import Section


class Open(Section):
    """Anybody, without an account."""

    kind: Literal["open"] = "open"


class Gated(Section):
    """An account that has accepted terms, and a token of it."""

    kind: Literal["gated"] = "gated"
    terms: str = Field(min_length=10)
    """What one agrees to, where, and who approves."""
    scope: str = "read access to public gated repositories"
    """What a fine-grained token has to allow."""


class Manual(Section):
    """A person with a browser; the origin says where from and where to."""

    kind: Literal["manual"] = "manual"
    steps: str = Field(min_length=10)
    """What to do there."""


class Dead(Section):
    """Nobody any more: the origin is gone."""

    kind: Literal["dead"] = "dead"
    replaced_by: str = Field(min_length=3)
    """What takes its place."""


Access = Annotated[Open | Gated | Manual | Dead, Field(discriminator="kind")]
