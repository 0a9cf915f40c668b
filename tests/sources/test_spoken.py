"""The part of a source that is in some languages."""

import pytest

from curation.build import Build
from curation.pipeline.dependencies import declared
from curation.settings import load_profile
from open_ml_embed.core.errors import SettingsError, StageError
from sources import registry
from sources.spoken import names, speaks, within


@pytest.mark.parametrize(
    ("language", "tag", "is_one"),
    [
        ("de", "deu-Latn", True),
        ("deu-Latn", "deu-Latn", True),
        ("sr", "srp-Latn", True),
        ("srp-Latn", "srp-Cyrl", False),
        ("zh-hant", "zho-Hans", False),
        ("Python", "python-Code", True),
        ("c++", "cpp-Code", True),
        ("nonsense", "deu-Latn", False),
    ],
)
def test_a_language_is_named_as_people_do(language, tag, is_one):
    assert names(language, tag) == is_one


def test_a_part_has_the_subsets_that_are_all_in_the_languages():
    whole = registry.load("mediawiki_messages")
    part = within(whole, ["eng", "ab", "srp-Cyrl"])
    assert part is not None
    expected = [
        name
        for name, subset in whole.subsets.items()
        if {subset.query_lang, subset.positive_lang} <= {"eng-Latn", "abk-Cyrl", "srp-Cyrl"}
    ]
    assert "ab" in part.subsets
    assert list(part.subsets) == expected
    assert part.samples == sum(subset.samples for subset in part.subsets.values()) < whole.samples
    assert within(whole, ["ab"]) is None, "the other side is English"
    assert speaks(part, "abk")
    assert not speaks(part, "deu")


def test_rows_that_state_their_language_count_with_all_that_are_listed():
    muri = registry.load("muri")
    assert within(muri, ["deu"]) is None
    assert within(muri, muri.languages()).subsets.keys() == muri.subsets.keys()


def build(tmp_path, **sources) -> Build:
    import yaml

    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"profile": "p", "p": {"sources": sources}}))
    return Build(*load_profile(tmp_path / "params.yaml", None), tmp_path)


def test_a_profile_holds_the_parts_and_goes_stale_with_them(tmp_path):
    german = build(tmp_path, collection="offline", languages=["eng", "deu"])
    found = {manifest.name: list(manifest.subsets) for manifest in german.manifests()}
    assert found["debian_descriptions"] == ["de", "de_DE", "en"]
    assert "python_docstrings" not in found
    more = build(tmp_path, collection="offline", languages=["eng", "deu", "python"])
    assert {manifest.name for manifest in more.manifests()} == {*found, "python_docstrings"}
    whole = build(tmp_path, collection="offline")
    for step in ("fetch", "normalize"):
        assert declared(step, german, german.manifests()) != declared(step, whole, whole.manifests())


def test_a_language_that_no_source_has_is_an_error(tmp_path):
    with pytest.raises(SettingsError, match="no chosen source has a text in 'xx'"):
        build(tmp_path, collection="offline", languages=["eng", "xx"]).manifests()
    with pytest.raises(StageError, match="no subset of the chosen sources is all in abk"):
        build(tmp_path, include=["mediawiki_messages"], languages=["abk"]).manifests()
