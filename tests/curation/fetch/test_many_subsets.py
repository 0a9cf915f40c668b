"""What many subsets share is listed and hashed once in a run, and the result is that of a fetch of each by itself."""

import shutil
from collections import Counter
from pathlib import Path

import pytest

from curation.pipeline.freshness import Checker
from curation.pipeline.run import run_step
from curation.raw_files import fetch_options, lock_path, portable
from open_ml_embed.core import hashing
from sources.fetch import apt, fetch, hub, local, packing
from sources.fetch.hub import resolve
from sources.lock import write_lock
from tests.support.hub.server import serving
from tests.support.hub_set import manifest as hub_manifest

SUBSETS = [f"s{number:02d}" for number in range(12)]
TABLES = {
    name: {"files": [glob], "format": "jsonl", "fields": {"q": "string", "d": "string"}}
    for name, glob in (("records", "{subset}/*.jsonl"), ("shared", "shared.jsonl"))
}


def fill(folder: Path) -> int:
    """Write two files for each subset, and one that all of them read; return their number."""
    for subset in SUBSETS:
        (folder / subset).mkdir(parents=True)
        for number in range(2):
            (folder / subset / f"{number}.jsonl").write_text(f'{{"q": "{subset} {number}", "d": "x"}}\n')
    (folder / "shared.jsonl").write_text('{"q": "shared", "d": "x"}\n')
    return 2 * len(SUBSETS) + 1


@pytest.fixture(params=["manual", "hub", "locked"])
def many(request, workshop, tmp_path, monkeypatch):
    """A source of twelve subsets in a local folder, by each way to one."""
    kind = request.param
    name = "many" if kind == "manual" else "town/many"
    count = fill(tmp_path / "raw" / name)
    origin = {"kind": "manual", "url": "x", "folder": name} if kind == "manual" else {"kind": "hub", "repo": name}
    workshop.manifest("many", SUBSETS, origin=origin, tables=TABLES)
    build = workshop.build(sources={"include": ["many"], "collection": None, "local_root": str(tmp_path / "raw")})
    if kind == "locked":
        monkeypatch.setattr(hub, "_listings", {})
        with serving(tmp_path / "hub") as server:
            shutil.copytree(tmp_path / "raw" / name, tmp_path / "hub" / name / "main")
            locked = resolve(build.manifest("many"), hub.FetchOptions(str(build.raw), endpoint=server.endpoint))
        write_lock(lock_path(build), locked)
    return build, count, 2 if kind == "locked" else 1


def counted(monkeypatch, module, name, asked):
    whole = getattr(module, name)

    def counting(path, *more):
        asked[name, str(path), *more] += 1
        return whole(path, *more)

    monkeypatch.setattr(module, name, counting)


def test_each_file_is_hashed_once_and_each_folder_listed_once(many, monkeypatch):
    build, files, algorithms = many
    asked = Counter()
    counted(monkeypatch, hashing, "hash_file", asked)
    counted(monkeypatch, local, "names_below", asked)
    options = fetch_options(build)
    for subset in SUBSETS:
        fetch(build.manifest("many"), subset, options)
    assert set(asked.values()) == {1}
    assert sum(key[0] == "hash_file" for key in asked) == algorithms * files
    assert sum(key[0] == "names_below" for key in asked) == 1
    asked.clear()
    Checker(build).state("fetch")
    assert set(asked.values()) <= {1}


def test_the_result_is_that_of_each_subset_by_itself(many):
    build, _, _ = many
    fetched = run_step(build, "fetch").stats["files"]["many"]
    for subset in SUBSETS:
        alone = fetch(build.manifest("many"), subset, fetch_options(build))
        assert fetched[subset] == [portable(file, build) for file in alone]
        assert [file.name for file in alone] == [f"{subset}/0.jsonl", f"{subset}/1.jsonl", "shared.jsonl"]


def test_a_run_sees_what_changed_since_the_run_before(many, tmp_path):
    build, _, _ = many
    lock_path(build).unlink(missing_ok=True)
    before = run_step(build, "fetch").stats["files"]["many"]
    (shared,) = (tmp_path / "raw").rglob("shared.jsonl")
    shared.write_text('{"q": "SHARED", "d": "x"}\n')
    (shared.parent / "s03/2.jsonl").write_text('{"q": "more", "d": "x"}\n')
    after = run_step(build, "fetch").stats["files"]["many"]
    assert len(after["s03"]) == 4
    assert all(before[subset][-1]["identity"] != after[subset][-1]["identity"] for subset in SUBSETS)


def test_indexes_of_apt_are_checked_once(tmp_path, monkeypatch):
    home = tmp_path / "raw/apt"
    names = [f"bookworm/main/i18n/Translation-{subset}" for subset in SUBSETS]
    for name in names:
        (home / "files" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "files" / name).write_text(name)
    packing.save(home / "indexes.json", packing.enlist(home / "files", names))
    asked = Counter()
    counted(monkeypatch, packing, "whole", asked)
    data = hub_manifest(["*/main/i18n/Translation-{subset}"]).model_dump()
    data |= {"origin": {"kind": "apt", "indexes": ["Translation"]}}
    data["subsets"] = {subset: {"query_lang": "eng-Latn"} for subset in SUBSETS}
    source = type(hub_manifest()).model_validate(data)
    options = hub.FetchOptions(str(tmp_path / "raw"))
    for subset, name in zip(SUBSETS, names, strict=True):
        assert [file.name for file in apt.fetch(source.bound(subset), subset, options)] == [name]
    assert sum(asked.values()) == 1
