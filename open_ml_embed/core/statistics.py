"""What a step counted, as models: their JSON schemas are in docs/statistics.md."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from open_ml_embed.core.section import Section

Count = Annotated[int, Field(ge=0)]
"""How many of something."""
Share = Annotated[float, Field(ge=0, le=1)]


class Statistics(Section):
    """A part of a step's statistics; keys that it does not have are refused."""

    model_config = ConfigDict(use_attribute_docstrings=True)
