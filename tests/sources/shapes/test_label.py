"""Where the shape `label` finds a record's class, and which records it takes; and the spool that it keeps texts in."""

import numpy as np
import pyarrow as pa
import pytest

from open_ml_embed.core.errors import SchemaError
from sources.spool import Spool
from tests.support.shaping import run

CLUSTER = {"mode": "clustering", "text": "x", "label": "y"}


@pytest.mark.parametrize(
    "labels", [["b c", " b", None, ""], [["b", "c"], ["b"], None, []]], ids=["first word", "first element"]
)
def test_class_is_the_first_of_several(labels):
    records = [{"x": f"t{number}", "y": label} for number, label in enumerate(labels)]
    rows, bad, _ = run("label", CLUSTER | {"label_from": "first"}, records=records)
    assert [(row["query"], row["label"]) for row in rows] == [("t0", "b"), ("t1", "b")]
    assert bad == [("records", 2, "unknown-label"), ("records", 3, "unknown-label")]


def test_class_is_the_name_of_the_file():
    args = {"mode": "clustering", "text": "x", "label_from": "file"}
    files = {
        "all.tar.gz!top/data/se.site.txt": [{"x": "1"}, {"x": "2"}],
        "all.tar.gz!top/data/AFL.txt": [{"x": "3"}, {"x": "4"}],
        "folder/AFL.txt": [{"x": "5"}],
    }
    rows, *_ = run("label", args, **files)
    assert [row["label"] for row in rows] == ["se.site", "se.site", "AFL", "AFL", "AFL"]


@pytest.mark.parametrize("size", [1, 4, 100])
def test_every_so_many_records_are_taken_whatever_the_batches(size):
    records = [{"x": f"t{number}", "y": "a"} for number in range(10)]
    rows, _, filtered = run("label", CLUSTER | {"every": 4}, size=size, records=records)
    assert [row["record"] for row in rows] == [0, 4, 8]
    assert filtered == {"not-sampled": 7}


def test_spool_gives_rows_back_in_any_order_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    schema = pa.schema([("n", pa.int64()), ("text", pa.string())])
    with Spool(schema) as spool:
        for start in (0, 20_000):
            numbers = range(start, start + 20_000)
            spool.add(pa.table([list(numbers), [f"t{n}" for n in numbers]], schema=schema))
        wanted = np.array([39_999, 0, 20_000, 0, 16_384])
        taken = spool.take(wanted)
        assert taken["n"].to_pylist() == wanted.tolist()
        assert taken["text"].to_pylist() == [f"t{n}" for n in wanted]
        assert spool.take(np.array([], np.int64)).num_rows == 0
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_only_records_of_one_label_are_taken():
    labels = [[3], [], [1, 2], None, [3], [1]]
    records = [{"x": f"t{number}", "y": label} for number, label in enumerate(labels)]
    args = CLUSTER | {"label_from": "only", "names": {"1": "one", "3": "three"}}
    rows, bad, filtered = run("label", args, records=records)
    assert [(row["query"], row["label"]) for row in rows] == [("t0", "three"), ("t4", "three")]
    assert (bad, filtered) == ([], {"no-label": 2, "several-labels": 1, "alone-in-class": 1})


def test_labels_that_are_no_lists_cannot_be_counted():
    with pytest.raises(SchemaError, match="'y' are string, not lists"):
        run("label", CLUSTER | {"label_from": "only"}, records=[{"x": "t", "y": "a"}])
