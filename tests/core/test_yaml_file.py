"""A YAML file that cannot be meant as it is written is refused, with the line."""

import pytest

from open_ml_embed.core.errors import ManifestError, SettingsError
from open_ml_embed.core.yaml_file import read_yaml


@pytest.mark.parametrize(
    ("data", "where", "what"),
    [
        (b"a: 1\nb: [\n", ", line 3", "not YAML"),
        (b"a: 1\nb:\n  c: 1\n  c: 2\n", ", line 4", "the key 'c' stands there a second time"),
        (b"- {x: 1, 'x': 2}\n", ", line 1", "the key 'x' stands there a second time"),
        (b"a: \xff\xfe\n", "", "not YAML"),
        (b"a: !!python/object:os.system {}\n", ", line 1", "not YAML"),
        (b"a: 2024-13-45\n", "", "a value is impossible"),
        (b"a: 2024-02-30\n", "", "a value is impossible"),
        (b"a: &a [*a]\n", "", "an alias stands within what it names"),
        (b"a: &a {k: *a}\n", "", "an alias stands within what it names"),
        (
            b"x0: &x0 [1]\n"
            + b"".join(b"x%d: &x%d [%s]\n" % (i, i, b",".join([b"*x%d" % (i - 1)] * 9)) for i in range(1, 9)),
            "",
            "holds more than 1,000,000 values",
        ),
        ("a: Café".encode("latin-1"), "", "not YAML"),
        (b"? [a, {b: c}]\n: d\n", ", line 1", "not YAML"),
    ],
)
def test_what_is_no_yaml_or_says_a_thing_twice(tmp_path, data, where, what):
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    with pytest.raises(ManifestError) as caught:
        read_yaml(path, ManifestError)
    assert caught.value.where == f"{path}{where}"
    assert what in caught.value.what


@pytest.mark.parametrize(
    "data",
    [b"a: " + b"[" * 200_000, b"{a: " * 200_000, b"- " * 200_000, b"? " * 200_000 + b"a", b"[" * 101 + b"]" * 101],
)
def test_nesting_beyond_measure_is_said(tmp_path, data):
    """The C library's composer recurses without a limit: the process would end by SIGSEGV."""
    (tmp_path / "a.yaml").write_bytes(data)
    with pytest.raises(ManifestError, match="nested too deeply"):
        read_yaml(tmp_path / "a.yaml", ManifestError)


def test_equal_keys_of_different_mappings_and_kinds_are_no_repetition(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: {x: 1}\nb: {x: 2}\n1: one\n'1': text\nbase: &base {x: 1}\nmore: {<<: *base, x: 3}\n")
    assert read_yaml(path, ManifestError)["more"] == {"x": 3}


def test_a_file_that_is_not_there_or_none(tmp_path):
    with pytest.raises(SettingsError, match="no such file") as caught:
        read_yaml(tmp_path / "none.yaml", SettingsError, remedy="look elsewhere")
    assert caught.value.remedy == "look elsewhere"
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path, SettingsError)
