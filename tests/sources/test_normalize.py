"""From files to rows: parts, conditions, refusals, identities."""

import json
from collections import Counter

import pyarrow as pa
import pytest
import xxhash

from open_ml_embed.core.errors import ManifestError
from sources.fetch import FetchOptions, fetch
from sources.manifest import Manifest
from sources.normalize import normalize, parts
from sources.quarantine import Quarantine
from sources.schema import ROW_SCHEMA


def manifest(**more) -> Manifest:
    data = {
        "name": "example", "title": "Example", "collection": "offline", "task": "paraphrase", "family": "retrieval",
        "origin": {"kind": "manual", "url": "nowhere", "folder": "example"},
        "tables": {
            "records": {"files": ["*.jsonl"], "format": "jsonl", "fields": {
                "q": "string", "p": "string", "n": "list<string>", "k": "int64", "l": "string"}}
        },
        "shape": {"kind": "pair", "args": {"query": "q", "positive": "p", "negatives": ["n"]}},
        "subsets": {"t": {"query_lang": "eng-Latn"}}, "samples": 0, "citation": "none",
        "license": {"id": "MIT", "commercial": True, "redistribution": True}, "instruction": "Find what belongs to it.",
    }  # fmt: skip
    return Manifest.model_validate(data | more)


def rows_of(folder, records, files=1, **more):
    home = folder / "example"
    home.mkdir(exist_ok=True)
    blank = {"q": "q", "p": "p", "n": [], "k": 1, "l": "en"}
    for number in range(files):
        lines = [json.dumps(blank | record) for record in records[number::files]]
        (home / f"{number}.jsonl").write_text("\n".join(lines))
    chosen = manifest(**more)
    found = fetch(chosen, "t", FetchOptions(str(folder), local_root=str(folder)))
    quarantine, filtered = Quarantine("example", "t"), Counter()
    batches = []
    for part in parts(chosen, "t", found):
        batches += normalize(part, chosen, quarantine, filtered)
    bad = [(q["record"], q["reason"]) for q in quarantine.table().to_pylist()]
    return pa.Table.from_batches(batches, ROW_SCHEMA), bad, dict(filtered)


def test_bad_rows_have_a_reason_each(tmp_path):
    records = [{"q": " \u200b"}, {"q": "\ufeff \r\n"}, {"q": None}, {"p": "\x00"}, {"q": "same", "p": " same\t"},
               {"q": "good"}]  # fmt: skip
    rows, bad, _ = rows_of(tmp_path, records)
    assert rows["query"].to_pylist() == ["good"]
    empty = [(record, "empty-query") for record in range(3)]
    assert bad == [*empty, (3, "empty-positive"), (4, "query-equals-positive")]


def test_unknown_language(tmp_path):
    subsets = {"t": {"query_lang": {"column": "l"}}}
    rows, bad, _ = rows_of(tmp_path, [{"l": "fr"}, {"l": "map"}, {"l": None}, {"l": "de", "q": ""}], subsets=subsets)
    assert rows["query_lang"].to_pylist() == ["fra-Latn"]
    assert bad == [(1, "unknown-language"), (2, "unknown-language"), (3, "empty-query")]


def test_negatives_are_cleaned(tmp_path):
    given = [" a  b ", "", None, "p", "p ", "c\r\n"]
    rows, *_ = rows_of(tmp_path, [{"n": given}, {"n": []}, {"n": None}, {"q": "", "n": ["x"]}, {"q": "q2", "n": ["y"]}])
    assert rows["negatives"].to_pylist() == [["a b", "c"], [], [], ["y"]]


def test_code_keeps_its_whitespace_row_by_row(tmp_path):
    subsets = {"t": {"query_lang": {"column": "l", "map": {"py": "python-Code"}}, "positive_lang": "eng-Latn"}}
    records = [{"q": "\n  x =  1\n", "l": "py"}, {"q": "\n  x =  1\n", "l": "en"}]
    rows, *_ = rows_of(tmp_path, records, subsets=subsets)
    assert rows["query"].to_pylist() == ["  x =  1", "x = 1"]


def test_where(tmp_path):
    rows, _, filtered = rows_of(tmp_path, [{"k": 1}, {"k": 2}, {"k": 3}, {"k": None}], where={"k": [1, 3]})
    assert [origin["record"] for origin in rows["origin"].to_pylist()] == [0, 2]
    assert filtered == {"where": 2}
    with pytest.raises(ManifestError, match="`where` names 'kk', which no table declares"):
        rows_of(tmp_path, [{}], where={"kk": [1]})


def test_identity_is_of_the_content_alone(tmp_path):
    rows, *_ = rows_of(tmp_path, [{"q": "ab", "p": "c"}, {"q": "a", "p": "bc"}, {"q": " ab ", "p": "c", "n": ["d"]}])
    first, second, third = rows["row_id"].to_pylist()
    assert first != second
    assert first == third
    parts_ = [b"example", b"t", b"ab", b"c"]
    assert first == xxhash.xxh3_128_digest(b"".join(len(p).to_bytes(8, "little") + p for p in parts_))


def test_a_part_a_file_or_one_of_all(tmp_path):
    records = [{"q": f"q{i}", "p": f"p{i}", "l": "ab"[i % 2]} for i in range(9)]
    rows, *_ = rows_of(tmp_path, records, files=3)
    assert rows["query"].to_pylist() == [f"q{i}" for start in range(3) for i in range(start, 9, 3)]
    label = {"kind": "label", "args": {"mode": "clustering", "text": "q", "label": "l"}}
    found = fetch(manifest(), "t", FetchOptions(str(tmp_path), local_root=str(tmp_path)))
    assert [len(part.files) for part in parts(manifest(), "t", found[::-1])] == [1, 1, 1]
    assert [part.files[0].name for part in parts(manifest(), "t", found[::-1])] == ["0.jsonl", "1.jsonl", "2.jsonl"]
    assert [len(part.files) for part in parts(manifest(shape=label), "t", found)] == [3]
    assert parts(manifest(), "t", []) == []


def test_batches_are_of_moderate_size_and_in_order(tmp_path):
    records = [{"q": f"q{i}"} for i in range(150_000)]
    home = tmp_path / "example"
    home.mkdir()
    (home / "0.jsonl").write_text("\n".join(json.dumps({"p": "p", "n": [], "k": 0, "l": ""} | r) for r in records))
    found = fetch(manifest(), "t", FetchOptions(str(tmp_path), local_root=str(tmp_path)))
    (part,) = parts(manifest(), "t", found)
    batches = list(normalize(part, manifest(), Quarantine("example", "t"), Counter()))
    assert all(0 < batch.num_rows <= 65_536 for batch in batches)
    records = [o for batch in batches for o in batch.column("origin").field("record").to_pylist()]
    assert records == list(range(150_000))
