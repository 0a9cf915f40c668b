"""Prompts of an export: those of the settings, or the layout that the model was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from open_ml_embed.core.files import write_whole
from open_ml_embed.core.hashing import canonical_json
from train.config import Export

PROMPTS = "config_sentence_transformers.json"
"""File of a sentence-transformers folder that holds its prompts."""

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


def write_prompts(folder: Path, prompts: Mapping[str, str]) -> None:
    """Write the file that holds the prompts of a folder."""
    write_whole(folder / PROMPTS, _prompts_file(prompts))


def has_prompts(folder: Path, prompts: Mapping[str, str]) -> bool:
    """Tell whether a folder has the file that `write_prompts` writes."""
    path = folder / PROMPTS
    return path.is_file() and path.read_bytes() == _prompts_file(prompts)


def _prompts_file(prompts: Mapping[str, str]) -> bytes:
    fields = {"prompts": dict(prompts), "default_prompt_name": None, "similarity_fn_name": "cosine"}
    return canonical_json({"model_type": "SentenceTransformer", **fields})
