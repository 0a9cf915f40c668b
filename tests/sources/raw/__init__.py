"""Raw files of every source, in the exact form the source has: invented rows, and records broken as real ones are.

One module a source, of the same name, with

- `SUBSETS`: the subsets its files cover;
- `BROKEN`: (end of the file name, record number, reason) of a record that must be quarantined in the first of them;
- `build(folder)`: writes the files below `folder/<owner>/<repository>/`, as a `local_root` has them; or
  `files(folder, subset)`: writes files of an origin that has no folder form, and returns them as `RawFile`s.
"""

import pkgutil
from importlib import import_module
from pathlib import Path

from sources import registry
from sources.fetch import FetchOptions, fetch
from sources.parts import RawFile

FIXTURES = {info.name: import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)}


def raw_files(name: str, subset: str, folder: Path) -> list[RawFile]:
    """Build a source's fixture below `folder` and return the files of one subset."""
    fixture = FIXTURES[name]
    if hasattr(fixture, "files"):
        return fixture.files(folder, subset)
    fixture.build(folder)
    return fetch(
        registry.load(name), subset, FetchOptions(str(folder / "unused"), local_root=str(folder), offline=True)
    )
