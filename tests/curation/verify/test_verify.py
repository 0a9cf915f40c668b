"""Whatever is damaged is found, and what can be made again has the same bytes afterwards."""

import json
import random
import shutil
from pathlib import Path

import pytest

from open_ml_embed.core.errors import InvalidInputError, StageError
from open_ml_embed.core.hashing import hash_file
from open_ml_embed.core.listing import write_listing
from open_ml_embed.core.sealed import seal, unseal
from open_ml_embed.core.store import MARKER
from tests.support import project
from tests.support.corruption import corrupt

CORRUPTIONS = 200
AT_ONCE = 25


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A project after all steps."""
    root = project.make(
        tmp_path_factory.mktemp("whole"),
        rows=60,
        sources={"include": ["pairs", "classes", "opinions"], "local_root": "raw"},
    )
    for step in project.STEPS:
        project.run(root, *step)
    project.run(root, "report")
    return root


@pytest.fixture
def built(whole, tmp_path):
    return copied(whole, tmp_path / "built")


def copied(root: Path, to: Path) -> Path:
    """Copy a project; files that are one file in it are one in the copy."""
    shutil.copytree(root, to)
    for path in sorted((to / "out").rglob("*.parquet")):
        twin = to / "work/tiny/mix/files" / path.relative_to(to / "out/tiny/mixes")
        path.unlink()
        path.hardlink_to(twin)
    return to


def written(root: Path) -> dict[str, bytes]:
    """All that the project's steps have written; the cache of hashes holds times."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for top in ("work", "out")
        for path in sorted((root / top).rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path.name != "hashes.json"
    }


def faults(root: Path, *options: str) -> dict:
    """Run `verify`, which must not pass; return its JSON."""
    done = project.curate(root, "verify", "--json", *options, check=False)
    assert done.returncode == 1, done.stderr
    assert "not as they were written" in done.stderr
    return json.loads(done.stdout)


def test_a_whole_build_passes_and_every_file_is_described(built):
    data = json.loads(project.run(built, "verify", "--deep", "--json"))
    assert data["findings"] == []
    assert data["files"] >= len(written(built))


@pytest.mark.slow
def test_two_hundred_corruptions_are_found_and_repaired_to_the_same_bytes(whole):
    before, rng, planted = written(whole), random.Random(17), 0
    # The parquet files of a mix in work/ and out/ are one file.
    chosen = [name for name in before if not (name.startswith("out/tiny/mixes/") and name.endswith(".parquet"))]
    while planted < CORRUPTIONS:
        how = {name: corrupt(whole / name, rng) for name in rng.sample(chosen, AT_ONCE)}
        data = json.loads(project.run(whole, "verify", "--deep", "--repair", "--json"))
        # A file whose marker was damaged too is named as one that no record describes.
        named = {finding["path"] for finding in data["findings"]}
        assert {name: way for name, way in how.items() if name not in named} == {}
        assert data["left"] == []
        assert written(whole) == before
        planted += AT_ONCE


@pytest.mark.slow
def test_files_that_took_the_place_of_others_are_found_and_repaired_to_the_same_bytes(whole):
    """A record of another file, whole and of the same task, passed as the record of this one."""
    before, rng = written(whole), random.Random(18)
    kinds: dict[str, list[str]] = {}
    for name in before:
        if not name.startswith("out/tiny/mixes/"):
            kinds.setdefault("".join(Path(name).suffixes[-3:]), []).append(name)
    swapped = {}
    for names in kinds.values():
        for name in rng.sample(names, min(3, len(names))):
            others = [other for other in names if before[other] != before[name]]
            if others:
                swapped[name] = rng.choice(others)
                (whole / name).unlink()  # a hard link of it stays as it is
                (whole / name).write_bytes(before[swapped[name]])
    data = json.loads(project.run(whole, "verify", "--deep", "--repair", "--json"))
    named = {finding["path"] for finding in data["findings"]}
    assert {name: other for name, other in swapped.items() if name not in named} == {}
    assert data["left"] == []
    assert written(whole) == before


def test_without_deep_sizes_and_records_are_checked(built, capsys):
    rows = next((built / "work/tiny/rows").rglob("*.rows.arrow"))
    data = rows.read_bytes()
    rows.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert json.loads(project.run(built, "verify", "--json"))["findings"] == []
    rows.write_bytes(data[:-1])
    (finding,) = faults(built)["findings"]
    assert finding["path"] == str(rows.relative_to(built))
    assert (finding["kind"], finding["step"]) == ("damaged", "normalize")
    assert f"has {len(data) - 1} bytes, and {len(data)} were written" in finding["what"]


