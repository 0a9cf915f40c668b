"""`curate diff` says what differs between two builds, and nothing else."""

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

from curation.mixing.files import MixFiles
from curation.report.moved import _aligned
from tests.support import project

OTHER = {"decontaminate": {"sets": []}}
"""The one setting that the second profile changes."""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A project with two profiles that differ in one setting, both built."""
    root = project.make(tmp_path_factory.mktemp("compare"), rows=80)
    settings = yaml.safe_load((root / "params.yaml").read_text())
    settings["other"] = settings["tiny"] | OTHER
    (root / "params.yaml").write_text(yaml.safe_dump(settings))
    for profile in ("tiny", "other"):
        for step in project.STEPS:
            project.run(root, *step, "--profile", profile)
    return root


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
    for name in ("identify", "dedup", "decontaminate", "mine", "mix-retrieval", "mix-instruction"):
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
