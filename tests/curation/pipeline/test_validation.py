"""Whatever is misspelt is refused before any work, by every command, with what, where and the nearest right name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from curation.cli.app import app as curate
from curation.mixing.recipe import built_mixes
from curation.pipeline.opening import open_build
from open_ml_embed.core.errors import CorpusError, FetchError, ManifestError, SettingsError, UnknownNameError
from tests.support import ROOT, project
from train.cli import app as train3d

COMMANDS = (
    (curate, "plan"),
    (curate, "fetch"),
    (curate, "report"),
    (curate, "status"),
    (curate, "lock"),
    (curate, "settings"),
    (curate, "dvc"),
    (curate, "show", "pairs"),
    (curate, "mix", "retrieval"),
    (curate, "evaluations", "fetch"),
    (train3d, "fit"),
    (train3d, "evaluate"),
)
STAGE = {"name": "one", "mix": "retrieval", "steps": 1, "batch_size": 2, "learning_rate": 0.1}
TRAIN = {"backbone": {"kind": "random-qwen3"}, "stages": [STAGE], "evaluation": {"mix": "retrieval"}}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> Path:
    """A project that has nothing wrong."""
    root = project.make(tmp_path_factory.mktemp("project"), rows=60, train=TRAIN)
    edit(root / "params.yaml", "tiny", "sources", "local_root", to="raw")
    sets = root / "manifests" / "evaluations" / "sets"
    sets.mkdir()
    held_out = yaml.safe_load((root / "manifests/sources/pairs.yaml").read_text()) | {"name": "held_out"}
    (sets / "held_out.yaml").write_text(yaml.safe_dump(held_out))
    for name in ("evaluations/mteb.jsonl", "rates.yaml"):
        shutil.copy(ROOT / "manifests" / name, root / "manifests" / name)
    return root


@pytest.fixture
def root(pristine, tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CORPUS_MANIFESTS", str(tmp_path / "manifests"))
    monkeypatch.delenv("CURATE_PROFILE", raising=False)
    return shutil.copytree(pristine, tmp_path, dirs_exist_ok=True)


def edit(path: Path, *keys: str | int, to: object) -> None:
    """Change one entry of a YAML file."""
    data = yaml.safe_load(path.read_text())
    section = data
    for key in keys[:-1]:
        section = section[key] if isinstance(key, int) else section.setdefault(key, {})
    section[keys[-1]] = to
    path.write_text(yaml.safe_dump(data))


def refused(root: Path, command: tuple, *options: str) -> CorpusError:
    app, *verb = command
    done = CliRunner().invoke(app, [*verb, *options, "--params", str(root / "params.yaml")])
    assert isinstance(done.exception, CorpusError), f"{verb}: {done.exception!r} {done.output}"
    assert not (root / "work").exists(), "refused before any work"
    assert not (root / "out").exists()
    assert not (root / "pipelines").exists()
    return done.exception


PROFILE = [
    (("dedupe",), {}, UnknownNameError, "dedupe", "dedup"),
    (("dedup", "shingel"), 3, UnknownNameError, "dedup.shingel", "shingle"),
    (("sources", "include"), ["pair"], UnknownNameError, "sources.include", "pairs"),
    (("sources", "exclude"), ["clases"], UnknownNameError, "sources.exclude", "classes"),
    (("sources", "collection"), "ofline", UnknownNameError, "sources.collection", "offline"),
    (("sources", "rows_per_part"), 5, UnknownNameError, "sources.rows_per_part", "files_per_table"),
    (("languages", "backend"), "bundeld", UnknownNameError, "languages.backend", "bundled"),
    (("languages", "trust"), {"sources": {"opinion": {}}}, UnknownNameError, "languages.trust.sources", "opinions"),
    (("languages", "trust"), {"sources": {"pairs": {"polcy": 1}}}, UnknownNameError, "sources.pairs.polcy", "policy"),
    (("mining", "preset"), "f2lm", UnknownNameError, "mining.preset", "f2llm"),
    (("mining", "pools"), {"web": ["pears"]}, UnknownNameError, "mining.pools.web", "pairs"),
    (("mixes", "retreival"), {}, UnknownNameError, "mixes", "retrieval"),
    (("mixes",), ["retreival"], UnknownNameError, "mixes", "retrieval"),
    (("mixes", "retrieval", "valdation"), 0.1, UnknownNameError, "mixes.retrieval.valdation", "validation"),
    (("decontaminate", "sets"), ["heldout"], UnknownNameError, "decontaminate", "held_out"),
    (("decontaminate", "sets"), ["raw/leeked"], FetchError, "raw/leeked", "sets"),
    (("decontaminate", "sets"), ["raw/leaked@dev"], FetchError, "raw/leaked", "test"),
    (("decontaminate", "mteb"), {"tasks": ["SciFcat"]}, UnknownNameError, "decontaminate", "SciFact"),
    (("decontaminate", "mteb"), {"types": ["Retrival"]}, UnknownNameError, "decontaminate", "Retrieval"),
    (("train", "stages", 0, "mix"), "retreival", UnknownNameError, "train.stages.0.mix", "retrieval"),
    (("train", "stages", 0, "setps"), 3, UnknownNameError, "train.stages.0.setps", "steps"),
    (("train", "evaluation", "mix"), "retrieva", UnknownNameError, "train.evaluation.mix", "retrieval"),
    (("train", "objective"), {"temprature": 1}, UnknownNameError, "train.objective.temprature", "temperature"),
    (("train", "backbone", "kind"), "bert", SettingsError, "train.backbone", ""),
]


@pytest.mark.parametrize(("keys", "value", "kind", "where", "near"), PROFILE, ids=lambda value: str(value)[:40])
def test_a_misspelt_setting_is_refused_by_plan(root, keys, value, kind, where, near):
    edit(root / "params.yaml", "tiny", *keys, to=value)
    error = refused(root, (curate, "plan"))
    assert isinstance(error, kind)
    assert where in error.where
    assert near in error.remedy
    assert isinstance(error, FetchError) or f"{root / 'params.yaml'}, profile tiny" in error.where


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[1:]))
def test_every_command_refuses_what_is_misspelt_in_a_section_that_it_does_not_use(root, command):
    for section, key, value in (
        ("train", "sead", 1),
        ("mining", "pools", {"web": ["pears"]}),
        ("languages", "trust", {"defualt": {}}),
    ):
        before = (root / "params.yaml").read_text()
        edit(root / "params.yaml", "tiny", section, key, to=value)
        assert "did you mean" in refused(root, command).remedy
        (root / "params.yaml").write_text(before)


FILES = [
    ("sources/pairs.yaml", ("shape", "kind"), "pare", UnknownNameError, "pairs: shape.kind", "pair"),
    ("sources/pairs.yaml", ("shape", "args", "positve"), "d", UnknownNameError, "shape.args.positve", "positive"),
    ("sources/pairs.yaml", ("shape", "args"), {"query": "q"}, ManifestError, "shape.args.positive", "pair"),
    ("sources/pairs.yaml", ("where",), {"kk": ["x"]}, ManifestError, "pairs", "fields"),
    ("sources/pairs.yaml", ("tables", "records", "format"), "jsnl", UnknownNameError, "records.format", "jsonl"),
    ("sources/pairs.yaml", ("familly",), "retrieval", UnknownNameError, "pairs.yaml: familly", "family"),
    ("sources/pairs.yaml", ("subsets", "all", "query_language"), "x", UnknownNameError, "subsets.all", "query_lang"),
    ("sources/pairs.yaml", ("name",), "pears", ManifestError, "pairs.yaml", "named"),
    ("mixes/retrieval.yaml", ("sources",), ["pair"], UnknownNameError, "retrieval.yaml: sources", "pairs"),
    ("mixes/retrieval.yaml", ("sources",), ["news", "pair"], UnknownNameError, "retrieval.yaml: sources", "pairs"),
    ("mixes/retrieval.yaml", ("sources",), ["pairs", "news"], UnknownNameError, "retrieval.yaml: sources", "pairs"),
    ("mixes/retrieval.yaml", ("capp",), 3, UnknownNameError, "retrieval.yaml: capp", "cap"),
    ("mixes/retrieval.yaml", ("name",), "retreival", ManifestError, "retrieval.yaml", "called"),
    ("evaluations/sets/held_out.yaml", ("shape", "kind"), "pare", UnknownNameError, "held_out: shape.kind", "pair"),
]


@pytest.mark.parametrize(("name", "keys", "value", "kind", "where", "near"), FILES, ids=lambda value: str(value)[:40])
def test_a_misspelt_name_in_a_file_that_the_profile_uses_is_refused(root, name, keys, value, kind, where, near):
    edit(root / "params.yaml", "tiny", "decontaminate", "sets", to=["held_out"])
    edit(root / "manifests" / name, *keys, to=value)
    for command in ((curate, "plan"), (curate, "fetch"), (train3d, "fit")):
        error = refused(root, command)
        assert isinstance(error, kind)
        assert where in error.where
        assert near in f"{error.remedy} {error.what}".replace("name it as the file is called", "named, called")


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("profil: tiny\n", "params.yaml", "did you mean profile?"),
        ("profile: [tiny]\n", "params.yaml: profile", "['tiny'] is no name"),
        ("rows: 3\n", "params.yaml", "'rows' is no profile: it holds 3"),
        ("tinier: [sources]\n", "params.yaml", "'tinier' is no profile: it holds ['sources']"),
        ("tinier:\n", "params.yaml", "'tinier' is no profile: it holds nothing"),
        ("raw: {}\n", "params.yaml", "cannot be called 'raw'"),
        ("a/b: {}\n", "params.yaml", "cannot be called 'a/b'"),
        ("tiny: {}\n", ", line ", "the key 'tiny' stands there a second time"),
    ],
)
def test_beside_profiles_the_settings_have_their_default_and_nothing_else(root, text, where, what):
    path = root / "params.yaml"
    data = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({"tiny": data["tiny"]}) + text)
    for command in ((curate, "plan"), (train3d, "fit")):
        error = refused(root, command, "--profile", "tiny")
        assert isinstance(error, SettingsError)
        assert where in error.where
        assert what in str(error)


@pytest.mark.parametrize("name", ["params.yaml", "manifests/sources/pairs.yaml", "manifests/mixes/retrieval.yaml"])
def test_a_key_that_stands_twice_is_refused(root, name):
    path = root / name
    text = path.read_text()
    key = text.splitlines()[-1].partition(":")[0].strip() if name != "params.yaml" else "profile"
    path.write_text(f"{text}{key}: again\n")
    error = refused(root, (curate, "plan"))
    assert f"the key {key!r} stands there a second time" in error.what
    assert error.where == f"{path}, line {len(text.splitlines()) + 1}"


def test_keys_of_different_mappings_and_merged_ones_are_no_repetition(root):
    path = root / "params.yaml"
    text = path.read_text()
    path.write_text(f"{text}other:\n  dedup: &a {{shingle: 5}}\nmore:\n  dedup: {{<<: *a, shingle: 4}}\n")
    assert open_build("more", path).profile.dedup.shingle == 4


def test_what_is_right_passes_and_a_mix_may_name_sources_that_the_profile_lacks(root):
    edit(root / "params.yaml", "tiny", "sources", "include", to=["pairs", "classes"])
    edit(root / "manifests/mixes/retrieval.yaml", "sources", to=["pairs", "opinions"])
    done = CliRunner().invoke(curate, ["mix", "retrieval", "--dry-run", "--params", str(root / "params.yaml")])
    assert done.stdout.startswith("mix retrieval, profile tiny, pairs: would run:")


def test_a_mix_for_another_registry_hinders_no_other_step(root):
    edit(root / "manifests/mixes/retrieval.yaml", "sources", to=["webfaq", "mmarco"])
    edit(root / "params.yaml", "tiny", "train", to={})
    for command in (("fetch",), ("normalize", "--workers", "1")):
        done = CliRunner().invoke(curate, [*command, "--params", str(root / "params.yaml")])
        assert done.exit_code == 0, done.output
    done = CliRunner().invoke(curate, ["mix", "retrieval", "--dry-run", "--params", str(root / "params.yaml")])
    assert done.stdout.startswith("mix retrieval, profile tiny, no source of this profile: would run:")


def test_paths_of_the_settings_are_relative_to_their_file(root, monkeypatch):
    (root / "models/minilm").mkdir(parents=True)
    (root / "vectors").mkdir()
    (root / "sub").mkdir()
    path = root / "params.yaml"
    for there, teacher, found in (
        (root, "models/minilm", "models/minilm"),
        (root / "sub", "models/minilm", "../models/minilm"),
        (root / "sub", "vectors:vectors", "vectors:../vectors"),
        (root / "sub", "owner/name@0123", "owner/name@0123"),
        (root / "sub", str(root / "vectors"), str(root / "vectors")),
        (root / "sub", "bm25", "bm25"),
    ):
        monkeypatch.chdir(there)
        edit(path, "tiny", "mining", "teacher", to=teacher)
        build = open_build(None, path)
        assert build.profile.mining.teacher.model == found
        assert build.local_root == str(root / "raw")


def test_a_module_of_somebody_else_in_place_of_the_trainer_is_named(root):
    (root / "train.py").write_text("")
    command = [sys.executable, "-m", "curation.cli.app", "plan"]
    environment = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{ROOT}"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"`train` is {root / 'train.py'}" in done.stderr
    assert "rename your own train.py" in done.stderr


def own_mix(root: Path, name: str, **changes: object) -> None:
    data = {"name": name, "title": name, "sources": ["pairs"], "cap": 7, "instructions": False} | changes
    (root / "mixes").mkdir(exist_ok=True)
    (root / "mixes" / f"{name}.yaml").write_text(yaml.safe_dump(data))


def test_a_mix_of_ones_own_lies_beside_the_settings_and_comes_first(root):
    own_mix(root, "own")
    own_mix(root, "retrieval", sources=["classes"])
    edit(root / "params.yaml", "tiny", "mixes", to={"own": {"validation": 0.5}, "retrieval": None})
    build = open_build(None, root / "params.yaml")
    assert built_mixes(build.profile, build.root) == ["own", "retrieval"]
    assert (build.profile.mixes["own"].validation, build.profile.mixes["retrieval"].validation) == (0.5, 0.01)
    run = CliRunner().invoke
    arguments = ["--params", str(root / "params.yaml")]
    said = [run(curate, ["mix", name, "--dry-run", *arguments]).stdout for name in ("own", "retrieval")]
    assert [line.split(": ")[0] for line in said] == [
        "mix own, profile tiny, pairs", "mix retrieval, profile tiny, classes"
    ]  # fmt: skip
    assert '"own": {' in run(curate, ["plan", "--json", *arguments]).stdout.replace("\n", "")
    assert "mix own: not built" in run(curate, ["status", *arguments]).stdout
    assert "instruction" not in run(curate, ["status", *arguments]).stdout


def test_only_the_mixes_of_the_profile_are_built(root):
    edit(root / "params.yaml", "tiny", "mixes", to=["retrieval"])
    error = refused(root, (curate, "mix", "instruction"))
    assert isinstance(error, SettingsError)
    assert "add `instruction: {}`" in error.remedy
    error = refused(root, (curate, "mix", "instructoin"))
    assert isinstance(error, UnknownNameError)
    edit(root / "params.yaml", "tiny", "train", "stages", 0, "mix", to="instruction")
    error = refused(root, (train3d, "fit"))
    assert "add `instruction: {}`" in error.remedy
    assert error.where.endswith("train.stages.0.mix")
