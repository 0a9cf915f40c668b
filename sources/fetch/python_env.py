"""Python files of the standard library and of installed distributions, one tar each below ``<raw_root>/python``.

A tar is named after its distribution and version (``numpy-2.4.0.tar``) and is never rewritten, so that a corpus keeps
the code from which it was built after an upgrade. Tests and vendored copies of other projects are left out.
"""

from __future__ import annotations

import logging
import platform
import re
import sysconfig
from collections.abc import Callable, Iterator
from functools import partial
from importlib import metadata
from pathlib import Path, PurePosixPath

from open_ml_embed.core.lock import waiting
from sources.fetch import FetchOptions, packing
from sources.globs import Names
from sources.manifest import Manifest, PythonOrigin
from sources.parts import RawFile

log = logging.getLogger(__name__)

_LEFT_OUT = {
    "test", "tests", "idle_test", "_vendor", "_vendored", "vendor", "vendored", "vendored_packages", "_bundled",
    "third_party", "thirdparty", "extern", "externals", "__pycache__", "site-packages", "dist-packages", "..",
}  # fmt: skip
_TEST_FILE = re.compile(r"(?:test_.*|.*_test|conftest)\.py")
_LARGEST_FILE = 4 << 20
"""Bytes above which a Python file is left out; larger files hold data tables, not functions."""


def fetch(manifest: Manifest, subset: str, options: FetchOptions) -> list[RawFile]:
    """Pack the installed versions, unless they were packed before, and list the tars.

    Distributions that are not installed are skipped with a log message. No network is needed.
    """
    origin = manifest.origin
    assert isinstance(origin, PythonOrigin)
    root = Path(options.raw_root).absolute() / "python"
    listing, names = options.known.of(
        ("python", origin.stdlib, tuple(origin.distributions)),
        lambda: _all_packed(root, origin, f"{manifest.name}/{subset}"),
    )
    return list(packing.chosen(manifest, root, listing, options, names))


def _all_packed(root: Path, origin: PythonOrigin, where: str) -> tuple[packing.Listing, Names]:
    listing: packing.Listing = {}
    if origin.stdlib:
        folder = Path(sysconfig.get_paths()["stdlib"])
        listing |= _packed(root, f"python-{platform.python_version()}", partial(_tree, folder))
    for name in origin.distributions:
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            log.warning("%s: %s is not installed, passed over", where, name)
            continue
        plain = re.sub(r"[-_.]+", "-", name).lower()
        listing |= _packed(root, f"{plain}-{distribution.version}", partial(_installed, distribution))
    return listing, Names(listing)


def _packed(root: Path, name: str, files: Callable[[], Iterator[tuple[str, Path]]]) -> packing.Listing:
    marker = root / f"{name}.json"
    if not packing.whole(marker, root):
        with waiting(root / "lock"):
            if not packing.whole(marker, root):
                packing.pack(root / f"{name}.tar", _contents(files()))
                packing.save(marker, packing.enlist(root, [f"{name}.tar"]))
    listing = packing.load(marker)
    assert listing is not None
    return listing


def _contents(files: Iterator[tuple[str, Path]]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of the Python files to pack, in the order of their names."""
    for name, path in sorted(files):
        parts = PurePosixPath(name).parts
        if (
            name.endswith(".py")
            and not _LEFT_OUT.intersection(parts)
            and not _TEST_FILE.fullmatch(parts[-1])
            and path.is_file()
            and path.stat().st_size <= _LARGEST_FILE
        ):
            yield name, path.read_bytes()


def _tree(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in folder.rglob("*.py"):
        yield path.relative_to(folder).as_posix(), path


def _installed(distribution: metadata.Distribution) -> Iterator[tuple[str, Path]]:
    for file in distribution.files or ():
        yield file.as_posix(), Path(str(file.locate()))
