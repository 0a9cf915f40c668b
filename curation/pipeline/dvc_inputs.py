"""`curate settings`: write the settings and manifest values that each step reads, one small file for each step.

Besides the results of other steps, a step reads only what is in its file: its settings with all defaults, the parts of
the manifests that it uses, the versions of its operations, and a hash of the code of `train` and `curation.report`.
The content equals the facts that make a result stale (`curation.pipeline.dependencies.declared`), so DVC reruns a step
exactly when the commands would refuse its result. DVC depends on these files instead of `params.yaml`, so a section
that a profile does not have needs no special case.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import xxhash
from pydantic import BaseModel

from curation.build import STEPS, Build
from curation.decontamination.origins import EvaluationSet, chosen_sets
from curation.mixing.recipe import built_mixes
from curation.pipeline.dependencies import declared
from curation.raw_files import lock_path
from open_ml_embed.core.hashing import canonical_json, digest
from open_ml_embed.core.store import Store
from sources.manifest import Manifest

FOLDER = "settings"


def has_sources(build: Build) -> bool:
    """Tell whether a profile has sources. A profile without sources only trains, on existing mixes."""
    return bool(build.profile.sources.collection or build.profile.sources.include)


def step_inputs(build: Build) -> dict[str, dict[str, Any]]:
    """Return the inputs of each step of a profile besides other steps' results.

    Args:
        build: the profile, with paths as in the settings file, so that equal settings give equal files on any machine.

    """
    inputs = _of_rows(build, build.manifests()) if has_sources(build) else {}
    train = build.profile.train
    if train:
        code = _code("train")
        inputs["train"] = {"train": {key: train[key] for key in train if key != "evaluation"}, "code": code}
        inputs["evaluate"] = {"train": train, "code": code}
    return inputs


def _of_rows(build: Build, manifests: list[Manifest]) -> dict[str, dict[str, Any]]:
    profile = build.profile
    mixes = [f"mix-{name}" for name in built_mixes(profile, build.root)]
    inputs = {step: declared(step, build, manifests) for step in (*STEPS, *mixes, "report")}
    for step, more in _beside(build).items():
        inputs[step] |= more
    return inputs


def _beside(build: Build) -> dict[str, dict[str, Any]]:
    """Return inputs that are measured only when a step runs, as far as they are known before: by name."""
    profile, lock = build.profile, lock_path(build)
    sets = chosen_sets(profile.decontaminate, build.root)
    return {
        "fetch": {
            "chosen": profile.sources.model_dump(mode="json"),
            "lock": xxhash.xxh3_128_hexdigest(lock.read_bytes()) if lock.is_file() else None,
        },
        "identify": {"model": profile.languages.model},
        "decontaminate": {"sets": {f"{one.kind}/{one.name}": _described(one) for one in sets}},
        "report": {"code": _code("curation.report")},
    }


def write_step_inputs(build: Build) -> dict[str, dict[str, Any]]:
    """Write `out/<profile>/settings/<step>.json` for every step; return step → content."""
    inputs, out = step_inputs(build), Store(str(build.out))
    for step, data in inputs.items():
        out.write_bytes(f"{FOLDER}/{step}.json", canonical_json(data))
    return inputs


def _described(evaluation_set: EvaluationSet) -> str:
    return (
        digest(evaluation_set.definition.model_dump(mode="json"))
        if isinstance(evaluation_set.definition, BaseModel)
        else evaluation_set.definition[1]
    )


def _code(package: str) -> str:
    """Hash the Python and template files of a package, without importing it."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    files = sorted(_files(Path(folder) for folder in spec.submodule_search_locations))
    return digest([[name, xxhash.xxh3_128_hexdigest(path.read_bytes())] for name, path in files])


def _files(folders: Iterable[Path]) -> Iterable[tuple[str, Path]]:
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix in (".py", ".html", ".css", ".md"):
                yield path.relative_to(folder).as_posix(), path
