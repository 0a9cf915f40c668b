"""Translation memories: bad units are quarantined with their number, and all the others come through."""

import gzip
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from open_ml_embed.core.errors import SchemaError
from sources.manifest import RawTable
from sources.quarantine import Quarantine
from sources.readers import read, tmx

HEAD = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n'
    b'<tmx version="1.4"><header srclang="en"/>\n<body>\n'
)
FOOT = b"</body>\n</tmx>\n"


def unit(first: str, second: str) -> bytes:
    return (
        '<tu tuid="1"><prop type="score">0.9</prop>\n'
        f'<tuv xml:lang="en"><prop type="source-document">x</prop><seg>{first}</seg></tuv>\n'
        f'<tuv xml:lang="so"><seg>{second}</seg></tuv></tu>\n'
    ).encode()


def units(count: int) -> list[bytes]:
    return [unit(f"word {n}", f"eray {n}") for n in range(count)]


def reading(path: Path, fields=("en", "so"), batch_rows=65_536):
    """Return (record → values of the fields, quarantined (record, reason))."""
    quarantine = Quarantine("s", "t")
    table = RawTable.model_validate({"files": ["*"], "format": "tmx", "fields": dict.fromkeys(fields, "string")})
    rows = {}
    for batch in read(path, "raw/x.tmx", table, quarantine, batch_rows=batch_rows):
        assert batch.columns.column_names == list(fields)
        assert batch.file == "raw/x.tmx"
        assert 0 < batch.columns.num_rows <= batch_rows
        for record, row in zip(batch.records.to_pylist(), batch.columns.to_pylist(), strict=True):
            assert record not in rows
            rows[record] = tuple(row.values())
    return rows, [(bad["record"], bad["reason"]) for bad in quarantine.table().to_pylist()]


def written(folder: Path, found: list[bytes], *, packed: bool = False) -> Path:
    data = HEAD + b"".join(found) + FOOT
    path = folder / ("x.tmx.gz" if packed else "x.tmx")
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    return path


def good(*numbers):
    return {n: (f"word {n}", f"eray {n}") for n in numbers}


BAD_UNITS = {
    "control character": (b"\x02", "invalid-xml"),
    "bare ampersand": (b"bread & butter", "invalid-xml"),
    "unknown entity": (b"&copy;", "invalid-xml"),
    "unclosed element": (b"</seg><prop>", "invalid-xml"),
    "not UTF-8": (b"caf\xe9", "invalid-utf8"),
}


@pytest.mark.parametrize("case", BAD_UNITS)
@pytest.mark.parametrize("at", [0, 4, 8])
def test_bad_unit(tmp_path, case, at):
    text, reason = BAD_UNITS[case]
    found = units(9)
    found[at] = unit("@", "x").replace(b"@", text)
    rows, bad = reading(written(tmp_path, found))
    assert bad == [(at, reason)]
    assert rows == good(*(n for n in range(9) if n != at))


@pytest.mark.parametrize("at", [0, 4, 8])
def test_unit_without_an_end_does_not_take_the_next_one_along(tmp_path, at):
    found = units(9)
    found[at] = found[at].replace(b"</tu>", b"")
    rows, bad = reading(written(tmp_path, found))
    assert bad == [(at, "invalid-xml")]
    assert rows == good(*(n for n in range(9) if n != at))


def test_packed_file_that_was_cut_gives_the_units_before(tmp_path):
    path = written(tmp_path, units(20_000), packed=True)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    rows, bad = reading(path)
    assert len(rows) > 10_000
    assert rows == good(*range(len(rows)))
    assert bad == [(len(rows), "truncated-file")]


def test_packed_file_that_was_cut_before_any_unit(tmp_path):
    path = tmp_path / "x.tmx.gz"
    path.write_bytes(gzip.compress(HEAD, mtime=0)[:-12])
    assert reading(path) == ({}, [(0, "truncated-file")])


