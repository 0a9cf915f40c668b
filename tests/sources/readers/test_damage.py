"""One bad record costs no other: the reading goes on behind it, and what is not read is counted as what it is."""

import json
import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import fuzz_readers
from sources.manifest import RawTable
from sources.quarantine import Quarantine
from sources.readers import deb822, delimited, line_blocks, nested_json, read
from tests.support.reading import AB, numbers, reading, write


def rows_csv(start, stop):
    return "".join(f"row {i},{i}\n" for i in range(start, stop))


@pytest.mark.parametrize("line", ["null", "true", "3", '"x"', "[]", " null", "\tnull", "{} null", "null {}", "NaN"])
@pytest.mark.parametrize("at", [0, 1, 5])
def test_no_line_is_seen_by_a_parser_that_it_could_end(tmp_path, line, at):
    found = [f'{{"a": "{i}", "b": {i}}}' for i in range(6)]
    found[at] = line
    script = (
        "import sys; from sources.manifest import RawTable; from sources.quarantine import Quarantine\n"
        "from sources.readers import read; bad = Quarantine('s', 't')\n"
        "table = RawTable(files=['*'], format='jsonl', fields={'a': 'string', 'b': 'int64'})\n"
        "rows = sum(batch.columns.num_rows for batch in read(sys.argv[1], 'x', table, bad)); print(rows, bad.total)"
    )
    path = write(tmp_path, "x.jsonl", "\n".join(found))
    if at == 0 and line == "null":  # what ended the process; the others are as good in this one
        done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "5 1\n")
    rows, bad = reading(path, format="jsonl")
    assert numbers(rows) == [i for i in range(6) if i != at]
    assert [record for _, record, _ in bad] == [at]


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("at", [0, 3, 998])
def test_csv_stray_quote_costs_its_own_record(tmp_path, quoted, at):
    lines_ = [f'"row, {i}",{i}\n' if quoted else f"row {i},{i}\n" for i in range(1000)]
    lines_[at] = f'"5 inches,{at}\n'
    rows, bad = reading(write(tmp_path, "x.csv", "a,b\n" + "".join(lines_)), format="csv")
    assert numbers(rows) == [i for i in range(1000) if i != at]
    assert [record for _, record, _ in bad] == [at]
    assert bad[0][2] in ("stray-quote", "unterminated-quote")


def test_csv_stray_quote_before_more_than_a_record_can_be(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "MAX_RECORD_BYTES", 5000)
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(delimited, "HEAD_BYTES", 1000)
    data = "a,b\n" + rows_csv(0, 10) + '"open,10\n' + rows_csv(11, 3000)
    rows, bad = reading(write(tmp_path, "x.csv", data), format="csv")
    assert bad == [("raw/x.csv", 10, "unterminated-quote")]
    assert numbers(rows) == [i for i in range(3000) if i != 10]


def test_csv_oversized_records(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "MAX_RECORD_BYTES", 5000)
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(delimited, "HEAD_BYTES", 1000)
    for form, mark in (("csv", ","), ("tsv", "\t")):
        data = ("a,b\n" + rows_csv(0, 10) + "long " * 5000 + ",10\n" + rows_csv(11, 300)).replace(",", mark)
        rows, bad = reading(write(tmp_path, f"x.{form}", data), format=form)
        assert bad == [(f"raw/x.{form}", 10, "oversized-record")]
        assert numbers(rows) == [i for i in range(300) if i != 10]


def test_csv_record_longer_than_any_block(tmp_path):
    data = "a,b\n" + rows_csv(0, 10) + f'"{"word, " * (4 << 20)}",10\n' + rows_csv(11, 300)
    rows, bad = reading(write(tmp_path, "x.csv", data), format="csv")
    assert not bad
    assert len(rows) == 300
    assert len(rows["raw/x.csv", 10]["a"]) == 24 << 20


def test_csv_line_that_is_no_utf8_and_has_too_few_values(tmp_path):
    data = b"a,b\nx,1\ncaf\xe9\n\xff\xfe,2,3\ny,4\n"
    rows, bad = reading(write(tmp_path, "x.csv", data), format="csv")
    assert bad == [("raw/x.csv", 1, "too-few-values"), ("raw/x.csv", 2, "too-many-values")]
    assert numbers(rows) == [0, 3]


