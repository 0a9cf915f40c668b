"""Which results of the steps `identify` and `measure` a mix uses, and of which sources."""

from __future__ import annotations

from collections.abc import Iterator

from curation.build import Build, StepResult
from curation.mixing.recipe import load_recipe
from curation.quality.settings import Thresholds


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
    """Tell whether a mix reads the results of the step `identify`: for its verdicts, or because of a confidence."""
    recipe = load_recipe(step.removeprefix("mix-"), build.root)
    confidence = any(each.needs_languages for each in _thresholds(step, build, rows))
    return confidence or recipe.filters.needs_languages or bool(judged_sources(step, build, rows))


def reads_quality(step: str, build: Build, rows: StepResult) -> bool:
    """Tell whether a mix reads the results of the step `measure`: because a threshold asks for them."""
    return any(each.needs_measures for each in _thresholds(step, build, rows))


def _thresholds(step: str, build: Build, rows: StepResult) -> Iterator[Thresholds]:
    """Yield the thresholds of the sources of a mix."""
    quality, recipe = build.profile.quality, load_recipe(step.removeprefix("mix-"), build.root)
    if quality.thresholds or quality.sources:
        yield from (quality.of(source) for source in set(rows.shards.column("source")) if recipe.holds(source))
