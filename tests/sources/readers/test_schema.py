"""A schema is judged over a whole file, the same in every format; values mean the same in every format."""

import io
import json

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq
import pytest

from open_ml_embed.core.errors import ManifestError, SchemaError
from sources.manifest import RawTable
from sources.quarantine import Quarantine
from sources.readers import read
from sources.readers.plain_types import plain
from tests.sources.test_normalize import rows_of
from tests.support.reading import numbers, reading, write

FORMATS = ["parquet", "csv", "jsonl", "json"]


def written(folder, format_, values, column="n"):
    """Write one column of values, in the format's own types where it has any."""
    path = folder / f"x.{format_}"
    if format_ == "jsonl":
        path.write_text("".join(json.dumps({column: value}) + "\n" for value in values))
    elif format_ == "json":
        path.write_text(json.dumps([{column: value} for value in values]))
    elif format_ == "csv":
        texts = ["" if value is None else json.dumps(value).strip('"') for value in values]
        pv.write_csv(pa.table({column: texts}), path)
    else:
        pq.write_table(pa.table({column: values}), path)
    return path


def column_of(path, kind, column="n"):
    quarantine = Quarantine("s", "t")
    table = RawTable.model_validate({"files": ["*"], "format": path.suffix[1:], "fields": {column: kind}})
    values = [v for batch in read(path, path.name, table, quarantine) for v in batch.columns[column].to_pylist()]
    return values, dict(quarantine.counts)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_column_whose_values_never_fit_is_an_error_of_the_schema(tmp_path, format_):
    path = written(tmp_path, format_, ["one", None, "two", "three"])
    with pytest.raises(SchemaError) as caught:
        column_of(path, "int64")
    assert caught.value.where == path.name
    assert "column 'n' is string" in str(caught.value)
    assert "cannot become int64" in str(caught.value)
    assert "declare the type the file has" in caught.value.remedy


@pytest.mark.parametrize("format_", ["parquet", "jsonl", "json"])
def test_a_column_of_objects_is_no_column_of_texts(tmp_path, format_):
    with pytest.raises(SchemaError, match=r"column 'n' is (struct|object).* cannot become string"):
        column_of(written(tmp_path, format_, [{"deep": 1}, {"deep": 2}]), "string")


@pytest.mark.parametrize("format_", FORMATS)
def test_one_value_that_fits_makes_the_others_bad_records(tmp_path, format_):
    assert column_of(written(tmp_path, format_, ["one", "2", "three"]), "int64") == ([2], {"wrong-type": 2})


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize(
    ("values", "kind", "read_as", "bad"),
    [
        ([1, 7], "int64", [1, 7], 0),
        (["1", "7", " 8 ", "+9", "7.0", "1e3"], "int64", [1, 7, 8, 9, 7, 1000], 0),
        (["1", "2.5", "0x10", "1_0"], "int64", [1], 3),
        ([1.0, 2.5], "int64", [1], 1),
        (["9223372036854775807", "9223372036854775808"], "int64", [2**63 - 1], 1),
        (["NaN", "Infinity", "null", "", "4"], "int64", [None, None, None, None, 4], 0),
        (["NaN", "-inf", "null", "2.5", "1e999"], "float64", [None, None, None, 2.5, None], 0),
        ([2, 3], "float64", [2.0, 3.0], 0),
        (["true", "False", "1", "0"], "bool", [True, False, True, False], 0),
        ([1, 0, 2], "bool", [True, False], 1),
        ([17, 18], "string", ["17", "18"], 0),
        ([True, False], "string", ["true", "false"], 0),
        (["NaN", "null", " x "], "string", ["NaN", "null", " x "], 0),
    ],
)
def test_values_mean_the_same_in_all_formats(tmp_path, format_, values, kind, read_as, bad):
    assert column_of(written(tmp_path, format_, values), kind) == (read_as, {"wrong-type": bad} if bad else {})


@pytest.mark.parametrize("format_", FORMATS)
def test_truth_values_are_no_numbers(tmp_path, format_):
    with pytest.raises(SchemaError, match="cannot become int64"):
        column_of(written(tmp_path, format_, [True, False]), "int64")


