"""The collections: what each holds, and the sums of the published corpora."""

import json
from collections import Counter

import pytest
import yaml

from curation.pipeline.source_filter import Filter
from curation.report import published
from sources import registry
from sources.manifest import HubOrigin
from sources.released import read_release
from tests.support import ROOT

SUMS = {
    "ml-embed": (121, 50_513_802, {"retrieval": 44_698_699, "clustering": 5_450_183, "classification": 364_920}),
    "f2llm-v2": (157, 60_147_938, {"retrieval": 54_021_180, "clustering": 5_554_559, "classification": 572_199}),
}
"""Collection → sources, samples, samples by loss family, as published."""
MERGED = {"ajp", "gsw"}
"""Declared, but not among the published codes: ISO 639-3 merged `ajp` into `apc`; Alemannic is published under `als`,
which is its Wikipedia's code and the ISO code of Tosk Albanian."""


@pytest.mark.parametrize("collection", SUMS)
def test_a_published_corpus_adds_up(collection):
    manifests = list(registry.load_all(collection))
    families = Counter[str]()
    for manifest in manifests:
        families[manifest.family] += manifest.samples
    assert (len(manifests), sum(families.values()), families) == SUMS[collection]


def test_a_collection_holds_what_it_includes_and_nothing_else():
    held = {name: {m.name for m in registry.load_all(name)} for name in ("ml-embed", "f2llm-v2", "community", "kalm")}
    assert held["ml-embed"] < held["f2llm-v2"]
    assert len(held["f2llm-v2"] - held["ml-embed"]) == 36
    assert not held["f2llm-v2"] & (held["community"] | held["kalm"])


def test_the_data_of_kalm_add_up():
    """Sets of which a folder is known, those of which none is, and all together as arXiv 2604.02045 counts them."""
    datasets = published.kalm_datasets()
    ours = Counter[int]()
    for manifest in registry.load_all("kalm"):
        ours.update(subset.samples or 0 for subset in manifest.subsets.values())
    counted = Counter(dataset.pairs for dataset in datasets if dataset.pairs is not None)
    assert counted.total() == 62
    assert sum(pairs * count for pairs, count in counted.items()) == 3_655_225
    assert ours <= counted, "each subset has the pairs of a data set"
    left_out = counted - ours
    assert (ours.total(), left_out.total()) == (53, 9)
    assert sum(pairs * count for pairs, count in left_out.items()) == 523_614
    assert sum(manifest.samples for manifest in registry.load_all("kalm")) == 3_131_611


def test_the_sources_are_those_of_the_release_with_its_families_and_tasks():
    released = {(row.source, row.family, row.task) for row in read_release().rows}
    ours = {(m.name, m.family, m.task) for m in registry.load_all("f2llm-v2")}
    new = {m.name for m in registry.load_all("f2llm-v2") if m.collection == "f2llm-v2"}
    assert {name for name, *_ in released} == {name for name, *_ in ours}
    assert {row for row in released if row[0] in new} == {row for row in ours if row[0] in new}


def test_languages_of_released_files_are_those_of_the_manifests():
    for row in read_release().rows:
        manifest = registry.load(row.source)
        if manifest.collection == "f2llm-v2":
            subsets = [manifest.subsets[name] for name in row.subsets or manifest.subsets]
            assert {subset.query_lang for subset in subsets} == {row.query_language}, row.file


@pytest.mark.parametrize("collection", SUMS)
def test_its_languages_are_the_published_ones(collection):
    tags = {tag for manifest in registry.load_all(collection) for tag in manifest.languages()}
    natural = {tag.rpartition("-")[0] for tag in tags if not tag.endswith("-Code")}
    programming = {tag.removesuffix("-Code") for tag in tags if tag.endswith("-Code")}
    assert len(published.languages()) == 282
    assert natural - MERGED == set(published.languages())
    assert natural >= MERGED
    assert published.labels() == 44
    assert programming == set(published.programming_languages())


ALL = list(registry.load_all())
LABELS = [label for label, _ in published._rows("programming_languages.tsv")]


@pytest.mark.parametrize("language", [*published.languages(), *LABELS])
def test_every_published_language_finds_a_source(language):
    """As `curate sources --collection f2llm-v2 --language` looks it up, by code or label as published."""
    assert Filter(language=language, collection="f2llm-v2").choose(ALL)


def test_there_are_so_many_published_languages():
    assert (len(published.languages()), len(LABELS)) == (282, 44)


def test_the_profile_of_the_whole_corpus_takes_the_collection():
    profile = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))["f2llm-v2"]
    assert profile["sources"] == {"collection": "f2llm-v2"}


COMMUNITY = list(registry.load_all("community"))
ADDED = {
    "tapaco": {"cbk", "gos", "ile", "jbo", "lfn", "orv", "ota", "tlh", "tok"},
    "oldi_seed": {"mak"},
    "smol_documents": {"hoc", "unr"},
    "mafand": {"bbj", "pcm"},
    "ilist": {"bra"},
    "commitpackft": {"julia", "elixir", "clojure"},
    "rosetta_code": {
        "ada",
        "cobol",
        "erlang",
        "fortran",
        "nim",
        "prolog",
        "racket",
        "scheme",
        "smalltalk",
        "tcl",
        "zig",
    },
}
"""Source → languages that no source of the published corpus declares."""


def names(manifests) -> set[str]:
    return {tag.rpartition("-")[0] for manifest in manifests for tag in manifest.languages()}


def test_community_sources_add_the_languages_that_they_say():
    corpus = names(registry.load_all("f2llm-v2"))
    for source, languages in ADDED.items():
        assert languages <= names([registry.load(source)]) - corpus, source


@pytest.mark.parametrize("manifest", COMMUNITY, ids=lambda manifest: manifest.name)
def test_a_community_source_says_what_was_checked(manifest):
    assert "Contamination: " in manifest.notes
    assert manifest.license.id


def test_no_community_source_is_the_data_of_an_evaluation():
    lines = (ROOT / "manifests/evaluations/mteb.jsonl").read_text("utf-8").splitlines()
    evaluated = {json.loads(line).get("repo", "").lower() for line in lines[1:]}
    assert len(evaluated) > 1000
    repositories = {m.origin.repo.lower() for m in COMMUNITY if isinstance(m.origin, HubOrigin)}
    assert repositories
    assert not repositories & evaluated
