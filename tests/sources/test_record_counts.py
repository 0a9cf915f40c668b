"""What became of each file's records: exact where a record makes a row, whatever is cut, joined, filtered or broken."""

import io
import json
import tarfile
from collections import Counter
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from sources.manifest import Manifest
from sources.normalize import normalize, parts
from sources.parts import RawFile
from sources.quarantine import Quarantine
from sources.record_counts import Tally
from sources.shapes import shape


def manifest(kind="pair", args=None, fmt="jsonl", **more):
    fields = {"q": "string", "p": "string", "k": "int64"}
    data = {
        "name": "s", "title": "S", "collection": "offline", "task": "nli", "family": "retrieval",
        "origin": {"kind": "manual", "url": "nowhere", "folder": "s"},
        "tables": {"records": {"files": ["*"], "format": fmt, "fields": fields}},
        "shape": {"kind": kind, "args": args or {"query": "q", "positive": "p"}},
        "subsets": {"t": {"query_lang": "eng-Latn"}}, "samples": 0, "citation": "none",
        "license": {"id": "MIT", "commercial": True, "redistribution": True}, "instruction": "Find what belongs to it.",
    }  # fmt: skip
    return Manifest.model_validate(data | more)


def records(count, **changes):
    return [{"q": f"q{i} of it", "p": f"p{i} of it", "k": i % 4} | changes for i in range(count)]


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def counted(folder, files, said, most=None):
    """Return the counts by file, the rows, and what the part filtered; `most` batches are taken."""
    raw = []
    for name, text in files.items():
        (folder / name).write_text(text) if isinstance(text, str) else None
        raw.append(RawFile("records", name, str(folder / name), (folder / name).stat().st_size, name))
    found, rows, left_out = {}, 0, Counter()
    for part in parts(said, "t", raw):
        quarantine, filtered, tally = Quarantine("s", "t"), Counter(), Tally(part)
        rows += sum(b.num_rows for b in islice(normalize(part, said, quarantine, filtered, tally), most))
        found |= tally.files(quarantine, filtered, per_file=shape(said.shape.kind).PER_FILE)
        left_out += filtered
    return found, rows, left_out


def test_each_file_has_its_own_counts(tmp_path):
    broken = [{"q": "", "p": "x", "k": 1}, {"q": "same", "p": "same", "k": 1}, {"q": "a", "p": "b", "k": 9}]
    files = {
        "good.jsonl": lines(records(8)),
        "some.jsonl": lines([*records(4), *broken]) + "\n" + '{"q": "cut\n',
        "none.jsonl": "not json\n" * 3,
        "blank.jsonl": "\n\n",
    }
    found, rows, _ = counted(tmp_path, files, manifest(where={"k": [0, 1, 2, 3]}))
    said = {name: counts.as_json() for name, counts in found.items()}
    nothing = {"unread": 0, "beyond_limit": 0, "quarantined": {}, "filtered": {}}
    assert rows == 12
    assert said == {
        "good.jsonl": nothing | {"records": 8, "rows": 8},
        "some.jsonl": nothing | {
            "records": 8, "unread": 1, "rows": 4, "filtered": {"where": 1},
            "quarantined": {"empty-query": 1, "invalid-json": 1, "query-equals-positive": 1}},
        "none.jsonl": nothing | {"records": 3, "unread": 3, "rows": 0, "quarantined": {"invalid-json": 3}},
        "blank.jsonl": nothing | {"records": 0, "rows": 0},
    }  # fmt: skip
    assert all(counts.joined == 0 for counts in found.values())


def test_members_count_for_their_archive(tmp_path):
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        for name, text in {"a.jsonl": lines(records(3)), "b.jsonl": "no json\n" + lines(records(2))}.items():
            (tmp_path / name).write_text(text)
            archive.add(tmp_path / name, name)
    found, rows, _ = counted(tmp_path, {"all.tar": None}, manifest())
    assert (found["all.tar"].records, found["all.tar"].rows, rows) == (6, 5, 5)
    assert found["all.tar"].quarantined == {"invalid-json": 1}