def test_numbers_that_are_none_are_absent_at_every_depth(tmp_path):
    nan = float("nan")
    path = written(tmp_path, "parquet", [{"a": [1.5, nan], "b": nan}, {"a": [float("inf")], "b": 2.0}])
    assert column_of(path, "struct")[0] == [{"a": [1.5, None], "b": None}, {"a": [None], "b": 2.0}]
    (tmp_path / "x.jsonl").write_text('{"n": {"a": [1.5, NaN], "b": 1e999}}\n{"n": {"a": [Infinity], "b": 2.0}}\n')
    assert column_of(tmp_path / "x.jsonl", "struct")[0] == [{"a": [1.5, None], "b": None}, {"a": [None], "b": 2.0}]


def test_numbers_become_text_as_they_are_written(tmp_path):
    path = write(tmp_path, "x.jsonl", '{"n": 17.50}\n{"n": 1e2}\n{"n": 123456789012345678901234567890}\n{"n": NaN}\n')
    assert column_of(path, "string") == (["17.50", "1e2", "123456789012345678901234567890", None], {})


@pytest.mark.parametrize("first", [{}, {"n": None}])
@pytest.mark.parametrize("format_", ["jsonl", "json"])
def test_a_column_may_be_absent_or_null_for_many_records(tmp_path, format_, first):
    records = [{"q": f"text {i} " + "x" * 100} | first for i in range(50_000)] + [{"q": "last", "n": 5}]
    text = "\n".join(map(json.dumps, records)) if format_ == "jsonl" else json.dumps(records)
    path = write(tmp_path, f"x.{format_}", text)
    fields = {"q": "string", "n": "int64"}
    rows, bad = reading(path, format=format_, fields=fields)
    assert not bad
    assert [row["n"] for row in rows.values()] == [None] * 50_000 + [5]


def test_a_column_that_is_null_throughout_is_there(tmp_path):
    path = write(tmp_path, "x.jsonl", '{"a": "x", "b": null}\n' * 3)
    assert len(reading(path, format="jsonl")[0]) == 3
    with pytest.raises(SchemaError, match="no column 'b'; found: a, note"):
        reading(write(tmp_path, "y.jsonl", '{"a": "\\"b\\"", "note": {"b": 1}}\n' * 3), format="jsonl")


@pytest.mark.parametrize("name", ["größe", 'a"b', "x.y"])
def test_names_of_any_characters_are_found(tmp_path, name):
    for text in (json.dumps({name: None}), json.dumps({name: None}, ensure_ascii=False)):
        rows, _ = reading(write(tmp_path, "x.jsonl", text + "\n"), format="jsonl", fields={name: "string"})
        assert list(rows.values()) == [{name: None}]


def test_columns_of_every_kind_of_list_and_string_are_the_same(tmp_path):
    strings = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
    values = [["a", "b"], ["c", None], None]
    for text in strings:
        lists = [pa.list_(text), pa.large_list(text), pa.list_(text, 2)]
        if not pa.types.is_dictionary(text):
            lists += [pa.list_view(text), pa.large_list_view(text)]
        for kind in lists:
            deep = pa.struct([("x", kind)])
            table = pa.table({
                "l": pa.array(values, kind), "s": pa.array([{"x": value} for value in values], deep),
                "t": pa.array(["q", None, "r"], text),
            })  # fmt: skip
            path = tmp_path / "x.parquet"
            pq.write_table(table, path)
            for declared in ("list<string>", "any"):
                spec = RawTable.model_validate(
                    {"files": ["*"], "format": "parquet", "fields": {"l": declared, "s": "struct", "t": "string"}}
                )
                (batch,) = read(path, "x.parquet", spec, Quarantine("s", "t"))
                plain = pa.list_(pa.string())
                assert batch.columns.schema.types == [plain, pa.struct([("x", plain)]), pa.string()], kind
                assert batch.columns["l"].to_pylist() == values
                assert batch.columns["s"].to_pylist() == [{"x": value} for value in values]


