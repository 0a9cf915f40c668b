"""Columns out of file names."""

import pytest

from open_ml_embed.core.errors import ManifestError, SchemaError, UnknownNameError
from tests.support.shaping import run

LABEL = {
    "kind": "label",
    "args": {"mode": "clustering", "label": "language", "names": {"de": "German", "fr": "French"}},
}
ARGS = {"pattern": "^(?P<language>[a-z]+)_", "shape": LABEL}
LANGS = {"query_lang": {"column": "language", "map": {"fr": "fra-Latn"}}}


@pytest.mark.parametrize("size", [None, 1])
def test_shape_sees_the_groups_of_the_pattern(size):
    rows, bad, filtered = run(
        "by_file",
        ARGS,
        LANGS,
        size,
        de_a=[{"text": "eins"}, {"text": "zwei"}],
        fr_a=[{"text": "un"}, {"text": ""}],
        fr_b=[{"text": "deux"}],
        en_a=[{"text": "one"}],
    )
    found = {(row["query"], row["positive"], row["label"], row["query_lang"], row["file"]) for row in rows}
    assert found == {
        ("eins", "zwei", "German", "deu-Latn", "de_a"),
        ("zwei", "eins", "German", "deu-Latn", "de_a"),
        ("un", "deux", "French", "fra-Latn", "fr_a"),
        ("deux", "un", "French", "fra-Latn", "fr_b"),
    }
    assert bad == [("fr_a", 1, "empty-query"), ("en_a", 0, "unknown-label")]
    assert not filtered


def test_name_that_does_not_fit():
    with pytest.raises(SchemaError, match="records: the name does not fit"):
        run("by_file", ARGS, LANGS, records=[{"text": "eins"}])


@pytest.mark.parametrize(
    ("args", "error", "says"),
    [
        ({"pattern": "^[a-z]+_"}, ManifestError, r"shape\.args\.pattern: .*no named group"),
        ({"pattern": "(?P<language>"}, ManifestError, r"shape\.args\.pattern: .*no regular expression"),
        ({"shape": {"kind": "label", "args": {"mode": "clusterin"}}}, UnknownNameError, "did you mean clustering"),
        ({"shape": {"kind": "lable", "args": {}}}, UnknownNameError, "did you mean label"),
    ],
)
def test_arguments_are_checked(args, error, says):
    with pytest.raises(error, match=says):
        run("by_file", ARGS | args, LANGS, de_a=[{"text": "eins"}])
