"""`curate settings`: what every step reads of the settings and the manifests, one small file a step.

A step reads what the steps before it left, and besides that only what is in its file here: its settings with all
defaults, what it uses of the manifests, the versions of its operations, and the code of the steps that write whole
results. What makes a result stale for the verbs (`curation.pipeline.dependencies.declared`) is what stands here, so
that DVC runs what they refuse. DVC depends on these files, so a section that a profile leaves out needs no special
case, and a step runs again exactly when something of its own has changed.
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
    """Tell whether a profile makes rows; one may only train, on mixes from elsewhere."""
    return bool(build.profile.sources.collection or build.profile.sources.include)


def step_inputs(build: Build) -> dict[str, dict[str, Any]]:
    """Return what each step of a profile reads besides other steps' results.

    Args:
        build: its profile as it is written, with paths as the file has them: equal settings give equal files anywhere.

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
    """Return what is measured when a step runs, in the form in which it is known before: as the settings name it."""
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
    """Write `out/<profile>/settings/<step>.json` for every step, and return what is in them."""
    inputs, out = step_inputs(build), Store(str(build.out))
    for step, data in inputs.items():
        out.write_bytes(f"{FOLDER}/{step}.json", canonical_json(data))
    return inputs


def _described(one: EvaluationSet) -> str:
    return (
        digest(one.definition.model_dump(mode="json")) if isinstance(one.definition, BaseModel) else one.definition[1]
    )


def _code(package: str) -> str:
    """Hash the Python and template files of a package, without importing it."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    found = sorted(_files(Path(folder) for folder in spec.submodule_search_locations))
    return digest([[name, xxhash.xxh3_128_hexdigest(path.read_bytes())] for name, path in found])


def _files(folders: Iterable[Path]) -> Iterable[tuple[str, Path]]:
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix in (".py", ".html", ".css", ".md"):
                yield path.relative_to(folder).as_posix(), path
