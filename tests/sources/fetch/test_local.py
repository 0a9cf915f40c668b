"""Datasets fetched by hand, globs, and the messages when something is missing."""

from pathlib import Path

import pytest

from open_ml_embed.core.errors import FetchError
from sources.draft.sample import look_at
from sources.fetch import FetchOptions, fetch
from sources.fetch.file_selection import matching
from sources.globs import any_match
from tests.support.hub_set import manifest


def by_hand():
    origin = {"kind": "manual", "url": "https://example.org/terms", "folder": "example-1.0"}
    data = manifest(["*.jsonl"]).model_dump() | {"origin": origin}
    return type(manifest()).model_validate(data)


def test_by_hand(tmp_path):
    folder = tmp_path / "local/example-1.0"
    folder.mkdir(parents=True)
    (folder / "b.jsonl").write_text("b")
    (folder / "a.jsonl").write_text("a")
    (folder / "notes.txt").write_text("n")
    files = fetch(by_hand(), "en", FetchOptions(str(tmp_path / "raw"), local_root=str(tmp_path / "local")))
    assert [(file.name, Path(file.path).read_text()) for file in files] == [("a.jsonl", "a"), ("b.jsonl", "b")]
    assert files[0].identity != files[1].identity


def test_a_name_that_is_no_text_is_refused_in_words(tmp_path):
    """No record could hold it: a draft ended in a traceback."""
    folder = tmp_path / "local/example-1.0"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text("a")
    odd = folder / "caf\udce9.jsonl"
    odd.write_text('{"q": "what", "p": "that"}')
    options = FetchOptions(str(tmp_path / "raw"), local_root=str(tmp_path / "local"))
    for read in (
        lambda: fetch(by_hand(), "en", options),
        *(lambda p=p: look_at(str(p), options) for p in (folder, odd)),
    ):
        with pytest.raises(FetchError, match=r"is no UTF-8: b'caf\\xe9\.jsonl'") as caught:
            read()
        assert "rename" in caught.value.remedy


@pytest.mark.parametrize("local_root", [None, "nowhere"])
def test_by_hand_says_where_from_and_where_to(tmp_path, local_root):
    root = local_root and str(tmp_path / local_root)
    with pytest.raises(FetchError) as caught:
        fetch(by_hand(), "en", FetchOptions(str(tmp_path), local_root=root))
    assert "https://example.org/terms" in caught.value.remedy
    assert "<local_root>/example-1.0" in caught.value.remedy


@pytest.mark.parametrize(
    ("glob", "name", "matches"),
    [
        ("data/*.json", "data/a.json", True), ("data/*.json", "data/x/a.json", False),
        ("data/**/*.json", "data/x/y/a.json", True), ("**/a.json", "a.json", True), ("a.json", "b/a.json", False),
        ("a?.json", "ab.json", True), ("a?.json", "a/.json", False), ("[ab].json", "a.json", True),
        ("[!ab].json", "a.json", False), ("[!ab].json", "c.json", True), ("a.json", "axjson", False),
        ("train-00000-of-*.parquet", "train-00000-of-00017.parquet", True), ("a+b(1)", "a+b(1)", True),
    ],
)  # fmt: skip
def test_globs(glob, name, matches):
    assert any_match(name, [glob]) is matches


def test_nothing_at_all():
    with pytest.raises(FetchError, match="no file matches") as caught:
        matching([], ["x"], where="here")
    assert "it is empty" in caught.value.remedy


def test_by_hand_with_a_checksum(tmp_path):
    folder = tmp_path / "local/example-1.0"
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text("a")
    options = FetchOptions(str(tmp_path / "raw"), local_root=str(tmp_path / "local"))
    data = by_hand().model_dump()
    data["origin"]["sha256"] = {"a.jsonl": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"}
    assert len(fetch(type(by_hand()).model_validate(data), "en", options)) == 1
    (folder / "a.jsonl").write_text("b")
    with pytest.raises(FetchError, match=r"sha256 is 3e23.*the manifest states ca97") as caught:
        fetch(type(by_hand()).model_validate(data), "en", options)
    assert "https://example.org/terms" in caught.value.remedy
