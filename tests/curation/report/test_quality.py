"""What is still to be seen in the rows, and what was not read: counted while rows are made, and shown afterwards."""

import json
import shutil

import pytest
import yaml

from curation.build import StepResult
from curation.pipeline.freshness import inputs_of, load
from curation.pipeline.run import run_step
from curation.report.inputs import load_inputs
from curation.report.tables import texts
from curation.report.tables.texts import KINDS
from tests.support import project
from tests.support.report_page import ReportPage

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 1\n"
EVIL = '<script>alert("x")</script>'
DIRTY = [
    ("what is &lt;b&gt;?", "a tag"),
    ("so , it is .", "w\ufffdre"),
    ("ok", "no damage whatever"),
    ("what is &lt;b&gt;?", "It\u00e2\u20ac\u2122s a <b>tag</b>"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A project with a file of damaged texts, one that is not the data, and a subset whose name is markup."""
    root = project.make(tmp_path_factory.mktemp("quality"), rows=60, normalize={"allow": ["pairs/all:pointer.jsonl"]})
    lines = [json.dumps({"q": q, "d": d}, ensure_ascii=False) for q, d in DIRTY]
    (root / "raw/pairs/dirty.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    (root / "raw/pairs/pointer.jsonl").write_text(POINTER)
    project.manifest(root, "pairs", subsets={"all": {"query_lang": "eng-Latn"}}, tables={
        "records": {"files": ["*.jsonl"], "format": "jsonl", "fields": {"q": "string", "d": "string"}},
    }, shape={"kind": "pair", "args": {"query": "q", "positive": "d"}})  # fmt: skip
    project.run(root, "fetch")
    return root


@pytest.fixture(scope="module")
def said(root):
    """What `curate normalize --json` says."""
    return json.loads(project.run(root, "normalize", "--json"))


def stats(root):
    return json.loads((root / "out/tiny/steps/normalize.json").read_text())["stats"]


def test_the_sums_are_those_of_the_rows(root, said):
    found = {line["source"]: line for line in said["sources"]}
    for name, sides in {"pairs": 2, "classes": 2, "opinions": 1}.items():
        assert found[name]["texts"] == sides * found[name]["rows"] > 0, name
    pairs = found["pairs"]
    assert {key: pairs[key] for key in ("damaged", "entities", "tags", "mojibake", "replacement", "tokenized")} == {
        "damaged": 5, "entities": 2, "tags": 1, "mojibake": 1, "replacement": 1, "tokenized": 1,
    }  # fmt: skip
    assert pairs["short"] == 1
    assert (pairs["unread_files"], pairs["unread_bytes"]) == (1, len(POINTER))
    sides = stats(root)["checks"]["pairs"]["all"]
    assert (sides["query"]["damaged"], sides["positive"]["damaged"]) == (3, 2)
    for key in (*KINDS, "texts", "damaged", "unread_files", "unread_bytes"):
        assert said["total"][key] == sum(line[key] for line in said["sources"]), key


def test_workers_change_no_figure_and_shards_only_what_is_compared_within_one(root, said, tmp_path):
    again = shutil.copytree(root, tmp_path / "again")
    for rows, compared in ((60, set()), (3, {"repeated"})):
        shutil.rmtree(again / "work/tiny/rows")
        settings = yaml.safe_load((again / "params.yaml").read_text())
        settings["tiny"]["normalize"]["shard_rows"] = rows
        (again / "params.yaml").write_text(yaml.safe_dump(settings))
        other = json.loads(project.curate(again, "normalize", "--json", "--workers", "2").stdout)
        for line, whole in zip(other["sources"], said["sources"], strict=True):
            assert {k for k in line if line[k] != whole[k]} == (compared if line["source"] == "pairs" else set())
    assert stats(again)["checks"]["pairs"]["all"]["query"].get("repeated", 0) == 0
    assert stats(root)["checks"]["pairs"]["all"]["query"]["repeated"] == 1


def test_what_was_not_read_is_shown(root, said):
    shown = project.run(root, "show", "pairs", "--quarantined", "--rows", "50")
    assert "files of pairs that were not read to their end" in shown
    assert "pointer.jsonl" in shown
    assert f"1 of 1; {len(POINTER)} bytes were not read" in " ".join(shown.split())
    lines = [json.loads(line) for line in project.run(root, "show", "pairs", "--quarantined", "--json").splitlines()]
    assert lines[-1] == {
        "source": "pairs", "subset": "all", "file": "pointer.jsonl",
        "why": "a Git LFS pointer, not the data: fetch the file itself", "bytes_not_read": len(POINTER),
    }  # fmt: skip
    assert "not read to their end" not in project.run(root, "show", "classes", "--quarantined")


def test_the_report_has_both(root, said):
    project.run(root, "report")
    text = (root / "out/tiny/report.html").read_text("utf-8")
    page = ReportPage(text)
    shown = {table: {} for table in ("quality", "quality_sides", "sources")}
    for (table, row, column), cell in page.cells.items():
        if table in shown:
            shown[table].setdefault(row, {})[column] = cell
    quality = list(shown["quality"].values())
    assert quality[0]["source"] == "pairs", "the worst first"
    rows = {line["source"]: line for line in said["sources"]}
    assert quality[0]["texts"] == f"{rows['pairs']['texts']:,}"
    assert quality[0]["damaged_share"] == f"{100 * 5 / rows['pairs']['texts']:.1f} %"
    (total,) = [v for k, v in page.values.items() if k[0] == "totals" and v == f"{said['total']['texts']:,}"][:1]
    assert total
    worst = [(side["subset"], side["side"]) for side in shown["quality_sides"].values()][:2]
    assert sorted(worst) == [("all", "positive"), ("all", "query")]
    (pairs,) = [row for row in shown["sources"].values() if row["source"] == "pairs"]
    assert (pairs["unread_files"], pairs["unread_bytes"]) == ("1", str(len(POINTER)))


def test_the_worst_stands_first_and_all_is_counted(whole):
    many = {f"s{n:02d}": {f"x{n}": {"query": {"texts": 100, "damaged": n, "tags": n}}} for n in range(60)}
    inputs = load_inputs(whole, inputs_of(whole, "report"))
    inputs.rows.stats["checks"] = {**many, "none": {}}
    quality, sides, *_ = texts.fill(inputs, {})
    assert [row["source"] for row in quality.rows[:2]] == ["s59", "s58"]
    assert (len(quality), quality.sum("texts"), quality.sum("tags")) == (60, 6000, sum(range(60)))
    assert [(row["subset"], row["damaged_share"]) for row in sides.rows[:2]] == [("x59", 0.59), ("x58", 0.58)]
    for nothing in ({}, {"none": {}}):
        inputs.rows.stats["checks"] = nothing
        assert [len(table) for table in texts.fill(inputs, {})] == [0, 0, 0, 0]


def test_names_of_subsets_are_escaped(corpus):
    result: StepResult = load(corpus, "normalize")
    source = next(iter(result.stats["sources"]))
    result.stats["checks"] = {source: {EVIL: {"query": {"texts": 3, "damaged": 1, "tags": 1}}}}
    corpus.save(result)
    run_step(corpus, "report")
    text = (corpus.out / "report.html").read_text("utf-8")
    assert EVIL not in text
    assert EVIL in [
        cell
        for (table, _, column), cell in ReportPage(text).cells.items()
        if (table, column) == ("quality_sides", "subset")
    ]
