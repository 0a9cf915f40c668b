"""What a mix file says (`manifests/mixes/<name>.yaml`)."""

from __future__ import annotations

from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sources.errors import ManifestError, UnknownNameError
from sources.manifest import Manifest
from sources.registry import manifest_root


class Recipe(BaseModel):
    """One mix: which sources, at most how many rows of each, with or without instructions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    title: str
    sources: list[str] | Literal["all"]
    """Those that a profile does not have are left out."""
    cap: int | None = Field(ge=1)
    instructions: bool
    instructed_documents: float = Field(default=0.0, ge=0, le=1)
    """Share of the documents of symmetric tasks that carry the instruction too."""

    def holds(self, source: str) -> bool:
        """Tell whether a source belongs to this mix."""
        return self.sources == "all" or source in self.sources


def recipe_names() -> list[str]:
    """Return the names of all mixes, sorted."""
    return sorted(path.stem for path in (manifest_root() / "mixes").glob("*.yaml"))


def load_recipe(name: str) -> Recipe:
    """Read one mix file.

    Raises:
        UnknownNameError: no such mix.
        ManifestError: the file breaks the model.

    """
    path = manifest_root() / "mixes" / f"{name}.yaml"
    if not path.is_file():
        raise UnknownNameError("mix", name, recipe_names())
    try:
        return Recipe.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise ManifestError(str(error), where=str(path), remedy="see curation/mix/recipe.py") from None


def instructed(manifest: Manifest, text: str = "") -> str:
    """Return `text` behind the source's instruction, in the layout of Qwen3-Embedding and F2LLM."""
    return f"Instruct: {manifest.instruction}\nQuery: {text}"


def symmetric(manifest: Manifest) -> bool:
    """Tell whether query and document are the same kind of text, so that documents may be instructed too."""
    return manifest.symmetric or manifest.family == "clustering"
