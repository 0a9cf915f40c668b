"""Access conditions of a dataset: part of every manifest, so that a plan can state them before any download."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from open_ml_embed.core.section import Section


class Open(Section):
    """Open to everybody, without an account."""

    kind: Literal["open"] = "open"


class Gated(Section):
    """Requires an account that has accepted the terms, and its token."""

    kind: Literal["gated"] = "gated"
    terms: str = Field(min_length=10)
    """The terms, where to accept them, and who approves the request."""
    scope: str = "read access to public gated repositories"
    """The permission that a fine-grained token needs."""


class Manual(Section):
    """Must be downloaded by hand with a browser; the origin states the address and the target folder."""

    kind: Literal["manual"] = "manual"
    steps: str = Field(min_length=10)
    """What to do in the browser."""


class Dead(Section):
    """No longer available: the origin is gone."""

    kind: Literal["dead"] = "dead"
    replaced_by: str = Field(min_length=3)
    """The source that replaces it."""


Access = Annotated[Open | Gated | Manual | Dead, Field(discriminator="kind")]
