"""Raw files of every source, in the exact form the source has: invented rows, and records broken as real ones are.

One module a source, of the same name, with

- `SUBSETS`: the subsets its files cover;
- `BROKEN`: (end of the file name, record number, reason) of a record that must be quarantined in the first of them;
- `build(folder)`: writes the files below `folder/<owner>/<repository>/` (url origins: `folder/<source>/`; manual ones:
  `folder/<their folder>/`), as a `local_root` has them; or
  `files(folder, subset)`: writes files of an origin that has no folder form, and returns them as `RawFile`s.

What a Hub or a web server would give is fetched with the real client, from a server on this machine.
"""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from urllib.parse import quote

from sources import registry
from sources.fetch import FetchOptions, fetch
from sources.manifest import HubOrigin, Manifest, UrlOrigin
from sources.parts import RawFile
from tests.support.hub.files import serving_files
from tests.support.hub.server import serving

FIXTURES = {info.name: import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)}


def raw_files(name: str, subset: str, folder: Path) -> list[RawFile]:
    """Build a source's fixture below `folder` and fetch the files of one subset."""
    fixture = FIXTURES[name]
    if hasattr(fixture, "files"):
        return fixture.files(folder, subset)
    fixture.build(folder)
    manifest = registry.load(name)
    raw_root = str(folder / "fetched")
    if isinstance(manifest.origin, HubOrigin):
        linked(manifest, folder)
        with serving(folder / "hub", page=500) as server:
            return fetch(manifest, subset, FetchOptions(raw_root, endpoint=server.endpoint))
    if isinstance(manifest.origin, UrlOrigin):
        home = folder / name
        files = {p.relative_to(home).as_posix(): p.read_bytes() for p in home.rglob("*") if p.is_file()}
        with serving_files(files=files) as server:
            here = manifest.origin.model_copy(update={"base": server.endpoint})
            return fetch(manifest.model_copy(update={"origin": here}), subset, FetchOptions(raw_root))
    return fetch(manifest, subset, FetchOptions(raw_root, local_root=str(folder), offline=True))


def linked(manifest: Manifest, folder: Path) -> None:
    """Put what a fixture built below `folder` to where the Hub on this machine serves it from, `folder/hub`."""
    for repo, ref in _revisions(manifest):
        branch = folder / "hub" / repo / quote(ref, safe="")
        branch.parent.mkdir(parents=True, exist_ok=True)
        if not branch.is_symlink():
            branch.symlink_to(folder / repo)


def _revisions(manifest: Manifest) -> Iterator[tuple[str, str]]:
    yield manifest.origin.repo, manifest.origin.ref
    for table in manifest.tables.values():
        if table.repo is not None:
            repo, _, ref = table.repo.partition("@")
            yield repo, ref or "main"
