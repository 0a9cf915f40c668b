"""Plain text: a line is a record, numbered from zero; empty lines count and are none."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from open_ml_embed.core.errors import SchemaError
from sources.manifest import RawTable
from sources.quarantine import Quarantine
from sources.readers import line_blocks, read


def reading(path, fields=None, batch_rows=65_536):
    """Return (record → text, quarantined (record, reason))."""
    quarantine = Quarantine("s", "t")
    table = RawTable.model_validate({"files": ["*"], "format": "text", "fields": fields or {"text": "string"}})
    rows = {}
    for batch in read(path, "raw/x.txt", table, quarantine, batch_rows=batch_rows):
        assert batch.columns.column_names == ["text"]
        assert 0 < batch.columns.num_rows <= batch_rows
        assert batch.file == "raw/x.txt"
        rows |= zip(batch.records.to_pylist(), batch.columns["text"].to_pylist(), strict=True)
    return rows, [(bad["record"], bad["reason"]) for bad in quarantine.table().to_pylist()]


def written(folder, data: bytes, name="x.txt"):
    path = folder / name
    path.write_bytes(data)
    return path


def test_lines_are_numbered_and_empty_ones_left_out(tmp_path):
    path = written(tmp_path, "\ufeffone\r\n\r\n  two\tand \n\n\nthr€e".encode())
    assert reading(path) == ({0: "one", 2: "  two\tand ", 5: "thr€e"}, [])


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n\r\n\n"])
def test_nothing_but_line_ends(tmp_path, data):
    assert reading(written(tmp_path, data)) == ({}, [])


def test_only_a_line_feed_ends_a_line(tmp_path):
    text = "a\u2028b\x0bc\u0085d\re"
    assert reading(written(tmp_path, f"{text}\nf\n".encode())) == ({0: text, 1: "f"}, [])


@pytest.mark.parametrize("at", [0, 3, 6])
def test_line_that_is_not_utf8(tmp_path, at):
    content = [f"line {n}".encode() for n in range(7)]
    content[at] = b"caf\xe9"
    rows, bad = reading(written(tmp_path, b"\n".join(content)))
    assert bad == [(at, "invalid-utf8")]
    assert rows == {n: f"line {n}" for n in range(7) if n != at}


def test_packed_file_that_was_cut(tmp_path):
    # Digits that do not repeat, so that the packed bytes are many.
    whole = gzip.compress(b"".join(b"%d\n" % (n * 7919**2 % 10_000_019) for n in range(20_000)), mtime=0)
    rows, bad = reading(written(tmp_path, whole[: len(whole) // 2], "x.txt.gz"))
    assert len(rows) > 5_000
    assert rows == {n: str(n * 7919**2 % 10_000_019) for n in range(len(rows))}
    assert bad == [(len(rows), "truncated-file")]


def test_other_fields_cannot_be_declared(tmp_path):
    with pytest.raises(SchemaError, match="one field, `text`"):
        reading(written(tmp_path, b"x\n"), fields={"text": "string", "label": "int64"})


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r\ufeff"), max_size=12), max_size=20),
    ending=st.sampled_from(["\n", "\r\n"]),
    batch_rows=st.integers(1, 7),
    size=st.integers(1, 40),
)
def test_whatever_is_written_comes_back(tmp_path_factory, texts, ending, batch_rows, size):
    path = written(tmp_path_factory.mktemp("text"), ending.join(texts).encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_blocks.blocks, "__kwdefaults__", {"size": size})
        rows, bad = reading(path, batch_rows=batch_rows)
    assert rows == {n: text for n, text in enumerate(texts) if text}
    assert not bad