def test_csv_text_within_quotes_is_no_record_of_its_own(tmp_path):
    """A ragged record over several lines: its text has commas, but is one record."""
    data = 'a,b\nx,1\n"first line\nno comma here\nsecond, line\nthird"\ny,2\n"p, q\nr, s"tail,3\nz,4\n'
    rows, bad = reading(write(tmp_path, "x.csv", data), format="csv")
    assert [row["a"] for row in rows.values()] == ["x", "y", "z"]
    assert [reason for *_, reason in bad] == ["too-few-values", "stray-quote"]


def test_csv_blank_lines_are_numbered_and_no_records(tmp_path):
    rows, bad = reading(write(tmp_path, "x.csv", "\r\na,b\r\n\r\nx,1\r\n\r\n\r\ny,2\r\n\r\n"), format="csv")
    assert not bad
    assert numbers(rows) == [1, 4]


def test_csv_lines_that_end_with_returns_alone(tmp_path):
    rows, bad = reading(write(tmp_path, "x.csv", 'a,b\rx,1\r"y\rz",2\r'), format="csv")
    assert not bad
    assert list(rows.values()) == [{"a": "x", "b": 1}, {"a": "y\nz", "b": 2}]


def test_csv_values_are_not_changed(tmp_path):
    values = [" a ", '""', 'say ""hi""', "tab\there", "line\r\nend", "\\n", "'q'", "a\0b", "\u2028"]
    quoted = "".join(f'"{value}",{i}\r\n' for i, value in enumerate(values))
    rows, bad = reading(write(tmp_path, "x.csv", "a,b\r\n" + quoted), format="csv")
    assert not bad
    assert [row["a"] for row in rows.values()] == [value.replace('""', '"') for value in values]
    bare = [" a ", '5" pipe', "it's", "x\\"]
    rows, bad = reading(write(tmp_path, "y.csv", "a,b\n" + "".join(f"{v},1\n" for v in bare)), format="csv")
    assert [row["a"] for row in rows.values()] == bare


CELL = st.text(st.sampled_from('ab,"\n\r\t é'), max_size=6)


