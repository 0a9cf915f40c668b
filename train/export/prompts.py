"""Prompts of an export: those of the settings, or the layout that the model was trained with."""

from __future__ import annotations

from train.config import Export

LAYOUT = "Instruct: {instruction}\nQuery: "
"""Prefix of queries in a mix with instructions; documents have none."""
GENERAL = "Given a query, retrieve passages that answer it."
"""Instruction of the prompt `query` of a model that is trained with instructions."""


def prompts_for(settings: Export, *, instructed: bool) -> dict[str, str]:
    """Return the prompts by name.

    Args:
        settings: the section `export`.
        instructed: whether the model is trained with instructions.

    """
    if settings.prompts is not None:
        return dict(settings.prompts)
    return {"query": LAYOUT.format(instruction=GENERAL) if instructed else "", "document": ""}
