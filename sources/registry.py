"""Discovery of manifest files: sources, mixes, evaluation sets. It imports no adapters and no heavy packages.

A manifest folder has the layout `sources/*.yaml`, `mixes/*.yaml`, `evaluations/`. Names are looked up in these folders,
in this order: `manifests/` beside the user's params.yaml; the built-in manifests, in the checkout or in the installed
package; those of other installed distributions (entry points `open_ml_embed.sources`, whose value names a package that
is a manifest folder).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pydantic import ValidationError

from open_ml_embed import core
from open_ml_embed.core.errors import ManifestError, UnknownNameError
from open_ml_embed.core.printing import print_text
from open_ml_embed.core.registry import cannot_load, declared, report
from open_ml_embed.core.validation_errors import refusal
from open_ml_embed.core.yaml_file import read_yaml
from sources.manifest import INCLUDES, Collection, Manifest

GROUP = "open_ml_embed.sources"
"""Group of the entry points of distributions that provide a manifest folder."""
FOLDER = "manifests"


def manifest_root() -> Path:
    """Return the folder of the built-in manifests.

    It is `$CORPUS_MANIFESTS` if that is set, else the folder in the installed package or in the checkout.
    """
    override = os.environ.get("CORPUS_MANIFESTS")
    return Path(override) if override else _shipped()


@cache
def _shipped() -> Path:
    package = Path(core.__file__).resolve().parent.parent
    installed = package / FOLDER
    return installed if installed.is_dir() else package.parent / FOLDER


def folders(root: Path | None = None) -> list[Path]:
    """Return all existing manifest folders, in the order of lookup.

    Args:
        root: the folder of params.yaml; None: without the user's own manifests.

    """
    candidates = [*([root / FOLDER] if root is not None else []), manifest_root(), *_of_distributions()]
    unique: dict[Path, Path] = {}
    for folder in candidates:
        if folder.is_dir():
            unique.setdefault(folder.resolve(), folder)
    return list(unique.values())


@cache
def _of_distributions() -> tuple[Path, ...]:
    result = []
    for entry in declared(GROUP).values():
        try:
            spec = find_spec(entry.module)
        except Exception as error:
            cannot_load(entry, error)
            continue
        locations = [Path(location) for location in (spec.submodule_search_locations or [])] if spec else []
        if not any((location / "sources").is_dir() for location in locations):
            report(entry, f"{entry.module} is no package with a folder `sources`")
        result += locations
    return tuple(result)


def files(kind: str, *places: Path) -> dict[str, Path]:
    """Return the YAML files of one kind by name, sorted.

    If two folders have the same name, the file in the first folder is used, and one line on standard error says so.

    Args:
        kind: `sources`, `mixes` or `evaluations/sets`.
        places: manifest folders, in the order of lookup.

    """
    result: dict[str, Path] = {}
    for place in places:
        for path in sorted((place / kind).glob("*.yaml")):
            if path.stem in result:
                _report_shadowed(result[path.stem], path)
            else:
                result[path.stem] = path
    return dict(sorted(result.items()))


@cache
def _report_shadowed(used: Path, other: Path) -> None:
    print_text(f"{used} is taken, and not {other}", error=True)


def file(name: str, root: Path | None = None) -> Path:
    """Return the path of the first file of a name, as `rates.yaml`; if there is none, its path in `manifest_root()`."""
    for folder in folders(root):
        if (folder / name).is_file():
            return folder / name
    return manifest_root() / name


def source_files(root: Path | None = None) -> dict[str, Path]:
    """Return the manifests of all sources by name, sorted."""
    return files("sources", *folders(root))


def names(root: Path | None = None) -> list[str]:
    """Return the names of all sources, sorted, without reading their files.

    Args:
        root: the folder of params.yaml, to include the user's own sources.

    """
    return list(source_files(root))


def load(name: str, root: Path | None = None) -> Manifest:
    """Read one manifest.

    Args:
        name: of the source.
        root: the folder of params.yaml, to include the user's own sources.

    Raises:
        UnknownNameError: there is no such source, or the file has an unknown field; the message suggests the nearest
            names.
        ManifestError: the file is not a valid manifest.

    """
    matches = [path for folder in folders(root) if (path := folder / "sources" / f"{name}.yaml").is_file()]
    if not matches:
        raise UnknownNameError("source", name, names(root))
    for other in matches[1:]:
        _report_shadowed(matches[0], other)
    return _load(matches[0], matches[0].stat().st_mtime_ns)


@cache
def _load(path: Path, _version: int) -> Manifest:
    manifest = read_manifest(path)
    if manifest.name != path.stem:
        raise ManifestError(f"name is {manifest.name!r}", where=str(path), remedy="name it as the file is called")
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Read a manifest file: that of a source, or of an evaluation set that is described as a source.

    Raises:
        ManifestError: the file is not a valid manifest.
        UnknownNameError: the file has an unknown field.

    """
    try:
        return Manifest.model_validate(read_yaml(path, ManifestError))
    except ValidationError as error:
        remedy = "see sources/manifest.py for the fields"
        raise refusal(error, Manifest, ManifestError, where=str(path), remedy=remedy) from None


def load_all(collection: Collection | None = None, root: Path | None = None) -> Iterator[Manifest]:
    """Yield all manifests, or those of one collection and of the collections that it includes, by name."""
    for name in names(root):
        manifest = load(name, root)
        if collection is None or belongs(manifest, collection):
            yield manifest


def belongs(manifest: Manifest, collection: str) -> bool:
    """Tell whether a source is of a collection, or of one that it includes."""
    return manifest.collection == collection or manifest.collection in INCLUDES.get(collection, ())
