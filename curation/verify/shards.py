"""Checks a folder of shards: every marker, and every file that a marker describes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from curation.verify.findings import Checked, Fault, Finding
from curation.verify.hashed import fault_of
from open_ml_embed.core.local_disk import TEMPORARY
from open_ml_embed.core.store import MARKER, WRITER, Marker, Output, Store, marker_of, writer_of

_SUFFIXES = (".arrow", ".parquet")


@dataclass(frozen=True)
class Place:
    """A folder of shards.

    Attributes:
        store: the folder.
        name: its path relative to the folder of the settings file, as `work/sample`.
        step_of: operation's folder and path below it → the step that makes the file again; empty if none does.
        remedy: what to do where no step makes a file again.
        left_out: paths that are checked elsewhere begin so.

    """

    store: Store
    name: str
    step_of: Callable[[str], str]
    remedy: str = ""
    left_out: tuple[str, ...] = ()

    def finding(self, path: str, fault: Fault, *remove: str) -> Finding:
        """Return a finding about a file of this folder."""
        kind, what = fault
        step = self.step_of(path)
        gone = tuple(f"{self.name}/{name}" for name in remove)
        return Finding(f"{self.name}/{path}", kind, what, step, "" if step else self.remedy, gone)


def check_shards(place: Place, checked: Checked, *, deep: bool) -> set[str]:
    """Check all shards and markers of a folder, and add what is found; return the paths that a marker describes.

    Args:
        place: the folder.
        checked: takes the findings.
        deep: read every file and compare its hash.

    """
    sizes, folders = _listed(place)
    checked.add(place.finding(path, ("damaged", "is a folder"), path) for path in folders)
    markers: dict[str, Marker] = {}
    writers: dict[str, str] = {}
    for path, size in sizes.items():
        try:
            if path.endswith(MARKER):
                markers[path] = marker_of(_read(place, path), path)
            elif path.endswith(WRITER):
                writers[path] = writer_of(_read(place, path), path)
            else:
                continue
        except (ValueError, KeyError, TypeError, OSError):
            checked.add([place.finding(path, ("damaged", "is damaged"), path, path.removesuffix(WRITER))])
        else:
            checked.count(size)
    described: dict[str, Output] = {}
    made_by: dict[str, list[str]] = {}
    for path, marker in markers.items():
        for output in _valid(place, path, marker, writers, sizes, checked):
            described[output.path] = output
            made_by.setdefault(output.path, []).append(path)
    for path, output in sorted(described.items()):
        checked.count(output.bytes)
        fault = fault_of(place.store, output, sizes.get(path), deep=deep)
        if fault:
            also = [path + WRITER] if path + WRITER in sizes else []
            checked.add([place.finding(path, fault, path, *also, *made_by[path])])
    blamed = {finding.path.removeprefix(f"{place.name}/") for finding in checked.findings}
    for path in sorted(sizes):
        known = path in described or path.endswith((MARKER, WRITER)) or path in blamed
        if not known:
            unknown: Fault = (
                "unknown",
                "has no marker that describes it: the task that made it did not end, or has to run again",
            )
            checked.add([place.finding(path, unknown)])
    return set(described)


def _valid(
    place: Place, path: str, marker: Marker, writers: dict[str, str], sizes: dict[str, int], checked: Checked
) -> Iterator[Output]:
    """Yield the outputs that a marker vouches for: not those that another task has written since."""
    stem = path.removesuffix(MARKER)
    for output in marker.outputs:
        beside = output.path + WRITER
        if output.path.startswith(f"{stem}.") or writers.get(beside) == marker.key:
            yield output
        elif beside not in sizes:
            checked.add([place.finding(beside, ("missing", "is missing"), output.path, path)])


def _read(place: Place, path: str) -> bytes:
    data = place.store.files.read(path)
    if data is None:
        raise FileNotFoundError(path)
    return data


def _listed(place: Place) -> tuple[dict[str, int], list[str]]:
    """Return path below the folder → size in bytes of all finished files, and the folders that have a file's name."""
    files = place.store.files
    sizes = place.store.sizes(sorted(path for path in files.paths("") if _counts(place, path)))
    folders = [
        path
        for path in sorted(files.folders(""))
        if path.endswith((MARKER, WRITER, *_SUFFIXES)) and _counts(place, path)
    ]
    return {path: size for path, size in sizes.items() if size is not None}, folders  # one may be gone since


def _counts(place: Place, path: str) -> bool:
    hidden = path.rpartition("/")[2].startswith(".")
    return not (hidden or path.endswith(TEMPORARY) or path.startswith(place.left_out))
