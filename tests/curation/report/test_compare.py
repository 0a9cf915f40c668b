"""`curate diff` says what differs between two builds, and nothing else."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

from curation.build import STEPS
from curation.mixing.files import MixFiles
from curation.report.compare import compare
from curation.report.data import FORMS
from curation.report.moved import _aligned
from tests.support import project

OTHERS = {
    "other": {"decontaminate": {"sets": []}},
    "looser": {"dedup": {"shingle": 5, "threshold": 0.7}},
    "fewer": {"mining": {"num_negatives": 3}},
    "capped": {"mixes": {"retrieval": {"validation": 0.1}, "instruction": {"validation": 0.1, "cap": 40}}},
}
"""Profile → the one setting of `tiny` that it changes."""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A project with profiles that differ from the first in one setting each, all built."""
    root = project.make(tmp_path_factory.mktemp("compare"), rows=80)
    resembling(root / "raw/pairs/part-2.jsonl")
    settings = yaml.safe_load((root / "params.yaml").read_text())
    settings |= {name: settings["tiny"] | changes for name, changes in OTHERS.items()}
    (root / "params.yaml").write_text(yaml.safe_dump(settings))
    for profile in ("tiny", *OTHERS):
        for step in project.STEPS:
            project.run(root, *step, "--profile", profile)
    return root


