"""Checks raw files against what was fetched, and the cache of hashes against the files."""

from __future__ import annotations

from pathlib import Path

from curation.build import Build, StepResult
from curation.raw_files import IN_PLACE, entries_of, file_here
from curation.verify.findings import Checked, Fault, Finding
from curation.verify.hashed import agrees_with
from open_ml_embed.core.hashing import hash_file
from open_ml_embed.core.json_text import loads


def check_raw(build: Build, fetched: StepResult | None, checked: Checked, *, deep: bool) -> None:
    """Check the files that `fetch` listed; add what is found."""
    if fetched is None:
        return
    seen: set[str] = set()
    for _, _, entry in entries_of(fetched.stats["files"]):
        if entry["path"] in seen:
            continue
        seen.add(entry["path"])
        file = file_here(entry, build)
        path = Path(file.path)
        checked.count(entry["size"])
        fault = _fault(path, entry["size"], entry["identity"], deep=deep)
        if fault is None or (fault[0] == "missing" and build.raw_copies.missing([file]) is None):
            continue
        kind, what = fault
        if entry["path"].startswith(IN_PLACE):
            remedy = (
                f"put the file there as it was; or, if it was changed on purpose, run {build.command('curate fetch')}"
            )
            checked.add([Finding(str(path), kind, what, remedy=remedy)])
        else:
            checked.add([Finding(entry["path"], kind, what, "fetch", remove=(entry["path"],))])


def _fault(path: Path, size: int, identity: str, *, deep: bool) -> Fault | None:
    if not path.is_file():
        return "missing", "is missing"
    there = path.stat().st_size
    if there != size:
        return "damaged", f"has {there} bytes, and {size} were fetched"
    if deep and agrees_with(path, identity) is False:
        return "damaged", "does not have the bytes that were fetched"
    return None


def check_hashes(build: Build, checked: Checked, *, deep: bool) -> None:
    """Check the cache of hashes; a wrong one would hide a changed file, or invent a change."""
    path = build.local_work / "hashes.json"
    name = "work/hashes.json"
    if not path.is_file():
        return
    checked.count(path.stat().st_size)
    try:
        entries = loads(path.read_bytes())
        assert isinstance(entries, dict)
        wrong = [key for key, value in entries.items() if deep and _is_wrong(key, value)]
    except (ValueError, AssertionError, TypeError):
        checked.add([Finding(name, "damaged", "is not the cache that was written", "cache", remove=(name,))])
        return
    if wrong:
        what = f"has another hash than the file for {wrong[0].partition(' ')[2]}"
        checked.add([Finding(name, "damaged", what, "cache", remove=(name,))])


def _is_wrong(key: str, value: object) -> bool:
    """Tell whether an entry states a hash that the file does not have; an entry of another state of it does no harm."""
    algorithm, _, name = key.partition(" ")
    if algorithm not in ("xxh3", "sha256", "git") or not (isinstance(value, list) and len(value) == 3):
        return True
    path = Path(name)
    if not path.is_file():
        return False
    state = path.stat()
    same = value[:2] == [state.st_size, state.st_mtime_ns]
    return same and hash_file(path, algorithm) != value[2]  # type: ignore[arg-type] # checked above
