"""Parquet, CSV and TSV: the bad record is quarantined with its number, and all the others come through."""

import gzip
import io

import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from open_ml_embed.core.errors import SchemaError
from sources.manifest import RawTable
from sources.quarantine import Quarantine
from sources.readers import read
from tests.support.reading import AB, numbers, reading, write


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

    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1 << 12)
    monkeypatch.setattr(delimited, "HEAD_BYTES", 1 << 12)
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
    assert numbers(rows) == [0, 2, 3]


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
