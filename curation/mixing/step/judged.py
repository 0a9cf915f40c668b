"""Which sources' language verdicts a mix uses."""

from __future__ import annotations

from curation.build import Build, StepResult
from curation.mixing.recipe import load_recipe


def judged_sources(step: str, build: Build, rows: StepResult) -> set[str]:
    """Return the sources of a mix whose language verdicts can drop rows: all whose policy is not `trust-declared`.

    Args:
        step: `mix-<name>`.
        build: the profile.
        rows: result of the step `normalize`.

    """
    recipe, trust = load_recipe(step.removeprefix("mix-"), build.root), build.profile.languages.trust
    sources = {source for source in set(rows.shards.column("source")) if recipe.holds(source)} - set(
        build.profile.mining.corpus
    )
    return {name for name in sources if trust.of(name).policy != "trust-declared"}


def reads_languages(step: str, build: Build, rows: StepResult) -> bool:
    """Tell whether a mix reads the results of the step `identify`: for its verdicts, or to filter by confidence."""
    recipe = load_recipe(step.removeprefix("mix-"), build.root)
    return recipe.filters.needs_languages or bool(judged_sources(step, build, rows))