def test_no_step_reads_a_shard_that_is_damaged(built):
    """Same-size corruption gave other results without a word."""
    clusters = next((built / "work/tiny/clusters/pairs").rglob("*.clusters.arrow"))
    before = written(built)
    corrupted = bytearray(clusters.read_bytes())
    corrupted[len(corrupted) // 2] ^= 1
    clusters.write_bytes(corrupted)
    shutil.rmtree(built / "work/tiny/mix")
    with pytest.raises(StageError, match="does not have the bytes that were written") as caught:
        project.run(built, "mix", "retrieval")
    assert caught.value.where == str(clusters)
    project.run(built, "verify", "--deep", "--repair")
    project.run(built, "mix", "retrieval")
    project.run(built, "mix", "instruction")
    assert written(built) == before


def test_a_raw_file_that_was_changed_is_named_and_left_alone(built):
    raw = built / "raw/pairs/part-0.jsonl"
    changed = raw.read_bytes().replace(b"w1", b"w2", 1)
    raw.write_bytes(changed)
    (finding,) = faults(built, "--deep", "--repair")["left"]
    assert finding["path"] == str(raw)
    assert "as it was" in finding["remedy"]
    assert raw.read_bytes() == changed


def test_a_cache_of_hashes_that_lies_is_removed(built):
    path, raw = built / "work/hashes.json", built / "raw/pairs/part-0.jsonl"
    state = raw.stat()
    path.write_text(json.dumps({f"xxh3 {raw}": [state.st_size, state.st_mtime_ns, "0" * 32]}))
    assert [finding["path"] for finding in faults(built, "--deep")["findings"]] == ["work/hashes.json"]
    project.run(built, "verify", "--deep", "--repair")
    assert json.loads(project.run(built, "verify", "--deep", "--json"))["findings"] == []


def test_what_the_trainer_wrote_is_checked_and_not_trained_again(built):
    model = built / "out/tiny/model"
    (model / "train3d").mkdir(parents=True)
    (model / "model.safetensors").write_bytes(b"weights" * 100)
    write_listing(model, "train3d/files.json", without=("train3d/run.json",))
    (model / "train3d/run.json").write_bytes(seal({"key": "k", "made_from": {"mixes": {}}}, "run.json"))
    (built / "out/tiny/evaluation.json").write_bytes(seal({"queries": 3}, "evaluation.json"))
    checkpoint = built / "work/tiny/train/runs/0123/checkpoints/00000010"
    checkpoint.mkdir(parents=True)
    (checkpoint / "model.safetensors").write_bytes(b"state" * 100)
    listed = {"model.safetensors": [500, hash_file(checkpoint / "model.safetensors")]}
    position = {"stage": 0, "step": 10, "done": 10, "files": listed}
    (checkpoint / "position.json").write_bytes(seal(position, "position.json"))
    stage = built / "out/tiny/model-stages/first"
    shutil.copytree(model, stage)
    assert json.loads(project.run(built, "verify", "--deep", "--json"))["findings"] == []
    before = json.loads(project.run(built, "status", "--json"))["stages"]["train"]
    for path in (model / "model.safetensors", stage / "model.safetensors", checkpoint / "model.safetensors"):
        data = bytearray(path.read_bytes())
        data[7] ^= 4
        path.write_bytes(data)
    for path in (model / "train3d/run.json", built / "out/tiny/evaluation.json"):
        path.write_bytes(path.read_bytes().replace(b'"k"', b'"j"').replace(b"3", b"4", 1))
    left = faults(built, "--deep", "--repair")["left"]
    assert {finding["path"] for finding in left} == {
        "out/tiny/model/model.safetensors",
        "out/tiny/model-stages/first/model.safetensors",
        "out/tiny/model/train3d/run.json",
        "out/tiny/evaluation.json",
        "work/tiny/train/runs/0123/checkpoints/00000010/model.safetensors",
    }
    remedies = {finding["path"].rpartition("/")[2]: finding["remedy"] for finding in left}
    assert "train3d evaluate" in remedies["evaluation.json"]
    assert "train3d fit" in remedies["run.json"]
    (checkpoint / "position.json").write_text(json.dumps(position | {"done": 11}))
    found = {finding["path"]: finding["remedy"] for finding in faults(built, "--deep")["findings"]}
    assert "delete the folder" in found["work/tiny/train/runs/0123/checkpoints/00000010/position.json"]
    status = json.loads(project.run(built, "status", "--json"))
    assert (before, status["stages"]["train"], status["stages"]["evaluate"]) == ("done", "stale", "stale")
    assert status["problems"]["train"]["remedy"] == "train3d fit"


def test_the_result_of_verify_is_printed_for_people_too(built, capsys):
    said = project.run(built, "verify")
    assert "--deep compares hashes too" in said
    (built / "out/tiny/report.html").write_text("<p>")
    with pytest.raises(StageError, match="1 files are not as they were written") as caught:
        project.run(built, "verify")
    assert "curate verify --repair" in caught.value.remedy
    assert "1 of 1 were made again" in project.run(built, "verify", "--repair")


def test_a_marker_that_names_a_file_outside_deletes_nothing(built):
    """`work/` of a stranger is no way to delete the files of its reader."""
    kept = built.parent / "kept.arrow"
    kept.write_bytes(b"kept")
    marker = next((built / "work/tiny/languages").rglob(f"*{MARKER}"))
    path = str(marker.relative_to(built / "work/tiny"))
    record = unseal(marker.read_bytes(), path)
    stem = f"languages/{marker.relative_to(built / 'work/tiny/languages')}".removesuffix(MARKER)
    record["outputs"].append(record["outputs"][0] | {"path": f"{stem}./../../../../../../../kept.arrow"})
    marker.write_bytes(seal(record, path))
    with pytest.raises(InvalidInputError, match="does not stay in its folder"):
        project.run(built, "verify", "--repair")
    assert kept.read_bytes() == b"kept"


@pytest.mark.parametrize("kind", ["link", "folder"])
@pytest.mark.parametrize("name", ["out/tiny/mixes/retrieval/README.md", "out/tiny/steps/mix-retrieval.json"])
def test_a_broken_link_or_a_folder_in_the_place_of_a_file_is_replaced(built, name, kind):
    before, path = written(built), built / name
    path.unlink()
    path.mkdir() if kind == "folder" else path.symlink_to(path.name)
    found = faults(built)["findings"]  # what a file of a step listed is unknown without it
    assert [finding["path"] for finding in found if finding["kind"] != "unknown"] == [name]
    project.run(built, "verify", "--repair")
    assert written(built) == before
