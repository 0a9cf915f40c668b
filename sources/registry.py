"""Discovery of the datasets: reads `manifests/sources/*.yaml`, imports no adapter and nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from open_ml_embed.core.errors import ManifestError, UnknownNameError
from open_ml_embed.core.validation_errors import refusal
from open_ml_embed.core.yaml_file import read_yaml
from sources.manifest import Collection, Manifest


def manifest_root() -> Path:
    """Return the folder with `sources/` and `mixes/`: `$CORPUS_MANIFESTS`, or the checkout's own."""
    return Path(os.environ.get("CORPUS_MANIFESTS") or Path(__file__).resolve().parent.parent / "manifests")


def names() -> list[str]:
    """Return the names of all sources, sorted; reads no file."""
    return sorted(path.stem for path in (manifest_root() / "sources").glob("*.yaml"))


def load(name: str) -> Manifest:
    """Read one manifest.

    Raises:
        UnknownNameError: there is no such source; the message has the nearest names.
        ManifestError: the file breaks the model; `UnknownNameError` where it is a misspelt name.

    """
    path = manifest_root() / "sources" / f"{name}.yaml"
    if not path.is_file():
        raise UnknownNameError("source", name, names())
    return _load(path, path.stat().st_mtime_ns)


@cache
def _load(path: Path, _version: int) -> Manifest:
    manifest = read_manifest(path)
    if manifest.name != path.stem:
        raise ManifestError(f"name is {manifest.name!r}", where=str(path), remedy="name it as the file is called")
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Read a file that describes a source, or an evaluation set as a source.

    Raises:
        ManifestError: see `load`.

    """
    try:
        return Manifest.model_validate(read_yaml(path, ManifestError))
    except ValidationError as error:
        remedy = "see sources/manifest.py for the fields"
        raise refusal(error, Manifest, ManifestError, where=str(path), remedy=remedy) from None


def load_all(collection: Collection | None = None) -> Iterator[Manifest]:
    """Yield the manifests in name order, all of them or those of one collection."""
    for name in names():
        manifest = load(name)
        if collection is None or manifest.collection == collection:
            yield manifest
