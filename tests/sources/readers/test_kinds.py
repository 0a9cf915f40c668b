"""A file's bytes tell what it is: compressed, in another encoding, other JSON than said, or not the data at all."""

import bz2
import gzip
import io
import json
import lzma
import tarfile

import pyarrow as pa
import pytest

from open_ml_embed.core.errors import SchemaError
from sources.manifest import RawTable
from sources.quarantine import Quarantine
from sources.readers import archives, read
from tests.sources.readers.test_json import tar_of, zip_of
from tests.sources.readers.test_tables import parquet_bytes
from tests.support.reading import AB, numbers, reading, write

LINES = b"".join(b'{"a": "text %d", "b": %d}\n' % (i * 7919**2 % 10_000_019, i) for i in range(20_000))
PACKERS = {
    "gz": gzip.compress,
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lzma.compress,
    "zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
    "br": lambda data: pa.compress(data, codec="brotli", asbytes=True),
}


def unreadable(path, format_="jsonl", **table):
    """Return (rows, counts, unreadable files) of a file."""
    quarantine = Quarantine("s", "t")
    spec = RawTable.model_validate({"files": ["*"], "format": format_, "fields": AB} | table)
    rows = sum(batch.columns.num_rows for batch in read(path, path.name, spec, quarantine))
    return rows, dict(quarantine.counts), quarantine.unreadable


@pytest.mark.parametrize("ending", PACKERS)
def test_every_stream_of_a_compressed_file_is_read(tmp_path, ending):
    pack = PACKERS[ending]
    middle = len(LINES) // 2 + 3
    path = write(tmp_path, f"x.jsonl.{ending}", pack(LINES[:middle]) + pack(b"") + pack(LINES[middle:]))
    assert unreadable(path) == (20_000, {}, [])


