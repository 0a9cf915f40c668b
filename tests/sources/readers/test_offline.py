from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open_ml_embed.core.errors import SchemaError
from sources.manifest import RawTable
from sources.quarantine import Quarantine
from sources.readers import read

FUNCTIONS = {"name": "string", "docstring": "string", "source": "string", "line": "int64"}


def records(path: Path, content: bytes, kind: str, fields: dict[str, str], **options: int):
    path.write_bytes(content)
    quarantine = Quarantine("s", "t")
    table = RawTable.model_validate({"files": ["*"], "format": kind, "fields": fields})
    rows, numbers = [], []
    for batch in read(path, "raw", table, quarantine, **options):
        assert batch.columns.column_names == list(fields)
        rows += batch.columns.to_pylist()
        numbers += batch.records.to_pylist()
    return rows, numbers, quarantine


def functions(tmp_path: Path, text: str | bytes):
    content = text.encode() if isinstance(text, str) else text
    return records(tmp_path / "module.py", content, "python", FUNCTIONS)


def test_continued_lines_are_joined_and_lone_dots_are_empty_lines(tmp_path):
    content = (
        b"Package: a\nDescription-de: kurz\n erste\n  eingerueckt\n .\n .\n letzte\nTag: x,\n\ty\n\n\n\nPackage: b\n"
    )
    fields = {"Description-de": "string", "Tag": "string", "Package": "string"}
    rows, numbers, quarantine = records(tmp_path / "f", content, "deb822", fields)
    assert rows[0] == {"Package": "a", "Description-de": "kurz\nerste\n eingerueckt\n\n\nletzte", "Tag": "x,\ny"}
    assert rows[1] == {"Package": "b", "Description-de": None, "Tag": None}
    assert numbers == [0, 1]
    assert quarantine.total == 0


@given(
    values=st.lists(
        st.lists(
            st.text(st.characters(categories=("L", "N", "P")), min_size=1).filter(lambda line: line != "."), min_size=1
        ),
        min_size=1,
    )
)
def test_what_is_written_as_deb822_is_read_back(values, tmp_path_factory):
    text = "\n".join("Field: " + "\n ".join(lines) + "\nOther: x\n" for lines in values)
    folder = tmp_path_factory.mktemp("deb822")
    rows, _, _ = records(folder / "f", text.encode(), "deb822", {"Field": "string"})
    assert [row["Field"] for row in rows] == ["\n".join(lines) for lines in values]


def test_torn_paragraphs_and_bad_bytes_are_quarantined_every_time(tmp_path):
    content = b"A: 1\n\nA: 2\nno colon\n\nA: \xff\xfe\n\n continued from nowhere\n\nA: 5\n"
    for _ in range(2):  # the second time from memory
        rows, numbers, quarantine = records(tmp_path / "f", content, "deb822", {"A": "string"})
        assert ([row["A"] for row in rows], numbers) == (["1", "5"], [0, 4])
        assert quarantine.counts == {"malformed-paragraph": 2, "invalid-utf8": 1}


def test_a_file_that_changed_is_read_anew(tmp_path):
    for value in ("one", "two"):
        rows, _, _ = records(tmp_path / "f", f"A: {value}\n".encode(), "deb822", {"A": "string"})
        assert rows == [{"A": value}]


def test_a_field_no_paragraph_has_breaks_the_schema(tmp_path):
    with pytest.raises(SchemaError, match=r"Description-de.*found: Description-fr, Package"):
        records(tmp_path / "f", b"Package: a\nDescription-fr: b\n", "deb822", {"Description-de": "string"})


def test_batches_of_deb822_hold_as_many_rows_as_asked(tmp_path):
    content = b"\n".join(b"A: %d\n" % n for n in range(7))
    path = tmp_path / "f"
    path.write_bytes(content)
    table = RawTable(files=["*"], format="deb822", fields={"A": "string"})
    sizes = [batch.columns.num_rows for batch in read(path, "f", table, Quarantine("s", "t"), batch_rows=3)]
    assert sizes == [3, 3, 1]