def resembling(path):
    """Add ten pairs and, with one other word of 45 in each text, ten more: Jaccard index 36 / 46 by five words."""
    lines = []
    for n in range(10):
        words = [f"p{n}w{i}" for i in range(45)]
        other = [*words[:22], "other", *words[23:]]
        lines += [json.dumps({"q": " ".join(text), "d": " ".join(reversed(text))}) for text in (words, other)]
    with path.open("a") as file:
        file.write("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def found(root):
    return json.loads(project.run(root, "diff", "tiny", "other", "--json"))


def samples(root, profile, mix):
    files = MixFiles(Path(root) / "out" / profile / "mixes" / mix)
    return {
        i for split in ("train", "validation") for b in files.read(split, ["row_id"]) for i in b["row_id"].to_pylist()
    }


def test_builds_that_differ_in_one_setting_differ_in_that_one(found):
    assert found["changed_settings"] == [{"setting": "decontaminate.sets", "before": '["raw/leaked"]', "after": "[]"}]
    assert found["changed_rows"] == found["changed_languages"] == []
    assert {row["mix"] for row in found["moved_rows"]} == {"retrieval", "instruction"}


def test_rows_gained_and_lost_are_those_of_the_mixes(root, found):
    for mix in ("retrieval", "instruction"):
        old, new = samples(root, "tiny", mix), samples(root, "other", mix)
        rows = [row for row in found["moved_rows"] if row["mix"] == mix]
        ends = ("train", "validation")
        assert sum(r["rows"] for r in rows if r["after"] in ends and r["before"] not in ends) == len(new - old) > 0
        assert sum(r["rows"] for r in rows if r["before"] in ends and r["after"] not in ends) == len(old - new)
    assert {row["before"] for row in found["moved_rows"] if row["mix"] == "retrieval"} == {"contaminated"}
    assert {(row["source"], row["code"]) for row in found["moved_rows"] if row["mix"] == "retrieval"} == {
        ("pairs", "eng")
    }


@pytest.fixture(scope="module")
def differ(root):
    """Profile → what differs between `tiny` and it."""
    return {name: json.loads(project.run(root, "diff", "tiny", name, "--json")) for name in OTHERS}


@pytest.mark.parametrize(
    ("profile", "setting", "before", "after", "step"),
    [
        ("other", "decontaminate.sets", '["raw/leaked"]', "[]", "decontaminate"),
        ("looser", "dedup.threshold", "0.8", "0.7", "dedup"),
        ("fewer", "mining.num_negatives", "5", "3", "mine"),
        ("capped", "mixes.instruction.cap", "null", "40", "mix"),
    ],
)
def test_a_diff_names_the_setting_and_what_follows_from_it_alone(differ, profile, setting, before, after, step):
    found = differ[profile]
    assert found["changed_settings"] == [{"setting": setting, "before": before, "after": after}]
    assert found["changed_versions"] == found["changed_rows"] == found["changed_languages"] == []
    steps = (*STEPS, "mix", "report")
    assert {FORMS[row["table"]].step for row in found["changed_figures"]} <= set(steps[steps.index(step) :])
    assert any(FORMS[row["table"]].step == step for row in found["changed_figures"])
    of_reports = {row["table"] for row in found["changed_figures"] if FORMS[row["table"]].step == "report"}
    assert of_reports <= {"figures"}, "the key figures at the top"


@pytest.mark.parametrize("profile", OTHERS)
def test_gained_and_lost_rows_are_those_of_the_files_by_source_and_reason(root, differ, profile):
    for mix in ("retrieval", "instruction"):
        old, new = ends(root, "tiny", mix), ends(root, profile, mix)
        moves = ((at[1], old.get(at), new.get(at)) for at in {*old, *new})
        expected = Counter(move for move in moves if move[1] != move[2])
        found = Counter()
        for row in differ[profile]["moved_rows"]:
            if row["mix"] == mix:
                kept = [end if end in ("train", "validation") else None for end in (row["before"], row["after"])]
                if kept[0] != kept[1]:
                    found[row["source"], *kept] += row["rows"]
                assert (row["code"], row["kind"]) == ("eng", "natural")
        assert found == expected


def test_the_reasons_are_those_of_the_setting(differ):
    def reasons(profile):
        rows = differ[profile]["moved_rows"]
        return {(row["mix"], row["source"], row["before"], row["after"]) for row in rows}

    looser = reasons("looser")
    assert {("retrieval", "pairs", "near-duplicate"), ("instruction", "pairs", "near-duplicate")} <= {
        (mix, source, after) for mix, source, _, after in looser
    }
    assert {mix for mix, *_ in reasons("capped")} == {"instruction"}
    assert {(before, after) for *_, before, after in reasons("capped")} <= {
        ("train", "over-cap"),
        ("validation", "over-cap"),
    }
    gone = sum(row["rows"] for row in differ["capped"]["moved_rows"])
    ended = [row for row in differ["capped"]["changed_ends"] if row["stage"] == "over-cap"]
    assert gone == sum(row["difference"] for row in ended) > 0
    assert reasons("fewer") == set(), "a row has negatives, fewer of them"
    assert {row["table"] for row in differ["fewer"]["changed_figures"]} >= {"negatives", "pools"}


def ends(root, profile, mix):
    """(row id, source) → train or validation, of the rows in a mix."""
    files = MixFiles(Path(root) / "out" / profile / "mixes" / mix)
    return {
        (row["row_id"], row["source"]): split
        for split in ("train", "validation")
        for batch in files.read(split, ["row_id", "source"])
        for row in batch.to_pylist()
    }


def test_a_default_of_another_version_is_no_consequence():
    def built(**values):
        rows = [(setting, value, default) for setting, (value, default) in values.items()]
        return {form.name: form.fill(rows if form.name == "settings" else []) for form in FORMS.values()}

    first = built(threshold=("0.8", True), bands=("21", True))
    assert compare(first, built(threshold=("0.8", True), bands=("42", True)))["changed_settings"].rows == [
        {"setting": "bands", "before": "21", "after": "42"}
    ], "the default of another version"


def test_where_records_ended_adds_up(found):
    by_source = Counter()
    for row in found["changed_ends"]:
        by_source[row["mix"], row["source"]] += row["difference"]
        assert row["difference"] == row["after"] - row["before"] != 0
    assert set(by_source.values()) == {0}, "every record ends somewhere in both"


def test_a_person_reads_the_same(root):
    text = " ".join(project.run(root, "diff", "tiny", "other").split())
    assert "decontaminate.sets" in text
    assert "Mix retrieval: " in text
    assert "samples gained, 0 lost" in text
    assert project.run(root, "diff", "tiny", "tiny").strip() == "tiny and tiny do not differ"


def test_folders_of_tables_are_compared_without_their_rows(root, found, tmp_path):
    for profile in ("tiny", "other"):
        project.run(root, "report", "--profile", profile, "--data", str(tmp_path / profile))
    from_folders = json.loads(project.run(root, "diff", str(tmp_path / "tiny"), str(tmp_path / "other"), "--json"))
    assert "moved_rows" not in from_folders
    for name in ("changed_settings", "changed_ends", "changed_figures"):
        assert from_folders[name] == found[name]
    assert "not compared one by one" in project.run(root, "diff", str(tmp_path / "tiny"), "other")
    figures = {(row["table"], row["row"], row["column"]) for row in found["changed_figures"]}
    assert ("funnel", "retrieval, pairs", "contaminated") in figures
    assert not any(table in ("examples", "settings", "totals") for table, _, _ in figures)


def test_rows_that_one_build_alone_has_are_counted(root, tmp_path):
    again = shutil.copytree(root, tmp_path / "again")
    settings = yaml.safe_load((again / "params.yaml").read_text())
    settings["tiny"]["sources"]["local_root"] = str(again / "raw")
    settings["tiny"]["normalize"]["rows_per_part"] = 30
    (again / "params.yaml").write_text(yaml.safe_dump({"profile": "tiny", "tiny": settings["tiny"]}))
    for step in project.STEPS[:2]:
        project.run(again, *step)
    for name in ("identify", "measure", "dedup", "decontaminate", "mine", "mix-retrieval", "mix-instruction"):
        (again / f"out/tiny/steps/{name}.json").unlink()
    found = json.loads(project.run(again, "diff", f"{root}/params.yaml:tiny", "tiny", "--json"))
    lost = [row for row in found["moved_rows"] if row["mix"] is None]
    assert {(row["before"], row["after"]) for row in lost} == {("row", "absent")}
    fewer = {row["source"]: -row["difference"] for row in found["changed_rows"]}
    assert {row["source"]: row["rows"] for row in lost} == fewer
    assert {row["setting"] for row in found["changed_settings"]} == {"normalize.rows_per_part"}


@pytest.mark.parametrize(
    ("named", "word"), [("tynie", "neither a profile"), ("nowhere/params.yaml:tiny", "no such file")]
)
def test_what_is_no_build_is_refused(root, named, word):
    done = project.curate(root, "diff", "tiny", named, check=False)
    assert done.returncode == 1
    assert word in " ".join(done.stderr.split())


def test_rows_with_the_same_id_are_paired_in_their_order():
    old = np.array([b"a", b"b", b"a", b"c"], "S16")
    new = np.array([b"a", b"c", b"c", b"d"], "S16")
    at_old, at_new = _aligned(old, new)
    pairs = sorted(zip(at_old.tolist(), at_new.tolist(), strict=True))
    assert pairs == [(-1, 2), (-1, 3), (0, 0), (1, -1), (2, -1), (3, 1)]
    assert [len(x) for x in _aligned(old[:0], new[:0])] == [0, 0]
