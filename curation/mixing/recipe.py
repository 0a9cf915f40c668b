"""What a mix file says, and where it lies.

A mix is `mixes/<name>.yaml` beside `params.yaml`, or one of the project's own in `manifests/mixes/`.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from open_ml_embed.core.errors import ManifestError, UnknownNameError
from open_ml_embed.core.section import Section
from open_ml_embed.core.validation_errors import refusal
from open_ml_embed.core.yaml_file import read_yaml
from sources import registry
from sources.manifest import Manifest
from sources.registry import manifest_root

if TYPE_CHECKING:
    from curation.settings import Profile

NEAR = 0.75
"""Likeness from which a name counts as a misspelling of another (`difflib`'s ratio)."""


class Recipe(Section):
    """One mix: which sources, at most how many rows of each, with or without instructions."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    title: str
    sources: list[str] | Literal["all"]
    """Names in the registry. Those that a profile does not have are left out."""
    cap: int | None = Field(ge=1)
    instructions: bool
    instructed_documents: float = Field(default=0.0, ge=0, le=1)
    """Share of the documents of symmetric tasks that carry the instruction too."""

    def holds(self, source: str) -> bool:
        """Tell whether a source belongs to this mix."""
        return self.sources == "all" or source in self.sources


def recipe_files(root: Path) -> dict[str, Path]:
    """Return the files of all mixes by name, sorted: those in `mixes/` below `root`, then the project's own.

    Args:
        root: the folder of `params.yaml`. A mix there stands in for one of the project's of the same name.

    """
    folders = (manifest_root() / "mixes", root / "mixes")
    found = {path.stem: path for folder in folders for path in folder.glob("*.yaml")}
    return dict(sorted(found.items()))


def built_mixes(profile: Profile, root: Path) -> list[str]:
    """Return the mixes that a profile builds, sorted: those of its section `mixes`.

    Where it has no such section, those of `retrieval` and `instruction` that there are.
    """
    known = set(profile.mixes) if "mixes" in profile.model_fields_set else recipe_files(root).keys()
    return sorted(set(profile.mixes) & known)


def load_recipe(name: str, root: Path) -> Recipe:
    """Read one mix file; see `recipe_files` for where it may lie.

    Raises:
        UnknownNameError: no such mix, or it has a source that the registry does not have, and others that it has.
        ManifestError: the file breaks the model, or states another name.

    """
    files = recipe_files(root)
    if name not in files:
        raise UnknownNameError("mix", name, files)
    path = files[name]
    try:
        recipe = Recipe.model_validate(read_yaml(path, ManifestError))
    except ValidationError as error:
        raise refusal(error, Recipe, ManifestError, where=str(path), remedy="see curation/mixing/recipe.py") from None
    if recipe.name != name:
        raise ManifestError(f"name is {recipe.name!r}", where=str(path), remedy="name it as the file is called")
    _check_sources(recipe, path)
    return recipe


def _check_sources(recipe: Recipe, path: Path) -> None:
    """Refuse names that the registry does not have.

    A mix none of whose names is in the registry, nor near one that is, was written for another registry: it has no
    source here, and `curate mix` says so. The other verbs go on.
    """
    if recipe.sources == "all":
        return
    known = registry.names()
    unknown = [source for source in recipe.sources if source not in known]
    foreign = len(unknown) == len(recipe.sources) > 0 and not any(
        get_close_matches(source, known, n=1, cutoff=NEAR) for source in unknown
    )
    if unknown and not foreign:
        raise UnknownNameError("source", unknown[0], known, where=f"{path}: sources")


def instructed(manifest: Manifest, text: str = "") -> str:
    """Return `text` behind the source's instruction, in the layout of Qwen3-Embedding and F2LLM."""
    return f"Instruct: {manifest.instruction}\nQuery: {text}"


def symmetric(manifest: Manifest) -> bool:
    """Tell whether query and document are the same kind of text, so that documents may be instructed too."""
    return manifest.symmetric or manifest.family == "clustering"
