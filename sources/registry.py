"""Discovery of what is described by files: sources, mixes, evaluation sets; imports no adapter and nothing heavy.

Such files lie in folders of one layout: `sources/*.yaml`, `mixes/*.yaml`, `evaluations/`. They are, in the order in
which a name is looked up: `manifests/` beside the user's params.yaml; this project's own, in the checkout or in the
installed package; those of other installed distributions (entry points `open_ml_embed.sources`, whose value names a
package that is such a folder).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pydantic import ValidationError

from open_ml_embed import core
from open_ml_embed.core.errors import ManifestError, UnknownNameError
from open_ml_embed.core.registry import cannot_load, declared, report
from open_ml_embed.core.validation_errors import refusal
from open_ml_embed.core.yaml_file import read_yaml
from sources.manifest import Collection, Manifest

GROUP = "open_ml_embed.sources"
"""Entry points of distributions that bring a folder of manifests."""
FOLDER = "manifests"


def manifest_root() -> Path:
    """Return the folder of this project's own manifests.

    `$CORPUS_MANIFESTS` if it is set; else the installed package's, or the checkout's.
    """
    chosen = os.environ.get("CORPUS_MANIFESTS")
    return Path(chosen) if chosen else _shipped()


@cache
def _shipped() -> Path:
    package = Path(core.__file__).resolve().parent.parent
    installed = package / FOLDER
    return installed if installed.is_dir() else package.parent / FOLDER


def folders(root: Path | None = None) -> list[Path]:
    """Return all folders of manifests, those that come first in front.

    Args:
        root: the folder of params.yaml; null leaves out the user's own manifests.

    """
    found = [*([root / FOLDER] if root is not None else []), manifest_root(), *_of_distributions()]
    different: dict[Path, Path] = {}
    for folder in found:
        if folder.is_dir():
            different.setdefault(folder.resolve(), folder)
    return list(different.values())


@cache
def _of_distributions() -> tuple[Path, ...]:
    found = []
    for entry in declared(GROUP).values():
        try:
            spec = find_spec(entry.module)
        except Exception as error:
            cannot_load(entry, error)
            continue
        places = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
        if not any((place / "sources").is_dir() for place in places):
            report(entry, f"{entry.module} is no package with a folder `sources`")
        found += places
    return tuple(found)


def files(kind: str, *places: Path) -> dict[str, Path]:
    """Return the YAML files of a kind by name, sorted; of equal names the first, and a line says so once.

    Args:
        kind: `sources`, `mixes`, `evaluations/sets`.
        places: folders that have a folder of that name.

    """
    found: dict[str, Path] = {}
    for place in places:
        for path in sorted((place / kind).glob("*.yaml")):
            if path.stem in found:
                _said(found[path.stem], path)
            else:
                found[path.stem] = path
    return dict(sorted(found.items()))


@cache
def _said(taken: Path, other: Path) -> None:
    print(f"{taken} is taken, and not {other}", file=sys.stderr)


def file(name: str, root: Path | None = None) -> Path:
    """Return the first file of a name, as `rates.yaml`; where it should be, if there is none."""
    for folder in folders(root):
        if (folder / name).is_file():
            return folder / name
    return manifest_root() / name


def source_files(root: Path | None = None) -> dict[str, Path]:
    """Return the manifests of all sources by name, sorted."""
    return files("sources", *folders(root))


def names(root: Path | None = None) -> list[str]:
    """Return the names of all sources, sorted; reads no file.

    Args:
        root: the folder of params.yaml, if sources of the user's own count too.

    """
    return list(source_files(root))


def load(name: str, root: Path | None = None) -> Manifest:
    """Read one manifest.

    Args:
        name: of the source.
        root: the folder of params.yaml, if sources of the user's own count too.

    Raises:
        UnknownNameError: there is no such source; the message has the nearest names.
        ManifestError: the file breaks the model; `UnknownNameError` where it is a misspelt name.

    """
    having = [path for folder in folders(root) if (path := folder / "sources" / f"{name}.yaml").is_file()]
    if not having:
        raise UnknownNameError("source", name, names(root))
    for other in having[1:]:
        _said(having[0], other)
    return _load(having[0], having[0].stat().st_mtime_ns)


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


def load_all(collection: Collection | None = None, root: Path | None = None) -> Iterator[Manifest]:
    """Yield the manifests in name order, all of them or those of one collection."""
    for name in names(root):
        manifest = load(name, root)
        if collection is None or manifest.collection == collection:
            yield manifest
