"""What people write: models that refuse an unknown key, and do not change."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of a file that people write; a key that it does not have is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
