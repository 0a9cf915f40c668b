"""Discovery of the datasets: reads `manifests/sources/*.yaml`, imports no adapter and nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml
from pydantic import ValidationError

from sources.errors import ManifestError, UnknownNameError
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
        ManifestError: the file breaks the model.

    """
    path = manifest_root() / "sources" / f"{name}.yaml"
    if not path.is_file():
        raise UnknownNameError("source", name, names())
    return _load(path, path.stat().st_mtime_ns)


@cache
def _load(path: Path, _version: int) -> Manifest:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        manifest = Manifest.model_validate(yaml.load(path.read_text("utf-8"), loader))  # noqa: S506
    except (yaml.YAMLError, ValidationError) as error:
        raise ManifestError(str(error), where=str(path), remedy="see sources/manifest.py for the fields") from None
    if manifest.name != path.stem:
        raise ManifestError(f"name is {manifest.name!r}", where=str(path), remedy="name it as the file is called")
    return manifest


def load_all(collection: Collection | None = None) -> Iterator[Manifest]:
    """Yield the manifests in name order, all of them or those of one collection."""
    for name in names():
        manifest = load(name)
        if collection is None or manifest.collection == collection:
            yield manifest
