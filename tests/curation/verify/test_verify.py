"""Whatever is damaged is found, and what can be made again has the same bytes afterwards."""

import json
import random
import shutil
from pathlib import Path

import pytest

from open_ml_embed.core.errors import StageError
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


def faults(root: Path, capsys, *options: str) -> dict:
    """Run `verify`, which must not pass; return its JSON."""
    with pytest.raises(StageError, match="not as they were written"):
        project.run(root, "verify", "--json", *options)
    return json.loads(capsys.readouterr().out)


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
