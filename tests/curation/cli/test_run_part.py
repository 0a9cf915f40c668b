"""`curate run SOURCE…` gives what a profile of these sources gives, and changes nothing of the profile's own."""

import json

import pytest
import yaml

from curation.pipeline.part import names_of, part_name
from open_ml_embed.core.errors import SettingsError, UnknownNameError
from tests.support import project

ONE = ("--workers", "1")


def last_line(printed: str) -> dict:
    return json.loads(printed.strip().splitlines()[-1])


def files(root, *folders):
    """Return every file of folders with its bytes, by path below its folder; without locks and records of runs."""
    return {
        str(path.relative_to(root / folder)): path.read_bytes()
        for folder in folders
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def changed(root):
    """Return when each file of the whole profile was written."""
    return {p: p.stat().st_mtime_ns for top in ("work/tiny", "out/tiny") for p in (root / top).rglob("*")}


def with_profile(root, name, **changes):
    params = yaml.safe_load((root / "params.yaml").read_text())
    params[name] = params["tiny"] | changes
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    return params["tiny"]


def test_a_part_is_the_profile_of_its_sources_and_the_whole_stays_as_it_is(tmp_path):
    root = project.make(tmp_path, rows=60)
    project.run(root, "run", "--until", "mine", *ONE)
    before = changed(root)
    sources = {"include": ["classes", "opinions"], "local_root": str(root / "raw")}
    with_profile(root, "byhand", sources=sources, mixes={"instruction": {"validation": 0.1}})
    said = last_line(project.run(root, "run", "opinions", "classes", "--until", "mix", "--json", *ONE))
    assert said["profile"] == "tiny@classes+opinions"
    assert (said["sources"], said["of"], said["mixes_left_out"]) == (["classes", "opinions"], 3, ["retrieval"])
    assert said["ran"] == [" ".join(step) for step in project.STEPS if step[-1] != "retrieval"]
    project.run(root, "run", "--profile", "byhand", "--until", "mix", *ONE)
    part = files(root, "work/tiny@classes+opinions", "out/tiny@classes+opinions")
    assert part
    assert part == files(root, "work/byhand", "out/byhand")
    assert changed(root) == before
    # the other order of the sources is the same part, which every verb takes by its name
    assert last_line(project.run(root, "run", "classes", "opinions", "--until", "mix", "--json"))["ran"] == []
    shown = project.run(root, "show", "classes", "--profile", "tiny@classes+opinions", "--json")
    assert last_line(shown)["source"] == "classes"
    status = json.loads(project.run(root, "status", "--profile", "@opinions+classes", "--json"))
    assert status["profile"] == "tiny@classes+opinions"


def test_the_end_says_what_was_left_out_and_where_to_look(tmp_path):
    root = project.make(tmp_path, rows=40)
    said = project.run(root, "run", "classes", "--until", "normalize", *ONE)
    assert "only 1 of the 3 sources of profile tiny" in said
    assert "left out: mix retrieval, with none of these sources" in said
    assert "results: out/tiny@classes; look at them with `curate show classes --profile tiny@classes`" in said
    assert "left out: mix retrieval" in project.run(root, "run", "classes", "--dry-run")
    every = last_line(project.run(root, "run", "classes", "pairs", "opinions", "--until", "fetch", "--json", *ONE))
    assert every["profile"] == "tiny"
    assert "of" not in every


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["run", "pears"], UnknownNameError, "did you mean pairs"),
        (["run", "classes", "strangers"], UnknownNameError, "unknown source 'strangers'"),
        (["status", "--profile", "tiny@clases"], UnknownNameError, "did you mean classes"),
        (["run", "classes", "--until", "mix retrieval"], SettingsError, "none of classes is in mix retrieval"),
        (["run", "classes", "--until", "mix instructoin"], UnknownNameError, "did you mean mix instruction"),
        (["run", "pairs", "--profile", "tiny@classes"], SettingsError, "sources are named twice"),
        (["dvc", "--profile", "tiny@classes"], SettingsError, "a pipeline is written for whole profiles"),
        (["settings", "--profile", "tiny@classes"], SettingsError, "written for whole profiles"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(tmp_path, arguments, error, message):
    root = project.make(tmp_path, rows=10)
    before = files(root, ".")
    with pytest.raises(error, match=message):
        project.run(root, *arguments)
    assert files(root, ".") == before
    assert not (root / "work").exists()


def test_settings_of_other_sources_do_not_refuse_a_part(tmp_path):
    root = project.make(tmp_path, rows=40)
    project.manifest(root, "german", subsets={"all": {"query_lang": "deu-Latn"}})
    chosen = {
        "include": ["classes", "opinions", "german"], "languages": ["deu", "eng"], "allow_missing": ["german"],
        "local_root": str(root / "raw"),
    }  # fmt: skip
    with_profile(root, "both", sources=chosen, normalize={"allow": ["opinions", "classes/all"]})
    said = last_line(project.run(root, "run", "classes", "--profile", "both", "--until", "normalize", "--json", *ONE))
    assert (said["sources"], said["ran"]) == (["classes"], ["fetch", "normalize"])


def test_a_part_trains_nothing_where_a_mix_is_left_out(tmp_path):
    from curation.pipeline.opening import open_build

    root = project.make(tmp_path, rows=10)
    train = {
        "backbone": {"kind": "random-qwen3"},
        "stages": [{"name": "one", "mix": "instruction", "steps": 1, "batch_size": 4, "learning_rate": 1.0e-3}],
        "evaluation": {"mix": "instruction"},
    }
    with_profile(root, "trained", train=train)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORPUS_MANIFESTS", str(root / "manifests"))
        assert open_build("trained@pairs", root / "params.yaml").profile.train == train
        assert open_build("trained@classes", root / "params.yaml").profile.train == {}


def test_sources_are_refused_that_do_not_fit_into_a_name(tmp_path):
    root = project.make(tmp_path, rows=10)
    names = [f"{'x' * 90}{number}" for number in range(3)]
    for name in names:
        project.manifest(root, name)
    with_profile(root, "many", sources={"include": [*names, "classes"], "local_root": str(root / "raw")})
    with pytest.raises(SettingsError, match="too many for a part"):
        project.run(root, "run", *names, "--profile", "many")


def test_names_of_parts_are_read_back():
    assert names_of(part_name("tiny", ["b", "a", "b"])) == ("tiny", ["a", "b"])
    assert names_of(None) == (None, [])
