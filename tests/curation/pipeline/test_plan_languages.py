"""The languages of the published corpus are known by name before anything is fetched."""

import pytest

from curation.langid.codes import corpus_languages
from sources import registry
from sources.spoken import speaks

MANIFESTS = list(registry.load_all("ml-embed"))


def test_every_language_of_the_corpus_has_a_source_that_names_it():
    named = {tag.partition("-")[0] for manifest in MANIFESTS for tag in manifest.languages()}
    assert len(corpus_languages()) == 282
    assert sorted(set(corpus_languages()) - named) == []


@pytest.mark.parametrize("code", ["sme", "nav", "haw", "chm", "lah"])
def test_a_language_that_only_rows_tell_finds_its_source(code):
    assert "muri" in [manifest.name for manifest in MANIFESTS if speaks(manifest, code)]


def test_no_source_names_more_languages_than_it_has():
    for manifest in MANIFESTS:
        for column in manifest.language_columns():
            assert len(column.languages) == len(set(column.languages)), manifest.name
    muri = registry.load("muri")
    assert len(muri.languages()) <= muri.language_count() == 194