@settings(max_examples=100, deadline=None)
@given(cells=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=12), size=st.integers(1, 60), end=st.booleans())
def test_csv_of_any_cells_is_read_back_in_blocks_of_any_size(tmp_path_factory, cells, size, end):
    text = "".join('"{}","{}"\n'.format(*(cell.replace('"', '""') for cell in row)) for row in [("a", "b"), *cells])
    path = write(tmp_path_factory.mktemp("c"), "x.csv", text if end else text[:-1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "BLOCK_BYTES", size)
        patch.setattr(delimited, "HEAD_BYTES", size)
        rows, bad = reading(path, format="csv", fields={"a": "string", "b": "string"}, batch_rows=3)
    assert not bad
    assert [tuple(row.values()) for row in rows.values()] == cells


GOOD = [{"a": f'text {i} with "{{[,', "b": i, "more": [{"x": "]}"}]} for i in range(40)]
BAD_RECORDS = {
    "a bad literal": (lambda r: r.replace('"b": ', '"b": tru, "c": '), "invalid-json"),
    "no bracket": (lambda r: r[:-1], "invalid-json"),
    "one bracket too many": (lambda r: r + "}", "invalid-json"),
    "a stray quotation mark": (lambda r: r.replace('"a": "', '"a": "x" '), "invalid-json"),
    "an odd quotation mark": (lambda r: r.replace('"a": "', '"a": "x" "'), "invalid-json"),
    "no closing quotation mark": (lambda r: r[: r.index('"b"') - 3] + "}", "invalid-json"),
    "no UTF-8": (lambda r: r.replace("text", "t\udce9xt"), "invalid-utf8"),
    "a number beyond int64": (lambda r: r.replace('"b": ', '"b": 99999999999999999999, "c": '), "wrong-type"),
    "a plain value": (lambda r: '"text"', "not-an-object"),
    "a key twice": (lambda r: r.replace('"b": ', '"b": 3, "b": '), "duplicate-key"),
}


@pytest.mark.parametrize("damage", BAD_RECORDS)
@pytest.mark.parametrize("at", [0, 1, 6, 7, 20, 39])
@pytest.mark.parametrize("path", ["item", "data.item", "data.item.rows.item"])
@pytest.mark.parametrize("separator", [", ", ",\n", ",\n  "])
def test_json_bad_record_costs_no_other(tmp_path, damage, at, path, separator, monkeypatch):
    way, reason = BAD_RECORDS[damage]
    records = [json.dumps(record) for record in GOOD]
    records[at] = way(records[at])
    body = separator.join(records)
    if path == "data.item.rows.item":
        body = ", ".join(
            f'{{"rows": [{separator.join(some)}], "id": {i}}}' for i, some in enumerate((records[:7], records[7:]))
        )
    text = f"[{body}]" if path == "item" else f'{{"version": "[1", "data": [{body}], "end": {{}}}}'
    file = write(tmp_path, "x.json", text.encode("utf-8", "surrogateescape"))
    for size in (nested_json.BLOCK_BYTES, 50):
        monkeypatch.setattr(nested_json, "BLOCK_BYTES", size)
        rows, bad = reading(file, format="json", record_path=path)
        assert bad == [("raw/x.json", at, reason)]
        assert list(rows.values()) == [{"a": r["a"], "b": r["b"]} for i, r in enumerate(GOOD) if i != at]


def test_json_numbers_that_are_none_are_absent(tmp_path):
    text = '\ufeff[{"a": "x", "b": NaN}, {"a": "y", "b": 1e999}, {"a": "z", "b": -Infinity}, {"a": NaN, "b": 4}]'
    rows, bad = reading(write(tmp_path, "x.json", text), format="json")
    assert not bad
    assert [tuple(row.values()) for row in rows.values()] == [("x", None), ("y", None), ("z", None), (None, 4)]


def test_json_that_goes_bad_is_marked_with_the_bytes_not_read(tmp_path):
    text = json.dumps(GOOD)
    cut = text.index('"text 30')
    quarantine = Quarantine("s", "t")
    table = RawTable(files=["*"], format="json", fields=AB)
    path = write(tmp_path, "x.json", text[:cut] + "garbage " * 1000)
    assert sum(batch.columns.num_rows for batch in read(path, "x.json", table, quarantine)) == 30
    assert quarantine.counts == {"invalid-json": 1}
    ((file, why, left),) = quarantine.unreadable
    assert (file, left) == ("x.json", 8000 + len('{"a": '))
    assert "no JSON" in why


def test_json_cut_between_records_is_marked(tmp_path):
    quarantine = Quarantine("s", "t")
    table = RawTable(files=["*"], format="json", fields=AB)
    path = write(tmp_path, "x.json", json.dumps(GOOD)[:-1])
    assert sum(batch.columns.num_rows for batch in read(path, "x.json", table, quarantine)) == 40
    assert [(file, "cut" in why) for file, why, _ in quarantine.unreadable] == [("x.json", True)]


def test_json_record_that_is_too_long_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(nested_json, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(nested_json, "MAX_RECORD_BYTES", 20_000)
    records = [*GOOD[:9], {"a": "long " * 9000, "b": 9}, *GOOD[10:]]
    rows, bad = reading(write(tmp_path, "x.json", json.dumps(records)), format="json")
    assert bad == [("raw/x.json", 9, "oversized-record")]
    assert [row["b"] for row in rows.values()] == [i for i in range(40) if i != 9]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.sampled_from('a"\\{}[],: \n'), max_size=5),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from('ab"{\\'), below, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(
    records=st.lists(st.fixed_dictionaries({"a": st.text(max_size=4), "v": JSON}), min_size=1, max_size=8),
    around=st.dictionaries(st.sampled_from(["b", "d", "data2"]), JSON, max_size=2),
    size=st.integers(1, 50), indent=st.sampled_from([None, 2]),
)  # fmt: skip
def test_json_of_any_values_is_cut_into_its_records(tmp_path_factory, records, around, size, indent):
    text = json.dumps(around | {"data": records} | {"z": around}, indent=indent, ensure_ascii=True)
    path = write(tmp_path_factory.mktemp("j"), "x.json", text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nested_json, "BLOCK_BYTES", size)
        rows, bad = reading(path, format="json", record_path="data.item", fields={"a": "string"})
    odd = [i for i, r in enumerate(records) if any("\ud800" <= char <= "\udfff" for char in r["a"])]
    assert [record for _, record, _ in bad] == odd
    assert [row["a"] for row in rows.values()] == [r["a"] for i, r in enumerate(records) if i not in odd]


PAIRS = {f"key {i}": f'value "{i}", {{' for i in range(20)}
BAD_PAIRS = {
    "no UTF-8": ('"k": "caf\udce9"', "invalid-utf8"),
    "a stray quotation mark": ('"k": "x" y"', "invalid-json"),
    "an open one": ('"k": "x', "invalid-json"),
    "no value": ('"k": ', "invalid-json"),
    "a bad literal": ('"k": tru', "invalid-json"),
    "no colon": ('"k" "x"', "invalid-json"),
    "a number": ('"k": 7', "wrong-type"),
}


@pytest.mark.parametrize("damage", BAD_PAIRS)
@pytest.mark.parametrize("at", [0, 8, 19])
@pytest.mark.parametrize("separator", [", ", ",\n\t"])
def test_message_file_with_a_bad_pair_gives_the_others(tmp_path, damage, at, separator):
    pair, reason = BAD_PAIRS[damage]
    pairs = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in PAIRS.items()]
    pairs[at] = pair
    data = ("{" + separator.join(pairs) + "}").encode("utf-8", "surrogateescape")
    fields = {"key": "string", "value": "string"}
    rows, bad = reading(write(tmp_path, "x.json", data), format="json-map", fields=fields)
    assert [reason for *_, reason in bad] == [reason]
    assert [row["key"] for row in rows.values()] == [f"key {i}" for i in range(20) if i != at]


