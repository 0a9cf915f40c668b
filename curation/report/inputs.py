"""What the report is made from: the results of the steps that have run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from curation.build import Build, StepResult
from curation.build import Inputs as StepInputs
from curation.mixing.recipe import Recipe, built_mixes, load_recipe
from curation.pipeline.model_state import evaluation_of
from sources.manifest import Manifest


@dataclass(frozen=True)
class Inputs:
    """Results of the steps, null for a step that has not run.

    Attributes:
        build: the profile.
        read: the inputs of step `report`.
        rows: result of `normalize`.
        identified: result of `identify`.
        measured: result of `measure`.
        dedup: result of `dedup`.
        decontaminated: result of `decontaminate`.
        mined: result of `mine`.
        mixes: mix name → result.
        recipes: mix name → its recipe, of the same mixes.
        skipped: source → why it was not fetched.
        evaluation: content of `evaluation.json`.
        manifests: of all sources, skipped ones included.

    """

    build: Build
    read: StepInputs
    rows: StepResult
    identified: StepResult | None
    measured: StepResult | None
    dedup: StepResult | None
    decontaminated: StepResult | None
    mined: StepResult | None
    mixes: dict[str, StepResult | None]
    recipes: dict[str, Recipe]
    skipped: dict[str, str]
    evaluation: dict[str, Any] | None
    manifests: dict[str, Manifest]

    @property
    def made_mixes(self) -> dict[str, StepResult]:
        """The mixes that are made."""
        return {name: result for name, result in self.mixes.items() if result}


def load_inputs(build: Build, read: StepInputs) -> Inputs:
    """Read the results of all steps that have run.

    Raises:
        StageError: nothing is normalized yet, or a later result or the evaluation was made from other rows.

    """
    rows = read["normalize"]
    mixes = built_mixes(build.profile, build.root)
    return Inputs(
        build=build,
        read=read,
        rows=rows,
        identified=read.get("identify"),
        measured=read.get("measure"),
        dedup=read.get("dedup"),
        decontaminated=read.get("decontaminate"),
        mined=read.get("mine"),
        mixes={name: read.get(f"mix-{name}") for name in mixes},
        recipes={name: load_recipe(name, build.root) for name in mixes},
        skipped=dict(sorted(rows.skipped.items())),
        evaluation=evaluation_of(build),
        manifests={name: build.manifest(name) for name in sorted({*rows.stats["sources"], *rows.skipped})},
    )
