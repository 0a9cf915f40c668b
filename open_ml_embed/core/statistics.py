"""What a step counted, as models: their JSON schemas are in docs/statistics.md."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
"""How many of something."""
Share = Annotated[float, Field(ge=0, le=1)]


class Statistics(BaseModel):
    """A part of a step's statistics; keys that it does not have are refused."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)