def test_message_file_with_a_key_twice_keeps_the_last(tmp_path):
    path = write(tmp_path, "x.json", '{"a": "1", "b": "2", "a": "3"}')
    rows, bad = reading(path, format="json-map", fields={"key": "string", "value": "string"})
    assert bad == [("raw/x.json", 0, "duplicate-key")]
    assert [tuple(row.values()) for row in rows.values()] == [("b", "2"), ("a", "3")]


def test_deb822_with_returns_and_cut_short(tmp_path):
    import gzip

    fields = {"A": "string", "B": "string"}
    data = "".join(f"A: {i}\r\nB: x\r\n more\r\n\r\n" for i in range(50)).encode()
    rows, bad = reading(write(tmp_path, "x", data), format="deb822", fields=fields)
    assert list(rows.values()) == [{"A": str(i), "B": "x\nmore"} for i in range(50)]
    assert not bad
    packed = gzip.compress(b"".join(b"A: %d\nB: %d\n\n" % (i * 7919**2 % 10_000_019, i) for i in range(5000)))
    rows, bad = reading(write(tmp_path, "y.gz", packed[: len(packed) // 2]), format="deb822", fields=fields)
    assert [row["B"] for row in rows.values()] == [str(i) for i in range(len(rows))]
    assert [reason for *_, reason in bad] == ["truncated-file"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_deb822_is_the_same_in_blocks_of_any_size(tmp_path, monkeypatch, end):
    paragraphs = ["A: 1\nB: x\n more\n .\n last", "no field", "", "A: 2", "\nB: y\nC: ü", " A: 3", "A: 4\nB:\n z"]
    data = "\n\n".join([*paragraphs, *paragraphs]).replace("\n", end)
    path = write(tmp_path, "x", data)
    fields = {"A": "string", "B": "string"}
    rows, bad = reading(path, format="deb822", fields=fields)
    assert [row["A"] for row in rows.values()] == ["1", "2", None, "4"] * 2
    assert [record for _, record, _ in bad] == [1, 4, 7, 10]
    for size in range(1, 30):
        monkeypatch.setattr(deb822, "BLOCK_BYTES", size)
        assert reading(path, format="deb822", fields=fields) == (rows, bad)


def test_a_paragraph_of_deb822_that_is_too_long_is_one_bad_record(tmp_path, monkeypatch):
    monkeypatch.setattr(deb822, "MAX_PARAGRAPH_BYTES", 50)
    path = write(tmp_path, "x", "A: 1\n\nA: 2\n" + " more\n" * 100 + "\nA: 3\n\nA: 4\n")
    for size in (7, 20, 49):
        monkeypatch.setattr(deb822, "BLOCK_BYTES", size)
        rows, bad = reading(path, format="deb822", fields={"A": "string"})
        assert [(record, row["A"]) for (_, record), row in rows.items()] == [(0, "1"), (2, "3"), (3, "4")]
        assert bad == [("raw/x", 1, "oversized-record")]


def test_python_in_an_encoding_that_is_none_of_text(tmp_path):
    for head in ("# coding: hex\n", "# coding: rot13\n"):
        path = write(tmp_path, "m.py", head + 'def f():\n    "doc"\n')
        _, bad = reading(path, format="python", fields={"name": "string"})
        assert bad == [("raw/m.py", 0, "does-not-parse")]


@pytest.mark.parametrize("text", ["def{ f(): pass\n", "what follows is no Python\n", "deff()\n  x\n"])
def test_python_that_does_not_parse_is_marked_whatever_it_holds(tmp_path, text):
    _, bad = reading(write(tmp_path, "m.py", text), format="python", fields={"name": "string"})
    assert bad == [("raw/m.py", 0, "does-not-parse")]


def test_python_without_documented_functions_has_no_records(tmp_path):
    path = write(tmp_path, "m.py", 'x = 1\n\n\ndef\tf():\n    "doc"\n')
    rows, bad = reading(path, format="python", fields={"name": "string"})
    assert ([row["name"] for row in rows.values()], bad) == (["f"], []), "a tab may follow the keyword"
    assert reading(write(tmp_path, "n.py", "x = 1\n"), format="python", fields={"name": "string"}) == ({}, [])


def test_python_with_thousands_of_branches(tmp_path):
    text = "if x:\n    pass\n" + "".join(f"elif y == {i}:\n    pass\n" for i in range(3000)) + 'def f():\n    "doc"\n'
    rows, bad = reading(write(tmp_path, "m.py", text), format="python", fields={"name": "string"})
    assert (len(rows), bad) in ((1, []), (0, [("raw/m.py", 0, "does-not-parse")]))


def test_damaged_parquet_is_marked_with_what_is_not_read(tmp_path):
    import io

    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.table({"a": ["x" * 50] * 70, "b": range(70)}), sink, use_dictionary=False, compression="none")
    data = bytearray(sink.getvalue())
    start = pq.ParquetFile(sink).metadata.row_group(0).column(0).data_page_offset
    data[start : start + 30] = b"\xff" * 30
    quarantine = Quarantine("s", "t")
    table = RawTable(files=["*"], format="parquet", fields=AB)
    assert list(read(write(tmp_path, "x.parquet", bytes(data)), "x.parquet", table, quarantine)) == []
    ((file, why, size),) = quarantine.unreadable
    assert file == "x.parquet"
    assert why.startswith("row group 0: ")
    assert 3500 < size < len(data)


def test_overlong_line_of_text_is_passed_over_in_any_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(line_blocks, "MAX_LINE_BYTES", 300)
    data = b"one\n" + b"x" * 1000 + b"\ntwo\n\nthree"
    for size in (7, 64, 200):
        monkeypatch.setattr(line_blocks.blocks, "__kwdefaults__", {"size": size, "encoding": "utf-8"})
        rows, bad = reading(write(tmp_path, "x.txt", data), format="text", fields={"text": "string"})
        assert [row["text"] for row in rows.values()] == ["one", "two", "three"]
        assert bad == [("raw/x.txt", 1, "oversized-record")]


def test_damaged_files_of_all_kinds():
    """The short form of the benchmark: no crash, no hang, and every record is a row or is counted."""
    files, records, faults = fuzz_readers.run(seed=0, records=3000)
    assert faults == []
    assert files > 100
    assert records >= 3000


def test_a_reader_that_loses_a_record_or_ends_the_process_is_found(tmp_path):
    """What the benchmark would say."""
    case = fuzz_readers.made(0, 0)
    assert case.form == "jsonl"
    assert fuzz_readers.fault_of(case, tmp_path) == ""
    case.records += 1
    assert "records:" in fuzz_readers.fault_of(case, tmp_path)