def test_blocks_of_any_size_give_the_same(tmp_path, monkeypatch):
    found = units(30)
    found[7] = unit("&", "x")
    path = written(tmp_path, found)
    expected = reading(path)
    for size in (1, 2, 3, 50, 1000):
        monkeypatch.setattr(tmx, "BLOCK_BYTES", size)
        assert reading(path) == expected, size
    assert reading(path, batch_rows=3) == expected


def test_oversized_unit_is_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(tmx, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(tmx, "MAX_UNIT_BYTES", 5000)
    found = units(5)
    found[2] = unit("long " * 4000, "x")
    rows, bad = reading(written(tmp_path, found))
    assert bad == [(2, "oversized-record")]
    assert rows == good(0, 1, 3, 4)


def test_languages_are_matched_whatever_their_case_and_order(tmp_path):
    found = [
        b'<tu><tuv lang="SO"><seg>saddex</seg></tuv><tuv xml:lang="fr"><seg>trois</seg></tuv>'
        b'<tuv xml:lang="EN"><seg>three</seg></tuv><tuv xml:lang="en"><seg>3</seg></tuv></tu>',
        b'<tu><tuv xml:lang="en"><seg/></tuv></tu>',
        b'<tu><tuv xml:lang="en"></tuv><tuv xml:lang="so"><seg>afar</seg></tuv></tu>',
    ]
    rows, bad = reading(written(tmp_path, found))
    assert rows == {0: ("three", "saddex"), 1: ("", None), 2: (None, "afar")}
    assert not bad


def test_codes_of_the_original_format_are_no_text(tmp_path):
    segment = 'Press <bpt i="1">&lt;b&gt;</bpt><hi>Save <ph>[x]</ph>now</hi><ept i="1">&lt;/b&gt;</ept> &amp; wait'
    rows, _ = reading(written(tmp_path, [unit(segment, "<![CDATA[a < b]]>")]))
    assert rows == {0: ("Press Save now & wait", "a < b")}


def test_no_entities_are_taken_from_the_document_type(tmp_path):
    path = tmp_path / "x.tmx"
    path.write_bytes(b'<!DOCTYPE tmx [<!ENTITY e SYSTEM "file:///etc/passwd">]><tmx><body>' + unit("&e;", "x") + FOOT)
    assert reading(path) == ({}, [(0, "invalid-xml")])


def test_absent_language_names_those_that_are_there(tmp_path):
    with pytest.raises(SchemaError, match=r"no column 'az'; found: en, so; expected: az, en"):
        reading(written(tmp_path, units(3)), fields=("az", "en"))


@pytest.mark.parametrize("data", [b"", b"en\tso\n"])
def test_file_that_is_no_translation_memory(tmp_path, data):
    path = tmp_path / "x.tmx"
    path.write_bytes(data)
    with pytest.raises(SchemaError, match="no translation units"):
        reading(path)


# What XML can hold: no control characters, no surrogates; it reads a carriage return as a line end.
TEXTS = st.text(
    st.one_of(st.sampled_from("<tu></tuv&;\"'-]!\n\t "), st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))),
    max_size=30,
).filter(lambda text: "\ufffe" not in text and "\uffff" not in text)


@settings(max_examples=60, deadline=None)
@given(pairs=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=12), size=st.integers(1, 400), data=st.data())
def test_whatever_is_written_comes_back(tmp_path_factory, pairs, size, data):
    folder = tmp_path_factory.mktemp("tmx")
    found = [unit(escape(a), escape(b)) for a, b in pairs]
    broken = data.draw(st.sets(st.integers(0, len(pairs) - 1), max_size=len(pairs) - 1))
    for at in broken:
        found[at] = unit("&", "x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tmx, "BLOCK_BYTES", size)
        rows, bad = reading(written(folder, found, packed=data.draw(st.booleans())))
    assert rows == {n: pair for n, pair in enumerate(pairs) if n not in broken}
    assert bad == [(n, "invalid-xml") for n in sorted(broken)]
