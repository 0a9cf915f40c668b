"""Memory is bounded by what is decoded, not by what stands in the file; measured in processes of their own."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sources.batching import halved, runs
from sources.manifest import RawTable
from sources.quarantine import Quarantine
from sources.readers import parquet, read
from sources.spool import Spool
from tests.sources.test_contract import normalized_fixture

SCRIPT = """
import json, sys
from collections import Counter
from pathlib import Path
from sources.manifest import Manifest
from sources.normalize import normalize, parts
from sources.parts import RawFile
from sources.quarantine import Quarantine
manifest = Manifest.model_validate(json.loads(sys.argv[1]))
files = [RawFile(t, p, p, 1, "x") for t, p in json.loads(sys.argv[2]).items()]
rows = size = negatives = 0
for part in parts(manifest, "t", files):
    for batch in normalize(part, manifest, Quarantine("s", "t"), Counter()):
        rows += batch.num_rows
        size += batch.nbytes
        negatives += len(batch["negatives"].flatten())
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps([rows, size, negatives, int(status["VmHWM"].split()[0]) * 1024]))
"""


def measured(tables, shape, files):
    """Return (rows, bytes of the rows, negatives, peak memory) of a normalized source."""
    manifest = {
        "name": "example", "title": "Example", "collection": "offline", "task": "paraphrase", "family": "retrieval",
        "origin": {"kind": "manual", "url": "nowhere", "folder": "example"}, "tables": tables, "shape": shape,
        "subsets": {"t": {"query_lang": "eng-Latn"}}, "samples": 0, "citation": "none",
        "license": {"id": "MIT", "commercial": True, "redistribution": True}, "instruction": "Find what belongs to it.",
    }  # fmt: skip
    command = [sys.executable, "-c", SCRIPT, json.dumps(manifest), json.dumps({t: str(p) for t, p in files.items()})]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def books(count, words):
    rng = np.random.default_rng(0)
    return [" ".join(map(str, rng.integers(10_000, 99_999, words))) for _ in range(count)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["string", "list", "typed"])
def test_long_documents_repeated_in_a_dictionary_page(tmp_path, kind):
    rows, each = 24_000, 800
    texts = pa.array(books(rows // each, 17_000))
    column = pa.DictionaryArray.from_arrays(pa.array((np.arange(rows) // each).astype(np.int32)), texts)
    question = [f"question {i}" for i in range(rows)]
    if kind == "list":
        with pq.ParquetWriter(
            tmp_path / "x.parquet",
            pa.schema([("q", pa.string()), ("p", pa.list_(pa.string()))]),
            dictionary_pagesize_limit=64 << 20,
        ) as writer:
            rows = 8000
            lists = pa.ListArray.from_arrays(
                pa.array(np.arange(rows + 1, dtype=np.int32)), column[:rows].dictionary_decode()
            )
            writer.write_table(pa.table({"q": question[:rows], "p": lists}, schema=writer.schema))
    else:
        pq.write_table(pa.table({"q": question, "p": column}), tmp_path / "x.parquet", store_schema=kind == "typed",
                       dictionary_pagesize_limit=64 << 20, row_group_size=rows)  # fmt: skip
    assert (tmp_path / "x.parquet").stat().st_size < 3 << 20
    fields = {"q": "string", "p": "list<string>" if kind == "list" else "string"}
    found, size, _, peak = measured(
        {"records": {"files": ["*"], "format": "parquet", "fields": fields}},
        {"kind": "pair", "args": {"query": "q", "positive": "p"}},
        {"records": tmp_path / "x.parquet"},
    )
    assert found == rows
    assert size > 100_000 * rows
    assert peak < 1e9


@pytest.mark.slow
def test_many_given_negatives(tmp_path):
    rng = np.random.default_rng(0)
    queries, documents = 14_000, books(400, 1250)
    (tmp_path / "corpus.jsonl").write_text(
        "".join(json.dumps({"id": f"d{i}", "text": t}) + "\n" for i, t in enumerate(documents))
    )
    (tmp_path / "queries.jsonl").write_text(
        "".join(json.dumps({"id": f"q{i}", "text": f"question {i}"}) + "\n" for i in range(queries))
    )
    judged = ["q\td\ts"]
    for query in range(queries):
        judged += [f"q{query}\td{d}\t{int(k == 0)}" for k, d in enumerate(rng.choice(400, 25, replace=False))]
    (tmp_path / "judged.tsv").write_text("\n".join(judged))
    texts = {"files": ["*"], "format": "jsonl", "fields": {"id": "string", "text": "string"}}
    tables = {
        "queries": texts,
        "corpus": texts,
        "judgements": {"files": ["*"], "format": "tsv", "fields": {"q": "string", "d": "string", "s": "float64"}},
    }
    table = {"id": "id", "text": "text"}
    shape = {
        "kind": "qrels",
        "args": {"queries": table, "corpus": table, "judgements": {"query": "q", "document": "d", "score": "s"}},
    }
    names = {"queries": "queries.jsonl", "corpus": "corpus.jsonl", "judgements": "judged.tsv"}
    found, size, negatives, peak = measured(tables, shape, {t: tmp_path / name for t, name in names.items()})
    assert (found, negatives) == (queries, 24 * queries)
    assert size > 2**31, "more than 32-bit offsets reach"
    assert peak < 1e9


def test_parquet_batches_are_bounded_where_lengths_differ(tmp_path):
    """A few long documents among many short ones, plain and in a dictionary, whatever the averages say."""
    long = books(40, 20_000)
    texts = [f"short {i}" for i in range(30_000)]
    texts[10_000:10_400] = long * 10
    for options in ({"use_dictionary": False}, {"dictionary_pagesize_limit": 64 << 20},
                    {"use_dictionary": False, "column_encoding": {"a": "DELTA_BYTE_ARRAY"}}):  # fmt: skip
        pq.write_table(pa.table({"a": texts}), tmp_path / "x.parquet", row_group_size=30_000, **options)
        table = RawTable(files=["*"], format="parquet", fields={"a": "string"})
        batches = [batch.columns for batch in read(tmp_path / "x.parquet", "x", table, Quarantine("s", "t"))]
        assert [text for batch in batches for text in batch["a"].to_pylist()] == texts
        assert max(batch.nbytes for batch in batches) <= 2 * parquet.DECODED_BYTES


def test_tables_are_halved_until_they_are_small():
    table = pa.table({"a": ["x" * 100] * 50 + ["y" * 10_000] + ["z"] * 200})
    pieces = list(halved(table, rows=100, size=1500))
    assert pa.concat_tables(pieces).equals(table)
    assert all(piece.num_rows == 1 or piece.nbytes <= 1500 for piece in pieces)
    assert max(piece.num_rows for piece in pieces) <= 100
    assert list(halved(table.slice(0, 0), 10)) == []


def test_runs_of_rows_cover_all():
    sizes = np.array([0, 5, 100, 0, 0, 3, 3, 3, 3, 50, 0])
    found = list(runs(sizes, rows=3, size=10))
    assert [start for start, _ in found] == [0, *(stop for _, stop in found[:-1])]
    assert found[-1][1] == len(sizes)
    assert all(stop - start <= 3 and (stop - start == 1 or sizes[start:stop].sum() <= 10) for start, stop in found)
    assert list(runs(np.zeros(0, np.int64), 3)) == []


def test_spool_knows_what_its_rows_take():
    schema = pa.schema([("text", pa.string()), ("label", pa.string()), ("n", pa.int64())])
    with Spool(schema) as spool:
        assert spool.sizes.tolist() == []
        spool.add(pa.table([["é", None, "abc"], ["x", "yy", None], [1, 2, 3]], schema=schema))
        spool.add(pa.table([["12345"], ["6"], [4]], schema=schema))
        assert spool.sizes.tolist() == [3, 2, 3, 6]
        assert spool.take(np.array([3, 0]))["n"].to_pylist() == [4, 1]


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("codesearchnet", "sources.shapes.qrels"),
        ("esci", "sources.shapes.judged"),
        ("arxiv_clustering_p2p", "sources.shapes.label"),
        ("xcodeeval_translation", "sources.adapters.across_languages"),
    ],
)
def test_tables_of_moderate_size_hold_the_same_rows(monkeypatch, source, module):
    whole, _ = normalized_fixture(source)
    cut: list[int] = []

    def one_by_one(sizes, rows):
        assert len(sizes) == 0 or sizes.min() > 0
        for start, stop in runs(sizes, rows, size=1):
            cut.append(stop - start)
            yield start, stop

    monkeypatch.setattr(f"{module}.runs", one_by_one)
    pieces, _ = normalized_fixture(source)
    assert set(cut) == {1}
    assert pieces.rows == whole.rows