@pytest.mark.parametrize("around", [
    pa.list_,
    lambda kind: pa.list_(kind, 2),
    lambda kind: pa.struct([("x", kind)]),
    lambda kind: pa.map_(pa.string(), kind),
], ids=["list", "fixed", "struct", "map"])  # fmt: skip
def test_a_null_list_has_no_values_at_any_depth(around):
    """Lists of fixed size keep the places of a null one's values: some of Arrow's functions skip them, some do not."""
    text = pa.string()
    for kind in (pa.list_(text, 2), pa.list_view(text), pa.large_list(text)):
        deep = around(kind)
        value = {"x": None} if pa.types.is_struct(deep) else [("k", None), ("l", ["c", "d"])]
        value = [None, ["c", "d"]] if pa.types.is_list(deep) or pa.types.is_fixed_size_list(deep) else value
        array, _ = plain(pa.array([value, None, value], deep))
        assert array.null_count == 1
        inner = array if pa.types.is_list(array.type) else pc.struct_field(array, "x")
        while pa.types.is_list(inner.type):
            assert len(pc.list_flatten(inner)) == len(pc.list_parent_indices(inner)) == len(inner.values)
            inner = inner.values
            if pa.types.is_struct(inner.type):
                inner = pc.struct_field(inner, "value")


def test_a_list_below_a_null_object_has_no_values():
    lists = pa.array([["a", "b"], ["c", "d"]], pa.list_(pa.string(), 2))
    objects, _ = plain(pa.StructArray.from_arrays([lists], ["x"], mask=pa.array([False, True])))
    found = pc.struct_field(objects, "x")
    assert found.to_pylist() == [["a", "b"], None]
    assert len(pc.list_flatten(found)) == len(pc.list_parent_indices(found)) == 2


def test_binary_columns_are_read_as_the_text_they_hold(tmp_path):
    path = tmp_path / "x.parquet"
    for kind in (pa.binary(), pa.large_binary(), pa.binary_view()):
        pq.write_table(pa.table({"n": pa.array(["é".encode(), b"\xe9", None], kind)}), path)
        assert column_of(path, "string") == (["é", None], {"invalid-utf8": 1})


def test_values_of_several_types_in_one_place_are_text(tmp_path):
    path = write(tmp_path, "x.jsonl", '{"n": {"v": 1}}\n{"n": {"v": "x"}}\n{"n": {"v": true}}\n{"n": {"v": [1]}}\n')
    assert column_of(path, "any") == ([{"v": "1"}, {"v": "x"}, {"v": "true"}], {"wrong-type": 1})


@pytest.mark.parametrize("format_", ["csv", "tsv", "parquet"])
def test_a_declared_column_that_is_there_twice(tmp_path, format_):
    if format_ == "parquet":
        sink = io.BytesIO()
        pq.write_table(pa.table([["x"], [1], ["y"]], names=["a", "b", "a"]), sink)
        data = sink.getvalue()
    else:
        data = b"a,b,a\nx,1,y\n".replace(b",", b"\t" if format_ == "tsv" else b",")
    with pytest.raises(SchemaError, match="column 'a' occurs 2 times") as caught:
        reading(write(tmp_path, f"x.{format_}", data), format=format_)
    assert caught.value.remedy


def test_a_key_that_an_object_has_twice_makes_it_a_bad_record(tmp_path):
    data = '{"a": "x", "a": "y", "b": 1}\n{"a": "z", "c": 1, "c": 2, "b": 2}\n'
    rows, bad = reading(write(tmp_path, "x.jsonl", data), format="jsonl")
    assert bad == [("raw/x.jsonl", 0, "duplicate-key")]
    assert numbers(rows) == [1]


