"""The model of a mix file, and how mix files are found.

A mix is described by `mixes/<name>.yaml` next to `params.yaml`, or in the folder `mixes/` of one of the folders of
manifests (`sources.registry.folders`).
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from curation.mixing.filters import Filters
from open_ml_embed.core.errors import ManifestError, UnknownNameError
from open_ml_embed.core.names import LONGEST
from open_ml_embed.core.section import Section
from open_ml_embed.core.validation_errors import refusal
from open_ml_embed.core.yaml_file import read_yaml
from sources import registry
from sources.manifest import Manifest

if TYPE_CHECKING:
    from curation.settings import Profile

NEAR = 0.75
"""Similarity (ratio of `difflib`) from which a name counts as a misspelling of another."""


class Recipe(Section):
    """One mix: its sources, which rows of them and how many, and whether texts carry instructions."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=LONGEST)
    title: str
    sources: list[str] | Literal["all"]
    """Names in the registry. Sources that a profile does not have are ignored."""
    cap: int | None = Field(ge=1)
    """Most rows of each source, or as `cap_of` says; null: no limit."""
    cap_of: Literal["source", "released-file"] = "source"
    """Whose rows the cap counts. `source`: of each source. `released-file`: of each file of the published corpus of
    F2LLM-v2, so that a source in 38 files, one a language, has 38 caps."""
    caps: dict[str, Annotated[int, Field(ge=1)]] = {}
    """Source → most rows of it, in the place of `cap`; of the whole source, whatever `cap_of` says."""
    filters: Filters = Filters()
    """Which rows it takes; all others are counted by the filter that leaves them out."""
    samples: int | None = Field(default=None, ge=1)
    """Samples to draw of all that are left after filters and caps, train and validation together; null: all."""
    weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = {}
    """Source → a factor of its share of `samples`; 1 for the others, and 0 leaves a source out."""
    temperature: float | None = Field(default=None, ge=1, allow_inf_nan=False)
    """A source's share of `samples` is its rows to the power of 1 / `temperature`: 1 draws from all rows alike, a
    larger number takes more of small sources. Null: 1."""
    instructions: bool
    """Whether queries carry the instruction of their source."""
    instructed_documents: float = Field(default=0.0, ge=0, le=1)
    """Share of the documents of symmetric tasks that carry the instruction too."""

    @model_validator(mode="after")
    def _shares_of_something(self) -> Recipe:
        if self.samples is None and (self.weights or self.temperature is not None):
            what = "weights" if self.weights else "temperature"
            raise ValueError(f"{what}: they share out a number of samples: add `samples: NUMBER`")
        return self

    def holds(self, source: str) -> bool:
        """Tell whether a source belongs to this mix."""
        return self.sources == "all" or source in self.sources

    def cap_for(self, source: str, of_profile: int | None) -> int | None:
        """Return the most rows of a source, or of each of its files if `cap_of` says so; null: no limit.

        Args:
            source: one of the mix.
            of_profile: the cap of the profile, which takes the place of `cap` and bounds `caps`.

        """
        own = self.caps.get(source)
        if own is None:
            return of_profile or self.cap
        return min(own, of_profile or own)

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield (setting, value as text) of what decides which rows the mix takes, as far as it is set."""
        for name, value in self.filters.lines():
            yield f"filters.{name}", value
        if self.caps:
            yield "caps", ", ".join(f"{source} {cap:,}" for source, cap in sorted(self.caps.items()))
        if self.samples is not None:
            yield "samples", f"{self.samples:,}"
        if self.weights:
            yield "weights", ", ".join(f"{source} {weight:g}" for source, weight in sorted(self.weights.items()))
        if self.temperature is not None:
            yield "temperature", f"{self.temperature:g}"


def recipe_files(root: Path) -> dict[str, Path]:
    """Return the files of all mixes by name, sorted: those in `mixes/` below `root`, then of all manifests.

    Args:
        root: the folder of `params.yaml`. A mix there replaces the project's mix of the same name.

    """
    return registry.files("mixes", root, *registry.folders(root))


def built_mixes(profile: Profile, root: Path) -> list[str]:
    """Return the names of the mixes that a profile builds, sorted: those of its section `mixes`.

    Without that section, they are `retrieval` and `instruction`, as far as their files exist.
    """
    known = set(profile.mixes) if "mixes" in profile.model_fields_set else recipe_files(root).keys()
    return sorted(set(profile.mixes) & known)


def load_recipe(name: str, root: Path) -> Recipe:
    """Read one mix file; see `recipe_files` for the folders.

    Raises:
        UnknownNameError: the mix does not exist, or names a source or a license that is not in the registry.
        LanguageCodeError: a filter names a language that there is not.
        ManifestError: the file is not valid, or its `name` is not the file name.

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
    _check_sources(recipe, path, root)
    recipe.filters.check(str(path), root)
    return recipe


def _check_sources(recipe: Recipe, path: Path, root: Path) -> None:
    """Refuse sources that are not in the registry.

    Exception: if no source of the mix is in the registry, or similar to one in it, the mix was written for another
    registry. It then has no sources; `curate mix` reports this, and the other verbs continue.
    """
    known = registry.names(root)
    for setting, named in (("caps", recipe.caps), ("weights", recipe.weights)):
        for source in named:
            if not (source in known if recipe.sources == "all" else source in recipe.sources):
                valid = known if recipe.sources == "all" else recipe.sources
                raise UnknownNameError("source", source, valid, where=f"{path}: {setting}")
    if recipe.sources == "all":
        return
    unknown = [source for source in recipe.sources if source not in known]
    foreign = len(unknown) == len(recipe.sources) > 0 and not any(
        get_close_matches(source, known, n=1, cutoff=NEAR) for source in unknown
    )
    if unknown and not foreign:
        raise UnknownNameError("source", unknown[0], known, where=f"{path}: sources")


def instructed(manifest: Manifest, subset: str, text: str = "") -> str:
    """Return `text` with the subset's instruction before it, in the prompt format of Qwen3-Embedding and F2LLM."""
    return f"Instruct: {manifest.instruction_of(subset)}\nQuery: {text}"


def symmetric(manifest: Manifest) -> bool:
    """Tell whether query and document are the same kind of text, so that documents may be instructed too."""
    return manifest.symmetric or manifest.family == "clustering"
