"""Base class of the statistics of steps. docs/statistics.md lists the fields of all steps."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from open_ml_embed.core.section import Section

Count = Annotated[int, Field(ge=0)]
"""A number of things, zero or more."""
Share = Annotated[float, Field(ge=0, le=1)]


class Statistics(Section):
    """Base class of the statistics of a step and of their parts; unknown keys are errors."""

    model_config = ConfigDict(use_attribute_docstrings=True)
