"""Every source of the corpus is probed where its fixture lies: the probe says what a fetch and a build then find."""

import itertools
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sources import registry
from sources.fetch import FetchOptions
from sources.manifest import HubOrigin, UrlOrigin
from sources.normalize import normalize, parts
from sources.probing.probe import probe
from sources.quarantine import Quarantine
from tests.sources.raw import FIXTURES, linked, raw_files
from tests.support.hub.files import serving_files
from tests.support.hub.server import serving

CORPUS = [manifest.name for manifest in registry.load_all() if manifest.origin.kind in ("hub", "url", "manual")]


@contextmanager
def served(name: str, folder: Path):
    """The fixture of a source where its origin has it: the manifest of its subsets, and the options to read it with."""
    manifest = registry.load(name)
    subsets = {subset: manifest.subsets[subset] for subset in FIXTURES[name].SUBSETS}
    manifest = manifest.model_copy(update={"subsets": subsets})
    options = FetchOptions(str(folder / "raw"))
    FIXTURES[name].build(folder)
    if isinstance(manifest.origin, HubOrigin):
        linked(manifest, folder)
        with serving(folder / "hub", page=500) as server:
            yield manifest, replace(options, endpoint=server.endpoint)
    elif isinstance(manifest.origin, UrlOrigin):
        home = folder / name
        files = {p.relative_to(home).as_posix(): p.read_bytes() for p in home.rglob("*") if p.is_file()}
        with serving_files(files=files) as server:
            origin = manifest.origin.model_copy(update={"base": server.endpoint})
            yield manifest.model_copy(update={"origin": origin}), options
    else:
        yield manifest, replace(options, local_root=str(folder))


def test_all_of_the_published_corpus_is_here():
    assert sum(registry.load(name).collection == "ml-embed" for name in CORPUS) == 121


@pytest.mark.parametrize("name", CORPUS)
def test_a_probe_says_what_a_build_finds(name, tmp_path):
    with served(name, tmp_path / "served") as (manifest, options), ThreadPoolExecutor(4) as pool:
        found = probe(manifest, options, pool)
    assert [f for f in found.findings if f.level == "failed"] == []
    assert found.reach == ("local" if manifest.origin.kind == "manual" else "reachable")
    every, bad, rows = set(), 0, 0
    for subset in manifest.subsets:
        files = raw_files(name, subset, tmp_path / "fetched")
        every |= {(file.name, Path(file.path).parts[-4:], file.size) for file in files}
        about = found.subsets[subset]
        assert about.size.files == len(files)
        assert about.size.bytes == sum(file.size for file in files)
        quarantine = [Quarantine(name, subset) for _ in parts(manifest, subset, files)]
        made = [
            row
            for part, bad_ones in zip(parts(manifest, subset, files), quarantine, strict=True)
            for batch in normalize(part, manifest, bad_ones, Counter())
            for row in batch.to_pylist()
        ]
        bad += sum(one.total for one in quarantine)
        rows += len(made)
        assert about.rows == len(made), subset
        for shown, row in zip(about.first, itertools.islice(made, 3), strict=False):
            assert row["query"].startswith(shown["query"].removesuffix("…"))
            assert row["origin"] == shown["origin"]
    assert found.size.files == len(every)
    assert found.rows == rows > 0
    assert found.quarantined.total() == bad
    assert any(about.first for about in found.subsets.values())
