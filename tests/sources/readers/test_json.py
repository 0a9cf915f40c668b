"""JSON and its lines, compressed and in archives: the bad record is quarantined, and all the others come through."""

import bz2
import errno
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from functools import partial

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from open_ml_embed.core.errors import SchemaError
from sources.quarantine import Quarantine
from sources.readers import archives, line_blocks
from tests.support.reading import numbers, reading, write

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
    monkeypatch.setattr(line_blocks, "BLOCK_BYTES", 64)
    monkeypatch.setattr(line_blocks, "MAX_LINE_BYTES", 300)
    monkeypatch.setattr(line_blocks.blocks, "__kwdefaults__", {"size": 64})
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


def zip_of(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive:
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
    links = [("raw/x.pack!in/link.jsonl", 0, "link-member")] if pack is tar_of else []  # never followed, never silent
    assert bad == [("raw/x.pack!in/2.jsonl.gz", 1, "invalid-json"), *links]


@pytest.mark.parametrize("pack", [zip_of, tar_of])
@pytest.mark.parametrize("name", ["../../evil.jsonl", "/tmp/evil.jsonl"])
def test_archive_path_traversal(tmp_path, pack, name):
    rows, bad = reading(write(tmp_path, "x", pack({name: LINE, "ok.jsonl": LINE})), format="jsonl", members=["**"])
    assert [reason for *_, reason in bad] == ["unsafe-member", *(["link-member"] if pack is tar_of else [])]
    assert list(rows) == [("raw/x!ok.jsonl", 0)]


@pytest.mark.parametrize("pack", [zip_of, tar_of])
def test_an_archive_without_a_member_to_read_is_an_unreadable_file(tmp_path, pack):
    rows, bad = reading(write(tmp_path, "x", pack({"readme.txt": LINE})), format="jsonl", members=["*.csv"])
    assert ([*rows], [reason for *_, reason in bad]) == ([], ["no-members"])


def test_archive_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "SAFE_BYTES", 1000)
    monkeypatch.setattr(archives, "MAX_RATIO", 5)
    path = write(tmp_path, "x.zip", zip_of({"bomb.jsonl": LINE * 100_000, "ok.jsonl": LINE}))
    rows, bad = reading(path, format="jsonl")
    assert bad == [("raw/x.zip!bomb.jsonl", 0, "decompression-bomb")]
    assert list(rows) == [("raw/x.zip!ok.jsonl", 0)]


