"""What is still to be seen in the rows, and what was not read: counted while rows are made, and shown afterwards."""

import json
import shutil

import pytest
import yaml

from curation.build import StepResult
from curation.pipeline.freshness import load
from curation.pipeline.run import run_step
from curation.report.quality import KINDS, MOST_PIECES, SHOWN, quality
from tests.support import project
from tests.support.hostile import Page

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
    section = text[text.index('<h2 id="quality">') : text.index('<h2 id="languages">')]
    page = Page(section)
    cells = [cell.strip() for cell in page.text if cell.strip()]
    assert cells.index("pairs") < cells.index("classes"), "the worst first"
    first = cells[cells.index("pairs") + 1 :]
    rows = {line["source"]: line for line in said["sources"]}
    assert first[0] == f"{rows['pairs']['texts']:,}"
    assert first[1] == f"{100 * 5 / rows['pairs']['texts']:.1f} %"
    assert cells[cells.index("all", cells.index("opinions")) + 1] == f"{said['total']['texts']:,}"
    assert {"all, query", "all, positive"} <= set(cells), "by subset and side"
    funnel = Page(text[text.index('<h2 id="funnel">') : text.index('<h2 id="quality">')])
    assert f"1 file, {len(POINTER)} B" in "".join(funnel.text)


def counted(**sources):
    return {"checks": sources}


def test_long_lists_are_folded_and_what_is_not_shown_is_counted():
    many = {f"s{n:02d}": {f"x{n}": {"query": {"texts": 100, "damaged": n, "tags": n}}} for n in range(60)}
    found = quality(counted(**many, none={}))
    assert [row.name for row in found.worst[:2]] == ["s59", "s58"]
    assert (len(found.worst), len(found.others)) == (SHOWN, 60 - SHOWN)
    assert (found.total.texts, found.total.kinds["tags"]) == (6000, sum(range(60)))
    assert (len(found.pieces), found.more_pieces) == (MOST_PIECES, 59 - MOST_PIECES)
    assert quality({}) is None
    assert quality(counted(none={})) is None


def test_names_of_subsets_are_escaped(corpus):
    result: StepResult = load(corpus, "normalize")
    source = next(iter(result.stats["sources"]))
    result.stats["checks"] = {source: {EVIL: {"query": {"texts": 3, "damaged": 1, "tags": 1}}}}
    corpus.save(result)
    run_step(corpus, "report")
    text = (corpus.out / "report.html").read_text("utf-8")
    assert EVIL not in text
    assert f"{EVIL}, query" in "".join(Page(text).text)
