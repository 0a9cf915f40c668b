"""Every reader: the bad record is quarantined with file, number and reason, and all the others come through."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.errors import SchemaError
from sources.manifest import RawTable
from sources.quarantine import Quarantine
from sources.readers import archives, lines, read

AB = {"a": "string", "b": "int64"}


def reading(path: Path, batch_rows: int = 65_536, **table):
    """Return (record → row, quarantined (file, record, reason))."""
    quarantine = Quarantine("s", "t")
    spec = RawTable.model_validate({"files": ["*"], "fields": AB} | table)
    rows = {}
    for batch in read(path, f"raw/{path.name}", spec, quarantine, batch_rows=batch_rows):
        assert batch.columns.column_names == list(spec.fields)
        assert 0 < batch.columns.num_rows <= batch_rows or batch.columns.num_rows == 0
        assert len(batch.records) == batch.columns.num_rows
        for record, row in zip(batch.records.to_pylist(), batch.columns.to_pylist(), strict=True):
            assert (batch.file, record) not in rows
            rows[batch.file, record] = row
    bad = [(q["file"], q["record"], q["reason"]) for q in quarantine.table().to_pylist()]
    return rows, bad


def write(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def numbers(rows):
    return [record for _, record in rows]


BAD_LINES = {
    "invalid-json": b'{"a": "x", "b": ',
    "not-an-object": b"[1, 2]",
    "invalid-utf8": b'{"a": "\xff\xfe", "b": 1}',
    "wrong-type": b'{"a": {"deep": 1}, "b": 1}',
}


@pytest.mark.parametrize("reason", BAD_LINES)
@pytest.mark.parametrize("at", [0, 7, 19])
def test_jsonl_bad_line(tmp_path, reason, at):
    good = [b'{"a": "%d", "b": %d, "c": null}' % (i, i) for i in range(20)]
    good[at] = BAD_LINES[reason]
    rows, bad = reading(write(tmp_path, "x.jsonl", b"\n".join(good)), format="jsonl")
    assert bad == [("raw/x.jsonl", at, reason)]
    assert rows == {("raw/x.jsonl", i): {"a": str(i), "b": i} for i in range(20) if i != at}


def test_jsonl_lone_surrogate_is_no_text(tmp_path):
    rows, bad = reading(write(tmp_path, "x.jsonl", '{"a": "\\ud800", "b": 1}\n{"a": "ok", "b": 2}\n'), format="jsonl")
    assert bad == [("raw/x.jsonl", 0, "invalid-utf8")]
    assert numbers(rows) == [1]


def test_jsonl_blank_lines_count_and_mark_and_crlf_do_not_matter(tmp_path):
    path = write(tmp_path, "x.jsonl", b'\xef\xbb\xbf{"a": "1", "b": 1}\r\n\r\n{"a": "2", "b": 2}')
    rows, bad = reading(path, format="jsonl")
    assert bad == []
    assert numbers(rows) == [0, 2]


def test_jsonl_numbers_become_text_where_text_is_declared(tmp_path):
    rows, bad = reading(write(tmp_path, "x.jsonl", '{"a": 17, "b": 1}\n{"a": "18", "b": null}\n'), format="jsonl")
    assert not bad
    assert list(rows.values()) == [{"a": "17", "b": 1}, {"a": "18", "b": None}]


def test_jsonl_nested_fields_keep_texts_that_look_like_dates(tmp_path):
    path = write(tmp_path, "x.jsonl", '{"a": {"d": "2020-01-01"}, "b": 1}\n{"a": {"d": "2020-01-02"}, "b": 2}\n')
    rows, _ = reading(path, format="jsonl", fields={"a": "struct"})
    assert [row["a"]["d"] for row in rows.values()] == ["2020-01-01", "2020-01-02"]


@pytest.mark.parametrize(("kind", "at"), [("list<string>", 0), ("list<string>", 2), ("any", 1)])
def test_a_string_is_no_list_of_characters(tmp_path, kind, at):
    lines = [{"a": [f"text {i}"]} for i in range(3)]
    lines[at] = {"a": "abc"}
    text = "\n".join(json.dumps(line) for line in lines)
    rows, bad = reading(write(tmp_path, "x.jsonl", text), format="jsonl", fields={"a": kind})
    assert [row["a"] for row in rows.values()] == [[f"text {i}"] for i in range(3) if i != at]
    assert bad == [("raw/x.jsonl", at, "wrong-type")]


def test_jsonl_overlong_line(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK_BYTES", 64)
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 300)
    monkeypatch.setattr(lines.blocks, "__kwdefaults__", {"size": 64})
    data = [json.dumps({"a": str(i) * (1000 if i == 3 else 1), "b": i}) for i in range(6)]
    rows, bad = reading(write(tmp_path, "x.jsonl", "\n".join(data)), format="jsonl")
    assert bad == [("raw/x.jsonl", 3, "oversized-record")]
    assert numbers(rows) == [0, 1, 2, 4, 5]


@pytest.mark.parametrize(
    "pack", [gzip.compress, partial(bz2.compress, compresslevel=1), partial(lzma.compress, preset=0)]
)
def test_compressed_file_cut_short(tmp_path, pack):
    data = b"".join(b'{"a": "%d", "b": %d}\n' % (i * 7919 % 10007, i) for i in range(40_000))
    whole = pack(data)
    rows, bad = reading(write(tmp_path, "whole.jsonl.z", whole), format="jsonl")
    assert not bad
    assert len(rows) == 40_000
    rows, bad = reading(write(tmp_path, "cut.jsonl.z", whole[: len(whole) * 2 // 3]), format="jsonl")
    assert [reason for *_, reason in bad] == ["truncated-file"]
    assert numbers(rows) == list(range(len(rows)))
    assert bad[0][1] == len(rows) > 20_000, "nothing before the cut is lost"


def parquet_bytes(table: pa.Table, **options) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def test_parquet_corrupt_row_group(tmp_path):
    table = pa.table({"a": [f"text number {i}" for i in range(300)], "b": list(range(300)), "unused": [0.0] * 300})
    data = bytearray(parquet_bytes(table, row_group_size=100, use_dictionary=False, compression="zstd"))
    start = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(1).column(0).data_page_offset
    data[start + 20 : start + 200] = b"\0" * 180
    rows, bad = reading(write(tmp_path, "x.parquet", bytes(data)), format="parquet")
    assert bad == [("raw/x.parquet", 100, "corrupt-row-group")]
    assert numbers(rows) == [*range(100), *range(200, 300)]


def test_parquet_counts_every_row_of_a_corrupt_group(tmp_path):
    data = bytearray(parquet_bytes(pa.table({"a": ["x" * 50] * 70, "b": range(70)}), use_dictionary=False))
    start = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(0).data_page_offset
    data[start : start + 30] = b"\xff" * 30
    quarantine = Quarantine("s", "t")
    spec = RawTable(files=["*"], format="parquet", fields=AB)
    assert list(read(write(tmp_path, "x.parquet", bytes(data)), "x", spec, quarantine)) == []
    assert quarantine.total == 70


def test_parquet_invalid_utf8(tmp_path):
    binary = pa.array([b"good", b"\xff\xfe", b"fine"])
    text = pa.StringArray.from_buffers(3, binary.buffers()[1], binary.buffers()[2])
    path = write(tmp_path, "x.parquet", parquet_bytes(pa.table({"a": text, "b": [1, 2, 3]})))
    rows, bad = reading(path, format="parquet")
    assert bad == [("raw/x.parquet", 1, "invalid-utf8")]
    assert numbers(rows) == [0, 2]


def test_parquet_that_is_none(tmp_path):
    rows, bad = reading(write(tmp_path, "x.parquet", b"PAR1 but not really"), format="parquet")
    assert bad == [("raw/x.parquet", 0, "unreadable-file")]
    assert not rows


def test_parquet_types_are_cast(tmp_path):
    table = pa.table({"a": pa.array(["x", "y"]).dictionary_encode(), "b": pa.array(["1", "two"])})
    rows, bad = reading(write(tmp_path, "x.parquet", parquet_bytes(table)), format="parquet")
    assert bad == [("raw/x.parquet", 1, "wrong-type")]
    assert list(rows.values()) == [{"a": "x", "b": 1}]


def test_column_of_an_impossible_type(tmp_path):
    path = write(tmp_path, "x.parquet", parquet_bytes(pa.table({"a": [{"deep": 1}], "b": [1]})))
    with pytest.raises(SchemaError, match=r"'a' is struct.*cannot become string"):
        reading(path, format="parquet")


MISSING = {
    "parquet": parquet_bytes(pa.table({"answer": ["x"], "b": [1]})),
    "jsonl": b'{"answer": "x", "b": 1}\n',
    "csv": b"answer,b\nx,1\n",
    "tsv": b"answer\tb\nx\t1\n",
    "json": b'[{"answer": "x", "b": 1}]',
}


@pytest.mark.parametrize("format_", MISSING)
def test_missing_column_names_what_is_there(tmp_path, format_):
    path = write(tmp_path, f"x.{format_}", MISSING[format_])
    with pytest.raises(SchemaError) as caught:
        reading(path, format=format_, fields={"answers": "string", "b": "int64"})
    assert "no column 'answers'" in str(caught.value)
    assert "found: answer, b" in str(caught.value)
    assert "'answers' may be 'answer' here" in caught.value.remedy


def test_csv_rows_with_wrong_number_of_values(tmp_path):
    data = 'a,b\nx,1\n"two\nlines",2\nlonely\n"quo""te",4\nw,5,6\nlast,6\n'
    rows, bad = reading(write(tmp_path, "x.csv", data), format="csv")
    assert bad == [("raw/x.csv", 2, "too-few-values"), ("raw/x.csv", 4, "too-many-values")]
    assert {record: row["a"] for (_, record), row in rows.items()} == {0: "x", 1: "two\nlines", 3: 'quo"te', 5: "last"}


def test_csv_numbers_stay_right_over_many_blocks(tmp_path, monkeypatch):
    from sources.readers import delimited

    monkeypatch.setattr(delimited, "_BLOCK_BYTES", 1 << 12)
    data = "a,b\n" + "".join("bad\n" if i % 97 == 5 else f"r{i},{i}\n" for i in range(5000))
    rows, bad = reading(write(tmp_path, "x.csv", data), format="csv", batch_rows=100)
    assert all(row == {"a": f"r{record}", "b": record} for (_, record), row in rows.items())
    assert [record for _, record, _ in bad] == [i for i in range(5000) if i % 97 == 5]
    assert len(rows) + len(bad) == 5000


def test_csv_bad_values_and_bytes(tmp_path):
    rows, bad = reading(write(tmp_path, "x.csv", b"a,b\nx,1\n\xff,2\ny,many\nz,\n"), format="csv")
    assert bad == [("raw/x.csv", 1, "invalid-utf8"), ("raw/x.csv", 2, "wrong-type")]
    assert list(rows.values()) == [{"a": "x", "b": 1}, {"a": "z", "b": None}]


def test_csv_quote_that_never_closes(tmp_path):
    rows, bad = reading(write(tmp_path, "x.csv", 'b,a\n1,x\n2,"open\n3,y\n4,z\n'), format="csv")
    assert bad == [("raw/x.csv", 1, "unterminated-quote")]
    assert numbers(rows) == [0]


def test_tsv_has_no_quotes_and_a_line_is_a_record(tmp_path):
    data = '"half\t1\nplain\t2\textra\nit\'s "fine"\t3\n'
    rows, bad = reading(write(tmp_path, "x.tsv", data), format="tsv", header=["a", "b"])
    assert bad == [("raw/x.tsv", 1, "too-many-values")]
    assert {record: row["a"] for (_, record), row in rows.items()} == {0: '"half', 2: 'it\'s "fine"'}


def test_headerless_file_of_another_width(tmp_path):
    with pytest.raises(SchemaError, match="records have 3 values, the declared header has 2"):
        reading(write(tmp_path, "x.tsv", "1\t2\t3\n4\t5\t6\n"), format="tsv", header=["a", "b"])


@pytest.mark.parametrize("format_", ["csv", "tsv"])
def test_delimited_empty_file(tmp_path, format_):
    assert reading(write(tmp_path, "x", b""), format=format_) == ({}, [("raw/x", 0, "empty-file")])


def test_delimited_cut_gzip(tmp_path):
    data = gzip.compress(("a,b\n" + "".join(f"{i * 7919 % 10007},{i}\n" for i in range(100_000))).encode())
    rows, bad = reading(write(tmp_path, "x.csv.gz", data[: len(data) // 2]), format="csv")
    assert [reason for *_, reason in bad] == ["truncated-file"]
    assert numbers(rows) == list(range(len(rows)))
    assert len(rows) > 40_000, "nothing before the cut is lost"


def test_json_truncated_document_keeps_what_came_before(tmp_path):
    data = json.dumps({"data": [{"a": str(i), "b": i} for i in range(10)]})
    rows, bad = reading(
        write(tmp_path, "x.json", data[: data.index('"a": "6"') + 3]), format="json", record_path="data.item"
    )
    assert bad == [("raw/x.json", 6, "invalid-json")]
    assert numbers(rows) == list(range(6))


def test_json_records_of_other_kinds(tmp_path):
    data = json.dumps([{"a": "x", "b": 1}, "text", {"a": ["list"], "b": 2}, {"a": "y", "b": 3.0}])
    rows, bad = reading(write(tmp_path, "x.json", data), format="json")
    assert sorted(bad) == [("raw/x.json", 1, "not-an-object"), ("raw/x.json", 2, "wrong-type")]
    assert list(rows.values()) == [{"a": "x", "b": 1}, {"a": "y", "b": 3}]


def test_json_wrong_path(tmp_path):
    with pytest.raises(SchemaError, match=r"no records at 'data\.item'"):
        reading(write(tmp_path, "x.json", '{"rows": []}'), format="json", record_path="data.item")


def zip_of(members: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return sink.getvalue()


def tar_of(members: dict[str, bytes], mode: str = "w:gz") -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode=mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("in/link.jsonl")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return sink.getvalue()


LINE = b'{"a": "x", "b": 1}\n'


@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_archive_members_count_from_zero(tmp_path, pack):
    data = pack({"in/1.jsonl": LINE * 2, "in/2.jsonl.gz": gzip.compress(LINE + b"bad\n"), "in/readme.txt": b"no"})
    rows, bad = reading(write(tmp_path, "x.pack", data), format="jsonl", members=["in/*.jsonl*"])
    assert list(rows) == [("raw/x.pack!in/1.jsonl", 0), ("raw/x.pack!in/1.jsonl", 1), ("raw/x.pack!in/2.jsonl.gz", 0)]
    assert bad == [("raw/x.pack!in/2.jsonl.gz", 1, "invalid-json")]


@pytest.mark.parametrize("pack", [zip_of, tar_of])
@pytest.mark.parametrize("name", ["../../evil.jsonl", "/tmp/evil.jsonl"])
def test_archive_path_traversal(tmp_path, pack, name):
    rows, bad = reading(write(tmp_path, "x", pack({name: LINE, "ok.jsonl": LINE})), format="jsonl", members=["**"])
    assert [reason for *_, reason in bad] == ["unsafe-member"]
    assert list(rows) == [("raw/x!ok.jsonl", 0)]


def test_archive_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "SAFE_BYTES", 1000)
    monkeypatch.setattr(archives, "MAX_RATIO", 5)
    path = write(tmp_path, "x.zip", zip_of({"bomb.jsonl": LINE * 100_000, "ok.jsonl": LINE}))
    rows, bad = reading(path, format="jsonl")
    assert bad == [("raw/x.zip!bomb.jsonl", 0, "decompression-bomb")]
    assert list(rows) == [("raw/x.zip!ok.jsonl", 0)]


def test_archive_damaged_member(tmp_path):
    data = bytearray(zip_of({"1.jsonl": LINE * 50, "2.jsonl": LINE}))
    at = data.index(b"1.jsonl") + 12
    data[at : at + 4] = b"\xff" * 4
    rows, bad = reading(write(tmp_path, "x.zip", bytes(data)), format="jsonl")
    assert bad == [("raw/x.zip!1.jsonl", 0, "unreadable-member")]
    assert list(rows) == [("raw/x.zip!2.jsonl", 0)]


def test_archive_cut(tmp_path):
    data = zip_of({"1.jsonl": LINE})
    assert reading(write(tmp_path, "x.zip", data[:-30]), format="jsonl")[1] == [("raw/x.zip", 0, "unreadable-archive")]


TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES = st.fixed_dictionaries({"a": TEXTS, "b": st.integers(-(2**63), 2**63 - 1) | st.none()})
JUNK_LINES = [b"{", b"nul", b"[]", b'"x"', b'{"a": "\xff"}', b'{"a": []}', b"{}{}", b"\x00"]
JUNK = st.sampled_from(JUNK_LINES)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES | JUNK | st.just(b""), max_size=12), st.integers(1, 5))
def test_jsonl_any_mixture(tmp_path_factory, items, batch_rows):
    encoded = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in items]
    path = write(tmp_path_factory.mktemp("j"), "x.jsonl", b"\n".join(encoded))
    good = {i: item for i, item in enumerate(items) if isinstance(item, dict)}
    if not good and any(item in (b"{}", b'{"a": []}') for item in items):
        return  # a file without the declared columns
    rows, bad = reading(path, format="jsonl", batch_rows=batch_rows)
    assert {record: row for (_, record), row in rows.items()} == good
    assert sorted(record for _, record, _ in bad) == [i for i, item in enumerate(items) if item in JUNK_LINES]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufeff"), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=12), st.integers(1, 5))
def test_csv_round_trip(tmp_path_factory, cells, batch_rows):
    first, second = map(list, zip(*cells, strict=True))
    path = tmp_path_factory.mktemp("c") / "x.csv"
    pv.write_csv(pa.table({"a": first, "b": second}), path)
    rows, bad = reading(path, format="csv", fields={"a": "string", "b": "string"}, batch_rows=batch_rows)
    assert not bad
    assert [(row["a"], row["b"]) for row in rows.values()] == cells
    assert numbers(rows) == list(range(len(cells)))
