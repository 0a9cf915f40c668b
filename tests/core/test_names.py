"""Names and paths of manifests, mixes and settings stay in their folders."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from open_ml_embed.core.errors import InvalidInputError, SettingsError
from open_ml_embed.core.names import check_inside, check_name, check_path, check_value, inside
from open_ml_embed.core.params import read_profiles
from sources import registry
from sources.manifest import Manifest
from tests.support.workshop import MANIFEST

UP = ["..", "../x", "a/../../x", "/etc/passwd", "a\0b", "", "a\\..\\b", "a\n"]
NO_NAMES = [*UP, "a/b", ".hidden", "-rf", "x" * 101, "ä"]


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ValueError, match="no name"):
        check_name(name)


@pytest.mark.parametrize("path", UP)
def test_what_leaves_its_folder_is_refused(path):
    with pytest.raises(ValueError, match="does not stay"):
        check_inside(path)


@given(st.text(st.sampled_from("ab./\\\0*")))
def test_a_path_that_passes_is_below_its_folder(tmp_path_factory, path):
    root = tmp_path_factory.getbasetemp()
    try:
        checked = check_inside(path)
    except ValueError:
        return
    assert (root / checked).resolve().is_relative_to(root.resolve())


@pytest.mark.parametrize("part", [*UP, "x" * 256, "é" * 128])
def test_what_leaves_a_folder_or_fits_no_file_system_is_not_joined_to_it(tmp_path, part):
    for parts in ((part,), ("a", part), (part, "a")):
        with pytest.raises(InvalidInputError) as caught:
            inside(tmp_path, *parts)
        assert caught.value.where == str(tmp_path)
    assert inside(tmp_path, "a/b", "c" * 255) == tmp_path / "a/b" / ("c" * 255)


def test_a_folder_may_be_absolute_and_never_goes_up():
    assert check_path("/data/set") == "/data/set"
    with pytest.raises(ValueError, match="does not stay"):
        check_path("/data/../etc")
    assert check_value("a value, of any kind: x..y")


ORIGIN = {"kind": "hub", "repo": "owner/name", "ref": "main"}
TABLES = {"records": {"files": ["a/*.jsonl"], "format": "jsonl", "fields": {"q": "string", "p": "string"}}}


@pytest.mark.parametrize(
    "changes",
    [
        {"subsets": {"../../up": {"query_lang": "eng-Latn"}}},
        {"subsets": {"x" * 300: {"query_lang": "eng-Latn"}}},
        {"origin": ORIGIN | {"repo": "../.."}},
        {"origin": ORIGIN | {"ref": "../main"}},
        {"origin": ORIGIN | {"mirrors": ["../../x"]}},
        {"origin": {"kind": "manual", "url": "x", "folder": "../up"}},
        {"tables": {"records": TABLES["records"] | {"files": ["../../*.jsonl"]}}},
        {"tables": {"records": TABLES["records"] | {"files": ["/etc/passwd"]}}},
        {"tables": {"records": TABLES["records"] | {"repo": "../.."}}},
        {"subsets": {"a": {"query_lang": "eng-Latn", "vars": {"name": "../../etc"}}}},
        {"name": "x" * 300},
    ],
)
def test_manifests_that_point_outside_are_refused(changes):
    sound = MANIFEST | {"name": "made", "tables": TABLES, "subsets": {"all": {"query_lang": "eng-Latn"}}}
    assert Manifest.model_validate(sound | {"origin": ORIGIN}).name == "made"
    with pytest.raises(ValidationError):
        Manifest.model_validate(sound | {"origin": ORIGIN} | changes)


@pytest.mark.parametrize("name", ["../up", "a/b", "x" * 300, "a\0"])
def test_profiles_have_names(tmp_path, name):
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({name: {"sources": {"include": ["squad"]}}}))
    with pytest.raises(SettingsError):
        read_profiles(tmp_path / "params.yaml")


def test_every_manifest_of_the_project_has_such_names():
    assert sum(1 for _ in registry.load_all()) > 120
