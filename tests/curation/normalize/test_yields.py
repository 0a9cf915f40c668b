"""Sources and files that yield nothing, or too little, end `normalize` with an error; the others are done."""

import gzip
import json

import polars as pl
import pytest
import yaml

from curation.normalize.yields import Allowed
from tests.support import project

FIELDS = {"q": "string", "d": "string", "k": "string"}
PAIR = {"kind": "pair", "args": {"query": "q", "positive": "d"}}


def records(count, **changes):
    return [{"q": f"question {i}", "d": f"an answer to question {i}", "k": "a"} | changes for i in range(count)]


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def make(root, made, **settings):
    """Write a project: name → (file name → text or bytes; changes of the manifest)."""
    (root / "manifests/sources").mkdir(parents=True)
    (root / "manifests/mixes").mkdir()
    for name, (files, changes) in made.items():
        table = {"files": ["*"], "format": "jsonl", "fields": FIELDS}
        project.manifest(root, name, **{"tables": {"records": table}, "shape": PAIR} | changes)
        (root / "raw" / name).mkdir(parents=True)
        for file, text in files.items():
            (root / "raw" / name / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    profile(root, made, **settings)
    return root


def profile(root, names, **settings):
    chosen = {"include": sorted(names), "local_root": str(root / "raw")} | settings.pop("sources", {})
    data = {"profile": "tiny", "tiny": {"sources": chosen, "dedup": {"shingle": 5}} | settings}
    (root / "params.yaml").write_text(yaml.safe_dump(data))


UNREADABLE = {
    "pointer": "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 146946961\n",
    "array": json.dumps(records(50)),
    "indented": "\n".join(json.dumps(row, indent=1) for row in records(50)),
    "noise": bytes(range(128, 256)) * 40 + b"\n",
    "blank": "\n\n\n",
}
SOURCES = {name: ({"a.jsonl": text}, {}) for name, text in UNREADABLE.items()} | {
    "wrong_columns": ({"a.jsonl": lines([{"query": "x", "doc": "y"}])}, {}),
    "nothing_left": ({"a.jsonl": lines(records(9))}, {"where": {"k": ["z"]}}),
    "too_few": ({"a.jsonl": lines(records(4) + records(6, q=""))}, {}),
    "one_file_of_two": ({"a.jsonl": lines(records(50)), "b.jsonl": "no json\n" * 3}, {}),
    "cut_short": ({"a.jsonl.gz": gzip.compress(lines(records(5000)).encode())[:-500]}, {}),
    "half": ({"a.jsonl": lines(records(5) + records(5, q=""))}, {}),
    "mostly_filtered": (
        {"a.jsonl": lines(records(2) + records(90, k="b")), "b.jsonl": lines(records(5, k="b"))},
        {"where": {"k": ["a"]}},
    ),
    "whole": ({"a.jsonl": lines(records(20)), "empty.jsonl": ""}, {}),
}
FINE = {"half": 5, "mostly_filtered": 2, "whole": 20, "array": 50, "indented": 50}


@pytest.fixture(scope="module")
def village(tmp_path_factory):
    """Good and bad sources, fetched and normalized: the project, and what `normalize` said."""
    root = make(tmp_path_factory.mktemp("village"), SOURCES)
    project.curate(root, "fetch")
    return root, project.curate(root, "normalize", "--json", "--workers", "1", check=False)


def test_every_bad_source_is_named_with_its_reason_and_a_remedy(village):
    _, done = village
    assert done.returncode == 1
    bad = sorted(SOURCES.keys() - FINE)
    assert f"{len(bad)} of {len(SOURCES)} sources could not be normalized: {', '.join(bad)}" in done.stderr
    said = done.stderr[done.stderr.index("could not be normalized") :]
    for expected in (
        "pointer: no row of 1 records; unreadable-file 1 (a.jsonl record 0: 'a Git LFS pointer",
        "noise: no row of 1 records; invalid-utf8 1 (a.jsonl record 0:",
        "blank: no record was found in it",
        "wrong_columns: a.jsonl: no column 'd', 'k', 'q'; found: doc, query",
        "nothing_left: no row of 9 records, 9 filtered",
        "too_few: 4 rows of 10 records; empty-query 6 (a.jsonl record 4: 'an answer to question 0')",
        "one_file_of_two/all:b.jsonl: no row of 3 records; invalid-json 3 (record 0: 'no json')",
        "cut_short/all:a.jsonl.gz: 4,",
        "and the rest of it was not read; truncated-file 1 (record 4",
        "look: `curate show too_few --quarantined`",
        '`normalize: {allow: ["one_file_of_two/all:b.jsonl"]}`',
    ):
        assert expected in said, expected
    assert "Traceback" not in done.stderr


def test_the_others_are_done_and_all_can_be_looked_at(village):
    root, done = village
    said = json.loads(done.stdout)
    rows = {line["source"]: line["rows"] for line in said["sources"]}
    assert {name: rows[name] for name in FINE} == FINE
    assert sorted(said["refused"]) == sorted(SOURCES.keys() - FINE)
    assert said["sources"][-1]["share"] == 0, "the refused stand first, then the worst"
    shown = project.curate(root, "show", "too_few", "--quarantined", "-n", "9").stdout
    assert shown.count("empty-query") == 6
    assert "question 3" in project.curate(root, "show", "too_few", "-n", "4").stdout


def test_no_later_step_takes_it_and_status_says_so(village):
    root, _ = village
    for step in ("identify", "dedup", "mine", "report"):
        refused = project.curate(root, step, check=False)
        assert refused.returncode == 1
        assert "step normalize does not count as done: blank, cut_short," in refused.stderr
        assert "curate normalize" in refused.stderr
    status = json.loads(project.curate(root, "status", "--json").stdout)
    assert status["stages"]["normalize"] == "refused"
    assert status["refused"]["normalize"]["too_few"].startswith("4 rows of 10 records")


def test_what_is_allowed_by_name_passes_at_once_and_nothing_else_does(village):
    root, _ = village
    kept = SOURCES.keys() - {"wrong_columns"}
    some = ["pointer", "array/all", "indented/all:*.jsonl", "noise", "blank", "nothing_left", "too_few/all"]
    profile(root, kept, normalize={"allow": some})
    project.curate(root, "fetch")
    done = project.curate(root, "normalize", "--workers", "1", check=False)
    assert "2 of 12 sources could not be normalized: cut_short, one_file_of_two" in done.stderr
    profile(root, kept, normalize={"allow": [*some, "one_file_of_two/all:b.*", "cut_short"]})
    done = project.curate(root, "normalize", "--workers", "1")
    progress = json.loads(done.stderr.splitlines()[0])
    assert progress["resumed"] == progress["total"] == 15, "nothing was read again"
    assert "allowed to yield little: array/all, blank, cut_short" in done.stdout
    assert json.loads(project.curate(root, "status", "--json").stdout)["stages"]["normalize"] == "done"
    project.curate(root, "identify", "--workers", "1")


def test_a_name_that_allows_nothing_is_refused(village):
    root, _ = village
    for name, says in {
        "wole": "did you mean whole?",
        "whole/al": "did you mean all?",
        "whole/all:": "no pattern after the colon",
    }.items():
        profile(root, SOURCES, normalize={"allow": [name]})
        done = project.curate(root, "normalize", check=False)
        assert done.returncode == 1
        assert says in done.stderr
        assert f"normalize.allow: '{name}'" in done.stderr


def test_the_least_yield_is_a_setting(tmp_path):
    root = make(tmp_path, {name: SOURCES[name] for name in ("half", "whole")}, normalize={"least_yield": 0.6})
    project.curate(root, "fetch")
    done = project.curate(root, "normalize", "--workers", "1", check=False)
    assert "1 of 2 sources could not be normalized: half" in done.stderr
    profile(root, ("half", "whole"), normalize={"least_yield": 0.5})
    assert project.curate(root, "normalize", "--workers", "1").returncode == 0


def test_mended_files_pass(tmp_path):
    root = make(tmp_path, {"tales": ({"a.jsonl": UNREADABLE["noise"]}, {})})
    project.curate(root, "fetch")
    assert project.curate(root, "normalize", check=False).returncode == 1
    (root / "raw/tales/a.jsonl").write_text(lines(records(50)))
    project.curate(root, "fetch")
    assert "50" in project.curate(root, "normalize").stdout


JUDGED = {
    "tables": {
        "queries": {"files": ["queries-*.jsonl"], "format": "jsonl", "fields": {"id": "string", "text": "string"}},
        "corpus": {"files": ["corpus-*.jsonl"], "format": "jsonl", "fields": {"id": "string", "text": "string"}},
        "judgements": {"files": ["qrels-*.jsonl"], "format": "jsonl", "fields": {"q": "string", "d": "string"}},
    },
    "shape": {"kind": "qrels", "args": {
        "queries": {"id": "id", "text": "text"}, "corpus": {"id": "id", "text": "text"},
        "judgements": {"query": "q", "document": "d"}}},
}  # fmt: skip


def judged(documents):
    texts = [{"id": str(i), "text": f"text {i}"} for i in range(100)]
    return {
        "queries-0.jsonl": lines([{"id": str(i), "text": f"query {i}"} for i in range(100)]),
        "corpus-0.jsonl": lines(texts[:documents]),
        "corpus-1.jsonl": lines(texts[documents:]),
        "qrels-0.jsonl": lines([{"q": str(i), "d": str(i)} for i in range(100)]),
    }


def test_a_pilot_is_not_held_against_a_source(tmp_path):
    noisy = {"a.jsonl": lines(records(300) + records(200, q=""))}
    pieces = {"a.jsonl": lines(records(10)), "b.jsonl": "no json\n"}
    bad = {"a.jsonl": "no json\n", "b.jsonl": lines(records(10))}
    elsewhere = judged(0) | {"corpus-0.jsonl": lines([{"id": "x", "text": "y"}])}
    sources = {
        "noisy": (noisy, {}), "pieces": (pieces, {}), "bad": (bad, {}),
        "far": (judged(3), JUDGED), "farther": (elsewhere, JUDGED),
    }  # fmt: skip
    root = make(tmp_path, sources, sources={"files_per_table": 1}, normalize={"rows_per_part": 20})
    project.curate(root, "fetch")
    done = project.curate(root, "normalize", "--json", "--workers", "1", check=False)
    said = json.loads(done.stdout)
    assert list(said["refused"]) == ["bad"]
    counts = {line["source"]: line for line in said["sources"]}
    assert (counts["noisy"]["rows"], counts["noisy"]["beyond_limit"], counts["noisy"]["quarantined"]) == (20, 280, 200)
    for name in ("far", "farther"):  # all texts of the judged ids are there, whichever file has them
        assert (counts[name]["rows"], counts[name]["quarantined"]) == (20, 0)


def test_a_pilot_of_labeled_texts_keeps_whole_classes(tmp_path):
    """The files are sorted by class: the first rows would be of one class, or of one whose other texts are cut off."""
    sizes = {"large": [30] * 5, "small": [4] * 10, "uneven": [2, 200]}
    texts = {
        source: [{"q": f"text {i} of {k}", "k": f"class {k}"} for k, size in enumerate(of) for i in range(size)]
        for source, of in sizes.items()
    }
    shape = {"kind": "label", "args": {"mode": "clustering", "text": "q", "label": "k"}}
    table = {"files": ["*"], "format": "jsonl", "fields": {"q": "string", "k": "string"}}
    changes = {"family": "clustering", "shape": shape, "tables": {"records": table}}
    sources = {source: ({"a.jsonl": lines(rows)}, changes) for source, rows in texts.items()}
    root = make(tmp_path, sources, normalize={"rows_per_part": 20})
    project.curate(root, "fetch")
    said = json.loads(project.curate(root, "normalize", "--json", "--workers", "1").stdout)
    counts = {line["source"]: line for line in said["sources"]}
    for source, classes in {"large": 2, "small": 5, "uneven": 2}.items():
        paths = sorted((root / "work").rglob(f"rows/{source}/**/*.rows.arrow"))
        rows = pl.concat([pl.read_ipc(path) for path in paths])
        found = dict(rows.group_by("label").len().iter_rows())
        assert len(found) == classes
        assert found == {label: min(sizes[source][int(label.split()[1])], 10) for label in found}
        assert counts[source]["beyond_limit"] == sum(sizes[source]) - rows.height
        kept = set(rows["query"])
        assert rows["query"].to_list() == [text["q"] for text in texts[source] if text["q"] in kept]


def test_without_a_pilot_the_same_sources_are_refused(tmp_path):
    files = judged(3) | {"corpus-1.jsonl": lines([{"id": "x", "text": "y"}])}
    root = make(tmp_path, {"far": (files, JUDGED), "near": (judged(60), JUDGED)})
    project.curate(root, "fetch")
    done = project.curate(root, "normalize", "--json", "--workers", "1", check=False)
    assert list(json.loads(done.stdout)["refused"]) == ["far"]
    assert "far: 3 rows of 204 records; missing-document 97 (qrels-0.jsonl record 3: '3')" in done.stderr


def test_of_equally_frequent_reasons_each_that_is_named_has_its_record(tmp_path):
    bad = [records(1, q=""), records(1, d=""), records(1, q="same", d="same")]  # met in another order than by name
    root = make(tmp_path, {"tales": ({"a.jsonl": lines([row for rows in reversed(bad) for row in rows])}, {})})
    project.curate(root, "fetch")
    said = project.curate(root, "normalize", "--workers", "1", check=False).stderr
    assert "empty-positive 1 (a.jsonl record 1: 'question 0'); empty-query 1 (a.jsonl record 2: 'an answer to" in said


@pytest.mark.parametrize(
    ("name", "source", "subset", "file", "covered"),
    [
        ("laws", "laws", None, None, True),
        ("laws", "laws", "de", "a.jsonl", True),
        ("laws", "law", None, None, False),
        ("laws/de", "laws", None, None, False),
        ("laws/de", "laws", "de", "a.jsonl", True),
        ("laws/de", "laws", "fr", "a.jsonl", False),
        ("laws/de:*.jsonl", "laws", "de", None, False),
        ("laws/de:*.jsonl", "laws", "de", "a.jsonl", True),
        ("laws/de:*.jsonl", "laws", "de", "old/a.jsonl", False),
        ("laws/de:**/*.jsonl", "laws", "de", "old/a.jsonl", True),
    ],
)
def test_a_name_covers_what_is_below_it(name, source, subset, file, covered):
    assert Allowed.parse(name).covers(source, subset, file) == covered