@pytest.mark.parametrize(
    ("data", "remedy"),
    [
        ("a;b\nx;1\n", "separated by ';'"),
        ("a\tb\nx\t1\n", "declare `format: tsv`"),
        ("x,1\ny,2\n", "declare its column names as `header`"),
    ],
)
def test_a_header_that_is_none_has_a_remedy(tmp_path, data, remedy):
    with pytest.raises(SchemaError, match="no column 'a', 'b'") as caught:
        reading(write(tmp_path, "x.csv", data), format="csv")
    assert remedy in caught.value.remedy


def test_a_header_of_another_width_than_all_records(tmp_path):
    with pytest.raises(SchemaError, match="records have 3 values, the header has 2"):
        reading(write(tmp_path, "x.csv", "a,b\n" + "row,x,1\n" * 20), format="csv")


@pytest.mark.parametrize("head", [b"\xef\xbb\xbfa,b\n", b'\xef\xbb\xbf"a",b\r\n', b"\n\na,b\n", b" \xef\xbb\xbf"])
def test_headers_with_a_mark_or_after_blank_lines(tmp_path, head):
    path = write(tmp_path, "x.csv", head + b"x,1\ny,2\n")
    if head.startswith(b" "):
        with pytest.raises(SchemaError):
            reading(path, format="csv")
        return
    rows, bad = reading(path, format="csv")
    assert not bad
    assert numbers(rows) == [0, 1]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"k": ["yes"]}, "'yes' in 'k', which is declared int64"),
        ({"k": [1, "0"]}, "'0' in 'k'"),
        ({"k": [1.5]}, "1.5 in 'k'"),
        ({"k": [True]}, "True in 'k'"),
        ({"q": [1]}, "1 in 'q', which is declared string"),
        ({"n": ["x"]}, "'x' in 'n', which is declared list<string>"),
    ],
)
def test_conditions_of_another_type_than_the_column(tmp_path, where, said):
    with pytest.raises(ManifestError) as caught:
        rows_of(tmp_path, [{"k": 1}], where=where)
    assert said in str(caught.value)
    assert caught.value.remedy


def test_conditions_on_nested_columns_that_are_null_at_first(tmp_path):
    tables = {"records": {"files": ["*.jsonl"], "format": "jsonl",
                          "fields": {"q": "string", "p": "string", "n": "list<string>", "m": "any"}}}  # fmt: skip
    records = [{"q": "1", "m": None}, {"q": "2", "m": {"ok": "yes"}}, {"q": "3", "m": {"ok": "no"}}]
    rows, _, filtered = rows_of(tmp_path, records, tables=tables, where={"m.ok": ["yes"]})
    assert rows["query"].to_pylist() == ["2"]
    assert filtered == {"where": 2}
    with pytest.raises(ManifestError, match=r"admits 7 in 'm.ok', which is string here"):
        rows_of(tmp_path, records, tables=tables, where={"m.ok": [7]})
    rows, _, filtered = rows_of(tmp_path, [{"m": None}], tables=tables, where={"m.ok": ["yes"]})
    assert filtered == {"where": 1}


@pytest.mark.parametrize("format_", FORMATS)
def test_an_optional_field_that_a_file_lacks_is_null(tmp_path, format_):
    path = written(tmp_path, format_, ["one", "two"])
    stated = {"files": ["*"], "format": format_, "fields": {"n": "string", "lang": "string"}}

    def read_with(**more):
        table = RawTable.model_validate(stated | more)
        return [
            row for batch in read(path, path.name, table, Quarantine("s", "t")) for row in batch.columns.to_pylist()
        ]

    assert read_with(optional=["lang"]) == [{"n": "one", "lang": None}, {"n": "two", "lang": None}]
    with pytest.raises(SchemaError, match="no column 'lang'"):
        read_with()
    with pytest.raises(ValueError, match="optional has code, which `fields` does not declare"):
        RawTable.model_validate(stated | {"optional": ["code"]})
    both = written(tmp_path, format_, ["one", "two"], "lang")
    table = RawTable.model_validate(stated | {"fields": {"lang": "string"}, "optional": ["lang"]})
    (batch,) = read(both, both.name, table, Quarantine("s", "t"))
    assert batch.columns["lang"].to_pylist() == ["one", "two"], "one that is there is read"