def test_message_files_give_pairs_without_their_metadata(tmp_path):
    content = '\ufeff{"@metadata": {"authors": []}, "a": "Größe", "b": 3, "c": ""}'.encode()
    rows, numbers, quarantine = records(tmp_path / "f", content, "json-map", {"key": "string", "value": "string"})
    assert (rows, numbers) == ([{"key": "a", "value": "Größe"}, {"key": "c", "value": ""}], [0, 2])
    assert quarantine.counts == {"wrong-type": 1}


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b'{"a": "b', "invalid-json"), (b"[1]", "not-an-object"), (b'{"a": "\xff"}', "invalid-utf8")],
)
def test_message_files_that_are_none_are_one_bad_record(tmp_path, content, reason):
    rows, _, quarantine = records(tmp_path / "f", content, "json-map", {"key": "string", "value": "string"})
    assert rows == []
    assert quarantine.counts == {reason: 1}


def test_functions_are_found_wherever_they_stand(tmp_path):
    text = '''
class Outer:
    """Not a function."""
    class Inner:
        async def method(self):
            """Do it."""
            def local():
                """Help."""
                return 1
            return local
if True:
    try:
        pass
    except ValueError:
        def rescue():
            """Save."""
            return 2
def silent():
    return 3
'''
    rows, numbers, _ = functions(tmp_path, text)
    assert [row["name"] for row in rows] == ["Outer.Inner.method", "Outer.Inner.method.<locals>.local", "rescue"]
    assert [row["line"] for row in rows] == [5, 7, 15]
    assert numbers == [0, 1, 2]


def test_the_docstring_goes_and_the_rest_stays(tmp_path):
    text = (
        "class A:\n    @decorated(\n        1)\n    def f(\n        self,\n    ) -> str:\n"
        '        """Größe\n        in cm.\n        """  # noqa\n\n        # a comment\n        return "é"\n'
    )
    rows, _, _ = functions(tmp_path, text)
    assert rows[0]["docstring"] == "Größe\nin cm."
    assert rows[0]["source"] == ('@decorated(\n    1)\ndef f(\n    self,\n) -> str:\n    # a comment\n    return "é"')


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ('def f(): "doc"; return 1', "def f(): return 1"),
        ('def f():\n    "doc"; x = 1\n    return x', "def f():\n    x = 1\n    return x"),
        ('def f():\r\n    """doc"""\r\n    return 1\r\n', "def f():\r\n    return 1"),
        ('def f():\n    """doc"""', None),
        ('def f():\n    """doc"""\n    ...', None),
        ('def f():\n    """doc"""\n    raise NotImplementedError("later")', None),
        ('def f():\n    """doc"""\n    raise ValueError', "def f():\n    raise ValueError"),
    ],
)
def test_shapes_of_bodies(tmp_path, text, source):
    rows, _, _ = functions(tmp_path, text)
    assert [(row["docstring"], row["source"]) for row in rows] == [("doc", source)]


def test_other_encodings_are_undone(tmp_path):
    rows, _, _ = functions(tmp_path, '# coding: latin-1\ndef f():\n    "naïve"\n    return "é"\n'.encode("latin-1"))
    assert (rows[0]["docstring"], rows[0]["source"]) == ("naïve", 'def f():\n    return "é"')


@pytest.mark.parametrize(
    "content", [b"def f(:\n", b"def f():\n  '\x00'\n", b"def f(): '\xff'", b"# coding: no-such\ndef f(): 1"]
)
def test_files_that_do_not_parse_are_one_bad_record(tmp_path, content):
    rows, _, quarantine = functions(tmp_path, content)
    assert rows == []
    assert quarantine.counts == {"does-not-parse": 1}


def test_odd_escapes_are_no_trouble(tmp_path):
    rows, _, quarantine = functions(tmp_path, 'def f():\n    "a \\d \\ud800"\n    return 1\n')
    assert rows[0]["docstring"] == "a \\d ?"
    assert quarantine.total == 0


def test_functions_without_such_a_field(tmp_path):
    with pytest.raises(SchemaError, match="comment"):
        records(tmp_path / "m.py", b"def f(): 1", "python", {"comment": "string"})
    with pytest.raises(SchemaError, match="other types"):
        records(tmp_path / "m.py", b"def f(): 1", "python", {"line": "string"})