def test_bytes_of_a_members_name_that_are_no_text_are_escaped(tmp_path):
    """Arrow cannot hold them: the rows, and the bad records, of such a member ended the task."""
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        data = ("no json\n" + lines(records(2))).encode()
        info = tarfile.TarInfo("caf\udce9.jsonl")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("l\udce9.jsonl")
        link.type, link.linkname = tarfile.SYMTYPE, "x"
        archive.addfile(link)
    quarantine = Quarantine("made", "t")
    parts_ = parts(manifest(), "t", [RawFile("records", "all.tar", str(tmp_path / "all.tar"), 1, "x")])
    batches = [batch for part in parts_ for batch in normalize(part, manifest(), quarantine, Counter())]
    assert sum(batch.num_rows for batch in batches) == 2
    assert [(entry["file"], entry["reason"]) for entry in quarantine.table().to_pylist()] == [
        ("all.tar!caf\\udce9.jsonl", "invalid-json"),
        ("all.tar!l\\udce9.jsonl", "link-member"),
    ]


def test_a_lost_row_group_counts_its_rows(tmp_path):
    pq.write_table(pa.Table.from_pylist(records(3000)), tmp_path / "a.parquet", row_group_size=1000, compression="gzip")
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    middle = pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(1).column(0).data_page_offset
    data[middle + 40 : middle + 400] = b"\xff" * 360
    (tmp_path / "a.parquet").write_bytes(data)
    found, rows, _ = counted(tmp_path, {"a.parquet": None}, manifest(fmt="parquet"))
    counts = found["a.parquet"]
    assert (counts.records, counts.rows, rows, counts.quarantined) == (3000, 2000, 2000, {"corrupt-row-group": 1000})


def test_what_a_limit_of_the_shape_leaves_over_is_no_loss(tmp_path):
    for kind in ("pair", "bitext"):
        said = manifest(kind, {"query": "q", "positive": "p", "limit": 5})
        found, rows, _ = counted(tmp_path, {"a.jsonl": lines(records(20))}, said)
        counts = found["a.jsonl"]
        assert (counts.records, counts.rows, counts.beyond_limit, counts.joined, rows) == (20, 5, 15, 0, 5), kind


def test_records_of_a_joining_shape_are_joined_and_split_ones_are_below_zero(tmp_path):
    judged = {"query": "q", "document": "p", "label": "k", "relevant": ["1"], "irrelevant": ["0", "2", "3"]}
    found, rows, left_out = counted(tmp_path, {"a.jsonl": lines(records(8, q="one q"))}, manifest("judged", judged))
    counts = found["a.jsonl"]
    assert (counts.records, counts.rows, rows, counts.joined, left_out) == (8, 1, 1, 7, {})
    similar = {"first": "q", "second": "p", "score": "k", "threshold": 2}
    found, rows, left_out = counted(tmp_path, {"a.jsonl": lines(records(8))}, manifest("sts", similar))
    counts = found["a.jsonl"]
    assert left_out == {"score-below-2": 4}
    assert (counts.records, counts.rows, rows, counts.joined) == (8, 8, 8, -4)


def test_files_of_a_subset_that_is_read_as_a_whole_are_told_apart(tmp_path):
    clustering = {"mode": "clustering", "text": "q", "label": "p"}
    files = {"a.jsonl": lines(records(6, p="class")), "b.jsonl": lines(records(2, p="")) + "no json\n"}
    said = manifest("label", clustering, where={"k": [0, 1]})
    found, rows, left_out = counted(tmp_path, files, said)
    assert (rows, left_out) == (4, {"where": 2})
    assert (found["a.jsonl"].rows, found["a.jsonl"].filtered) == (4, {"where": 2})
    assert found["b.jsonl"].quarantined == {"invalid-json": 1, "unknown-label": 2}
    assert (found["b.jsonl"].records, found["b.jsonl"].unread, found["b.jsonl"].rows) == (3, 1, 0)