def test_archive_whose_members_share_their_bytes(tmp_path, monkeypatch):
    """Each is small enough; together they would unpack for days."""
    monkeypatch.setattr(archives, "SAFE_BYTES", 1000)
    monkeypatch.setattr(archives, "MAX_RATIO", 1)
    text = LINE * (900 // len(LINE))
    data = bytearray(zip_of({f"{i:03d}.jsonl": text for i in range(50)}))
    directory = data.index(b"PK\x01\x02")
    entries = data[directory:].split(b"PK\x01\x02")[1:]
    for entry in entries:
        entry[38:42] = bytes(4)  # the offset of the first member
        entry[42:45] = b"000"
    shared = data[: data.index(b"PK\x03\x04", 4)]
    end = entries[-1].index(b"PK\x05\x06")
    entries[-1][end + 16 : end + 20] = len(shared).to_bytes(4, "little")
    path = write(tmp_path, "x.zip", bytes(shared) + b"".join(b"PK\x01\x02" + bytes(entry) for entry in entries))
    quarantine = Quarantine("s", "t")
    read_members = [p.read_text() for _, p in archives.members(path, "x.zip", None, quarantine)]
    assert 0 < len(read_members) < 20
    assert set(read_members) == {text if isinstance(text, str) else text.decode()}
    assert [q["reason"] for q in quarantine.table().to_pylist()] == ["decompression-bomb"]


def test_archive_damaged_member(tmp_path):
    data = bytearray(zip_of({"1.jsonl": LINE * 50, "2.jsonl": LINE}))
    at = data.index(b"1.jsonl") + 12
    data[at : at + 4] = b"\xff" * 4
    rows, bad = reading(write(tmp_path, "x.zip", bytes(data)), format="jsonl")
    assert bad == [("raw/x.zip!1.jsonl", 0, "unreadable-member")]
    assert list(rows) == [("raw/x.zip!2.jsonl", 0)]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_archive_member_with_a_bad_stream(tmp_path, method):
    data = bytearray(zip_of({"1.jsonl": LINE * 500, "2.jsonl": LINE}, method))
    at = data.index(b"1.jsonl") + 30
    data[at : at + 8] = b"\xaa" * 8
    rows, bad = reading(write(tmp_path, "x.zip", bytes(data)), format="jsonl")
    assert bad == [("raw/x.zip!1.jsonl", 0, "unreadable-member")]
    assert list(rows) == [("raw/x.zip!2.jsonl", 0)]


@pytest.mark.parametrize("offset", [b"\x00\x00\x00\xf0", b"\xff\xff\xff\x7f"])
def test_archive_member_at_an_impossible_place(tmp_path, offset):
    data = bytearray(zip_of({"1.jsonl": LINE, "2.jsonl": LINE}))
    at = data.index(b"PK\x01\x02") + 42
    data[at : at + 4] = offset
    rows, bad = reading(write(tmp_path, "x.zip", bytes(data)), format="jsonl")
    assert bad == [("raw/x.zip!1.jsonl", 0, "unreadable-member")]
    assert list(rows) == [("raw/x.zip!2.jsonl", 0)]


def test_archive_whose_directory_is_at_an_impossible_place(tmp_path):
    """The size of the directory is wrong, so that all members would lie before the start of the file."""
    data = bytearray(zip_of({"1.jsonl": LINE}))
    at = data.index(b"PK\x05\x06") + 16
    data[at : at + 4] = (int.from_bytes(data[at : at + 4], "little") + 1000).to_bytes(4, "little")
    _, bad = reading(write(tmp_path, "x.zip", bytes(data)), format="jsonl")
    assert [reason for *_, reason in bad] in (["unreadable-archive"], ["unreadable-member"])


def test_a_full_disk_is_no_damage_of_the_archive(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archives, "_copy", full)
    with pytest.raises(OSError, match="No space left"):
        reading(write(tmp_path, "x.zip", zip_of({"1.jsonl": LINE})), format="jsonl")


def test_archive_cut(tmp_path):
    data = zip_of({"1.jsonl": LINE})
    assert reading(write(tmp_path, "x.zip", data[:-30]), format="jsonl")[1] == [("raw/x.zip", 0, "unreadable-archive")]


TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES = st.fixed_dictionaries({"a": TEXTS, "b": st.integers(-(2**63), 2**63 - 1) | st.none()})
JUNK_LINES = [b"{", b"nul", b"[]", b'"x"', b'{"a": "\xff"}', b'{"a": []}', b"{}{}", b"\x00"]
JUNK = st.sampled_from(JUNK_LINES)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES | JUNK | st.sampled_from([b"", b" ", b"\t\r"]), max_size=12), st.integers(1, 5))
@example([b"", b"{}{}"], 1)
@example([b" ", b"{}{}"], 1)
@example([b"{}{}", b"\r", {"a": "", "b": 0}], 2)
def test_jsonl_any_mixture(tmp_path_factory, items, batch_rows):
    encoded = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in items]
    path = write(tmp_path_factory.mktemp("j"), "x.jsonl", b"\n".join(encoded))
    good = {i: item for i, item in enumerate(items) if isinstance(item, dict)}
    if not good and any(item in (b"{}", b'{"a": []}') for item in items):
        return  # a file without the declared columns
    rows, bad = reading(path, format="jsonl", batch_rows=batch_rows)
    assert {record: row for (_, record), row in rows.items()} == good
    assert sorted(record for _, record, _ in bad) == [i for i, item in enumerate(items) if item in JUNK_LINES]
