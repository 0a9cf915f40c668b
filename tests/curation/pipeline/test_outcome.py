"""The table and the JSON object that every verb ends with: their figures are the step files', and those of the data."""

import json
import re
from collections import Counter

import pytest

from curation.build import Shard, StepResult
from curation.mixing.step.select import REASONS
from curation.pipeline.outcome import dedup_outcome, mix_outcome, normalize_outcome, outcome_of
from curation.pipeline.outcome_forms import FORMS, MIX_KEYS
from curation.pipeline.outcome_printing import MOST_LINES, print_outcome
from open_ml_embed.core.records import Records
from open_ml_embed.core.store import Output
from tests.support import ROOT, project

DOCS = ROOT / "docs" / "outcome.md"


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A whole build by its commands: for each step what it printed as JSON, and the project."""
    root = project.make(tmp_path_factory.mktemp("ended"), rows=120)
    said = {}
    for step in project.STEPS:
        done = project.curate(root, *step, "--json")
        said["-".join(step)] = json.loads(done.stdout)  # exactly one object, nothing beside it
    return said, root


def step_file(root, step):
    raw = json.loads((root / f"out/tiny/steps/{step}.json").read_text())
    records = {"shards": Records.of_columns(Shard, raw["shards"]), "files": Records.of_columns(Output, raw["files"])}
    del raw["identity"], raw["digest"]
    return StepResult(**raw | records)


def test_json_says_what_the_step_files_do(ended, monkeypatch):
    said, root = ended
    monkeypatch.setenv("CORPUS_MANIFESTS", str(root / "manifests"))
    for step, data in said.items():
        outcome = outcome_of(step_file(root, step))
        assert data == outcome.as_json("tiny"), step
        form = FORMS["mix" if step.startswith("mix") else step]
        keys = [column.key for column in form.columns]
        for line in data["sources"]:
            assert list(line) == ["source", *keys, "share"], step
        for key in keys:
            if data["sources"]:
                assert data["total"][key] == sum(line[key] for line in data["sources"]), (step, key)


def good_pairs(root):
    """The lines of the source `pairs` that can become rows, read without any of the project's code."""
    lines = [line for path in (root / "raw/pairs").iterdir() for line in path.read_text().splitlines()]
    return [line for line in lines if '"q": ""' not in line and line.endswith("}")]


def by_source(data):
    return {line["source"]: line for line in data["sources"]}


def test_fetch_and_normalize_count_what_lies_in_the_files(ended):
    said, root = ended
    for name, files in {"pairs": 3, "classes": 1, "opinions": 1}.items():
        size = sum(path.stat().st_size for path in (root / "raw" / name).iterdir())
        line = by_source(said["fetch"])[name]
        assert (line["files"], line["bytes"]) == (files, size)
    good = good_pairs(root)
    pairs = by_source(said["normalize"])["pairs"]
    assert (pairs["records"], pairs["rows"], pairs["quarantined"]) == (360, len(good), 360 - len(good))
    assert pairs["share"] == pytest.approx(6 / 360, abs=1e-6)
    assert pairs["stated"] == 1
    for line in said["normalize"]["sources"]:
        made = line["rows"] + line["quarantined"] + line["filtered"] + line["beyond_limit"]
        assert line["records"] == made + line["joined"]
        assert line["joined"] == 0
    assert said["normalize"]["notes"] == ["quarantined: empty-query 3, invalid-json 3, too-many-values 1"]


def test_every_file_of_a_source_has_its_counts(ended):
    _, root = ended
    files = step_file(root, "normalize").stats["files"]["pairs"]["all"]
    assert sorted(files) == ["part-0.jsonl", "part-1.jsonl", "part-2.jsonl"]
    for counts in files.values():
        assert (counts["records"], counts["rows"]) == (120, 118)
        assert counts["quarantined"] == {"empty-query": 1, "invalid-json": 1}


def test_later_steps_account_for_every_row(ended):
    said, root = ended
    rows = {name: line["rows"] for name, line in by_source(said["normalize"]).items()}
    for name, line in by_source(said["identify"]).items():
        assert line["texts"] == 2 * rows[name]
        assert line["texts"] == sum(line[key] for key in ("agree", "disagree", "undetermined", "declared_only"))
    whole = said["dedup"]["total"]
    repeated = sum(count - 1 for count in Counter(good_pairs(root)).values())
    assert whole["exact_duplicates"] == repeated == 40
    assert whole["rows"] == sum(rows.values()) == whole["kept"] + whole["exact_duplicates"] + whole["near_duplicates"]
    leaked = by_source(said["decontaminate"])
    assert {name: line["contaminated"] for name, line in leaked.items()} == {"pairs": 10, "classes": 0, "opinions": 0}
    assert said["decontaminate"]["sources"][0]["source"] == "pairs"
    for name, line in by_source(said["mine"]).items():
        assert line["rows"] == rows[name] == line["mined"] + line["short"] + line["none"]
    assert by_source(said["mine"])["pairs"]["negatives"] == 5 * rows["pairs"]
    assert by_source(said["mine"])["opinions"]["negatives"] == rows["opinions"]


def test_a_mix_has_what_no_reason_keeps_out(ended):
    said, root = ended
    reasons = [key for key in MIX_KEYS.values() if key not in ("train", "validation")]
    for name in ("retrieval", "instruction"):
        data = said[f"mix-{name}"]
        for line in data["sources"]:
            assert line["rows"] == line["samples"] + sum(line[key] for key in reasons)
            assert line["samples"] == line["train"] + line["validation"]
        samples = read_mix(root, name)
        assert data["total"]["samples"] == sum(samples.values())
        assert {line["source"]: line["samples"] for line in data["sources"]} == samples
    plain = by_source(said["mix-retrieval"])["pairs"]
    assert (plain["exact_duplicates"], plain["contaminated"]) == (40, 10)
    assert plain["samples"] == plain["rows"] - 50