@pytest.mark.parametrize("ending", PACKERS)
def test_a_cut_file_gives_what_came_before_and_is_marked(tmp_path, ending):
    packed = PACKERS[ending](LINES)
    rows, counts, marked = unreadable(write(tmp_path, f"x.jsonl.{ending}", packed[: len(packed) // 2]))
    assert 4000 < rows < 16_000
    assert counts == {"truncated-file": 1}
    assert [file for file, *_ in marked] == [f"x.jsonl.{ending}"]


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zst"])
def test_what_is_no_stream_behind_one_is_damage(tmp_path, ending):
    path = write(tmp_path, f"x.jsonl.{ending}", PACKERS[ending](LINES) + b"not a stream" * 10)
    rows, counts, ((_, why, left),) = unreadable(path)
    assert (rows, counts) == (20_000, {"truncated-file": 1})
    assert "damaged" in why
    assert left >= 120


@pytest.mark.parametrize("ending", PACKERS)
def test_every_reader_opens_every_compression(tmp_path, ending):
    def packed(name, data):
        return write(tmp_path, f"{name}.{ending}", PACKERS[ending](data))

    assert reading(packed("x.csv", b"a,b\nx,1\n"), format="csv")[1] == []
    assert len(reading(packed("x.json", b'[{"a": "x", "b": 1}]'), format="json")[0]) == 1
    table = parquet_bytes(pa.table({"a": ["x"], "b": [1]}))
    assert len(reading(packed("x.parquet", table), format="parquet")[0]) == 1
    assert len(reading(packed("x.tar", tar_of({"1.jsonl": LINES}, "w")), format="jsonl")[0]) == 20_000


@pytest.mark.parametrize("text", ["BZ is how the name begins", "BZh9 is an address", "\x1f\x8b", "(\u00b5/ is no zstd"])
def test_texts_that_begin_like_something_else(tmp_path, text):
    rows, bad = reading(write(tmp_path, "x.txt", f"{text}\nnext\n"), format="text", fields={"text": "string"})
    assert not bad
    assert [row["text"] for row in rows.values()] == [text, "next"]


def test_a_text_with_the_word_of_tar_headers_is_a_text(tmp_path):
    text = ("x" * 257 + "ustar\0" + "y" * 500).replace("\0", " ")
    path = write(tmp_path, "x.txt", text)
    assert not archives.is_archive(path)
    rows, _ = reading(path, format="text", fields={"text": "string"})
    assert [row["text"] for row in rows.values()] == [text]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("format_", ["jsonl", "csv", "json"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path, encoding, format_):
    text = {"jsonl": '{"a": "é€😀", "b": 1}\n', "csv": "a,b\né€😀,1\n", "json": '[{"a": "é€😀", "b": 1}]'}[format_]
    mark = "\ufeff" if encoding.endswith(("le", "be")) else ""
    rows, bad = reading(write(tmp_path, f"x.{format_}", (mark + text).encode(encoding)), format=format_)
    assert not bad
    assert list(rows.values()) == [{"a": "é€😀", "b": 1}]


@pytest.mark.parametrize(("inner", "named"), [("gz", "gzip"), ("xz", "xz"), ("zst", "zstd")])
def test_data_compressed_twice_are_named(tmp_path, inner, named):
    path = write(tmp_path, "x.jsonl.gz", gzip.compress(PACKERS[inner](LINES)))
    rows, counts, ((_, why, size),) = unreadable(path)
    assert (rows, counts, size) == (0, {"unreadable-file": 1}, path.stat().st_size)
    assert why == f"{named} data inside compressed data: unpack the file once"


def test_utf16_without_a_mark_is_named(tmp_path):
    rows, counts, ((_, why, size),) = unreadable(write(tmp_path, "x.jsonl", LINES[:3000].decode().encode("utf-16-le")))
    assert (rows, counts, size) == (0, {"unreadable-file": 1}, 6000)
    assert why == "UTF-16 without a byte-order mark: declare `encoding: utf-16-le`"
    spec = {"format": "jsonl", "encoding": "utf-16-le"}
    assert len(reading(tmp_path / "x.jsonl", **spec)[0]) > 50


@pytest.mark.parametrize(
    ("encoding", "text", "named"),
    [("windows-1252", "un café très sûr", "Windows-1252"), ("gb18030", "什么是北京的街道", "GB18030")],
)
@pytest.mark.parametrize("format_", ["jsonl", "csv", "text", "json"])
def test_another_encoding_is_named_and_can_be_declared(tmp_path, encoding, text, named, format_):
    texts = [text, "ascii only", text + " 2"]
    form = {
        "jsonl": "".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in texts),
        "json": json.dumps([{"text": t} for t in texts], ensure_ascii=False),
        "csv": "text\n" + "\n".join(texts),
        "text": "\n".join(texts),
    }[format_]
    path = write(tmp_path, "x", form.encode(encoding))
    fields = {"text": "string"}
    rows, counts, ((_, why, _size),) = unreadable(path, format_, fields=fields)
    assert (rows, counts) == (1, {"invalid-utf8": 2})
    assert named in why
    assert "declare `encoding" in why
    rows, bad = reading(path, format=format_, fields=fields, encoding=encoding)
    assert not bad
    assert [row["text"] for row in rows.values()] == texts


def test_a_bad_byte_among_good_texts_says_nothing_of_the_encoding(tmp_path):
    data = "".join(f'{{"a": "café {i}", "b": {i}}}\n' for i in range(20)).encode()
    path = write(tmp_path, "x.jsonl", data + b'{"a": "caf\xe9", "b": 1}\n' * 2)
    assert unreadable(path) == (20, {"invalid-utf8": 2}, [])


def test_an_encoding_has_to_be_one_of_text():
    for encoding in ("no-such", "base64", "rot13"):
        with pytest.raises(ValueError, match="is no encoding of text"):
            RawTable.model_validate({"files": ["*"], "format": "csv", "fields": AB, "encoding": encoding})


RECORDS = [{"a": f"text {i} [{{", "b": i, "c": {"d": [1, "}"]}} for i in range(500)]
OTHER_JSON = {
    "array": json.dumps(RECORDS),
    "array on lines": "[\n" + ",\n".join(map(json.dumps, RECORDS)) + "\n]\n",
    "indented array": json.dumps(RECORDS, indent=2),
    "indented objects": "\n".join(json.dumps(record, indent=1) for record in RECORDS),
    "indented objects after a mark": "\ufeff" + "\n\n".join(json.dumps(record, indent="\t") for record in RECORDS),
}


@pytest.mark.parametrize("form", OTHER_JSON)
def test_other_json_in_a_file_of_lines_is_read_as_what_it_is(tmp_path, form):
    rows, bad = reading(write(tmp_path, "x.jsonl", OTHER_JSON[form]), format="jsonl")
    assert not bad
    assert list(rows.values()) == [{"a": record["a"], "b": record["b"]} for record in RECORDS]
    assert numbers(rows) == list(range(500))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[1, "a"]', [(0, "not-an-object")]),
        ("[]", [(0, "not-an-object")]),
        ('[1]\n[{"a": "x", "b": 1}]', [(0, "not-an-object"), (1, "not-an-object")]),
        ('[null, {"a": "x", "b": 1}]', [(0, "not-an-object")]),
        ("[", [(0, "invalid-json")]),
    ],
)
def test_a_line_that_is_a_list_is_one_record(tmp_path, text, expected):
    _, bad = reading(write(tmp_path, "x.jsonl", text), format="jsonl")
    assert [(record, reason) for _, record, reason in bad] == expected


NOT_THE_DATA = {
    "a Git LFS pointer, not the data": b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 1\n",
    "an HTML page, not the data": b"\n<!DOCTYPE html>\n<html><head><title>404</title></head></html>",
    "a storage service's error (AccessDenied)": b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>',
    "a Parquet file": b"PAR1\x15\x04",
    "a PDF document": b"%PDF-1.7 ...",
    "an SQLite database": b"SQLite format 3\0" + bytes(100),
}


@pytest.mark.parametrize("name", NOT_THE_DATA)
@pytest.mark.parametrize("format_", ["jsonl", "csv", "json", "tsv", "text", "tmx", "json-map", "deb822"])
def test_what_is_not_the_data_is_refused_by_name(tmp_path, name, format_):
    data = NOT_THE_DATA[name]
    for path in (write(tmp_path, "x", data), write(tmp_path, "x.gz", gzip.compress(data))):
        fields = {"text": {"text": "string"}, "json-map": {"key": "string", "value": "string"}}.get(format_, AB)
        rows, counts, ((file, why, size),) = unreadable(path, format_, fields=fields)
        assert (rows, counts, file, size) == (0, {"unreadable-file": 1}, path.name, path.stat().st_size)
        assert why.startswith(name)


@pytest.mark.parametrize("data", [NOT_THE_DATA["a Git LFS pointer, not the data"], b'{"a": 1}\n', b""])
def test_what_is_no_parquet_is_refused(tmp_path, data):
    rows, counts, ((_, why, size),) = unreadable(write(tmp_path, "x.parquet", data), "parquet")
    assert (rows, counts, size) == (0, {"unreadable-file": 1}, len(data))
    assert ("Git LFS" in why) == data.startswith(b"version")


def test_a_damaged_tar_header_costs_its_member_alone(tmp_path):
    members = {f"{i}.jsonl": b'{"a": "x", "b": %d}\n' % i for i in range(5)}
    data = bytearray(tar_of(members, "w"))
    start = data.index(b"2.jsonl")
    data[start + 100 : start + 120] = b"\xff" * 20
    rows, counts, ((file, why, size),) = unreadable(write(tmp_path, "x.tar", bytes(data)), members=["*.jsonl"])
    assert (rows, counts, file, size) == (4, {"unreadable-archive": 1}, "x.tar", 1024)
    assert "no headers" in why


def test_tar_archives_that_were_joined_are_read_to_the_end(tmp_path):
    one, two = (tar_of({f"{i}.jsonl": b'{"a": "x", "b": 1}\n'}, "w") for i in (1, 2))
    assert unreadable(write(tmp_path, "x.tar", one + two), members=["*.jsonl"]) == (2, {}, [])


def test_a_cut_tar_archive_gives_the_lines_before_the_cut(tmp_path):
    data = tar_of({"1.jsonl": LINES, "2.jsonl": LINES}, "w")
    rows, counts, marked = unreadable(write(tmp_path, "x.tar", data[: len(data) * 7 // 10]), members=["*.jsonl"])
    assert 25_000 < rows < 35_000
    assert counts == {"invalid-json": 1, "unreadable-archive": 1}
    assert [(file, left > 300_000) for file, _, left in marked] == [("x.tar!2.jsonl", True), ("x.tar", False)]


def test_a_tar_archive_without_an_end_is_marked(tmp_path):
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        info = tarfile.TarInfo("1.jsonl")
        info.size = len(LINES)
        archive.addfile(info, io.BytesIO(LINES))
        end = archive.offset
    rows, counts, ((_, why, _size),) = unreadable(write(tmp_path, "x.tar", sink.getvalue()[:end]), members=["*"])
    assert (rows, counts) == (20_000, {"unreadable-archive": 1})
    assert "cut" in why


def test_zip_members_may_be_what_plain_files_may_be(tmp_path):
    data = zip_of(
        {
            "1.jsonl": json.dumps(RECORDS).encode(),
            "2.jsonl": b"version https://git-lfs.github.com/spec/v1\n",
            "3.jsonl.zst": PACKERS["zst"](LINES),
        }
    )
    rows, counts, marked = unreadable(write(tmp_path, "x.zip", data))
    assert (rows, counts) == (20_500, {"unreadable-file": 1})
    assert [file for file, *_ in marked] == ["x.zip!2.jsonl"]


def test_columns_of_an_archive_are_judged_over_all_its_members(tmp_path):
    lines = [b'{"a": "x", "b": "no"}\n', b'{"a": "y"}\n', b'{"a": "z", "b": 3}\n']
    data = zip_of({f"{at}.jsonl": line for at, line in enumerate(lines)})
    rows, counts, _ = unreadable(write(tmp_path, "x.zip", data))
    assert (rows, counts) == (2, {"wrong-type": 1})
    with pytest.raises(SchemaError, match=r"x.zip: column 'b' is string"):
        unreadable(write(tmp_path, "x.zip", zip_of({"1.jsonl": b'{"a": "x", "b": "no"}\n'})))


def test_unreadable_files_beyond_a_number_are_added_up():
    quarantine = Quarantine("s", "t")
    for number in range(1010):
        quarantine.add_unreadable(str(number), "why", 3)
    assert len(quarantine.unreadable) == 1001
    assert quarantine.unreadable[-1] == ("(further files)", "10 more", 30)
    assert quarantine.total == 1010