def read_mix(root, name):
    import pyarrow.dataset as ds

    folder = root / f"out/tiny/mixes/{name}/samples"
    return dict(Counter(ds.dataset(folder, format="parquet").to_table(["source"])["source"].to_pylist()))


def test_the_table_is_plain_text_on_a_pipe_and_has_the_worst_first(ended):
    _, root = ended
    done = project.curate(root, "normalize")
    assert "\x1b" not in done.stdout
    first, head, *lines = [line.split() for line in done.stdout.splitlines()]
    assert " ".join(first) == "normalize, profile tiny: 3 sources"
    assert head == ["source", "records", "rows", "quarantined", "filtered", "stated", "lost"]
    assert lines[0] == ["pairs", "360", "354", "6", "0", "1", "1.7%"]
    assert [line[0] for line in lines[:4]] == ["pairs", "classes", "opinions", "total"]
    assert lines[3][1:4] == ["600", "593", "7"]
    assert json.loads(done.stderr.splitlines()[0])["step"] == "rows", "progress is not on standard output"


def made_up(count):
    """A step file of so many sources, of which the later lost more."""
    entry = {
        "filtered": {},
        "beyond_limit": 0,
        "records": 1_000_000,
        "unread_files": 0,
        "unread_bytes": 0,
        "checks": {},
    }
    sources = {
        f"s{i:02d}": entry | {"rows": 1_000_000 - i, "quarantined": {"empty-query": i} if i else {}}
        for i in range(count)
    }
    return StepResult("normalize", stats={"sources": sources, "allowed": []})


@pytest.mark.parametrize("columns", ["40", "200"])
def test_a_long_table_fits_a_screen_and_a_narrow_one_cuts_no_figure(workshop, capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    outcome = normalize_outcome(made_up(50))
    print_outcome(outcome, "test")
    _, _, *lines = capsys.readouterr().out.splitlines()
    assert len(lines) == MOST_LINES + 3
    assert lines[0].split() == ["s49", "1,000,000", "999,951", "49", "0", "-", "<0.1%"]
    lost = sum(range(50 - MOST_LINES))
    assert lines[MOST_LINES].split() == ["30", "more", "30,000,000", f"{30_000_000 - lost:,}", f"{lost}", "0", "-",
                                         "<0.1%"]  # fmt: skip
    assert lines[MOST_LINES + 1].split()[:4] == ["total", "50,000,000", f"{50_000_000 - sum(range(50)):,}", "1,225"]
    assert len(outcome.as_json("test")["sources"]) == 50


def test_sources_that_were_refused_stand_first_and_have_a_line_each(workshop):
    result = made_up(3)
    result.refused = {"s00": "no row", "unread": "no column"}
    lines = normalize_outcome(result).lines
    assert [line.source for line in lines] == ["unread", "s00", "s02", "s01"]
    assert (lines[0].figures["rows"], lines[0].share) == (0, 1.0)


def test_duplicates_are_shown_by_source_where_the_step_counts_them_so():
    entry = {"rows": 10, "exact_duplicates": 2, "near_duplicates": 1}
    sources = {"a": entry, "b": entry | {"near_duplicates": 3}}
    outcome = dedup_outcome(StepResult("dedup", stats={"sources": sources, "sample": entry}))
    assert [(line.source, line.share) for line in outcome.lines] == [("b", 0.5), ("a", 0.3)]
    assert outcome.total.figures == {"rows": 20, "kept": 12, "exact_duplicates": 4, "near_duplicates": 4}


def test_a_source_that_gives_a_mix_nothing_is_named_with_the_reasons():
    none = dict.fromkeys(REASONS, 0)
    stats = {
        "sources": {"a": none | {"train": 3}, "b": none | {"near-duplicate": 2, "contaminated": 7}, "c": none},
        "counts": {"train": 3, "validation": 0, "samples": 3, "documents": 9},
        "languages": {"eng": 3},
    }
    notes = mix_outcome(StepResult("mix-x", stats=stats)).notes
    assert [note for note in notes if note.startswith("no sample")] == [
        "no sample of b: contaminated 7, near-duplicate 2",
        "no sample of c: it has no row",
    ]


def test_verdicts_of_the_mix_are_all_columns():
    assert tuple(MIX_KEYS) == REASONS


def test_every_figure_is_documented():
    text = DOCS.read_text("utf-8")
    for step, form in FORMS.items():
        verb = {"evaluations": "evaluations fetch", "mix": "mix NAME"}.get(step, step)
        documented = re.findall(rf"^\| `curate {verb}` \| `(\w+)` \| .* \| (.*) \|$", text, re.MULTILINE)
        columns = [*form.words, *form.columns, *([form.share] if form.share else [])]
        assert documented == [(column.key, column.meaning) for column in columns], step


def test_wrong_options_end_with_1_as_other_mistakes_do(ended):
    _, root = ended
    assert project.curate(root, "normalize", "--jsno", check=False).returncode == 1
    assert project.curate(root, "normalize", "--workers", "-1", check=False).returncode == 1
    assert project.curate(root, "normalize", "--help", check=False).returncode == 0


def test_a_dry_run_and_a_report_print_what_they_did(ended):
    _, root = ended
    planned = project.curate(root, "normalize", "--dry-run").stdout
    assert planned.startswith("normalize, profile tiny, 3 sources, 3 subsets: ")
    said = json.loads(project.curate(root, "report", "--json").stdout)
    assert said == {"step": "report", "profile": "tiny", "path": str(root / "out/tiny/report.html")}
