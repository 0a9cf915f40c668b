"""The plain installation: what it can do without any extra, and the line that says which extra a command needs."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from open_ml_embed.core.optional import EXTRA_OF, EXTRAS
from tests.support import ROOT
from tests.support.synthetic import params_for

HIDDEN = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in NAMES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

sys.meta_path.insert(0, Hidden())
"""
OTHERS = ("accelerate", "datasets", "datasketch", "dvc", "pandas", "sklearn")
"""Of the extras too, or of no requirement of ours: nothing of the plain installation may need them."""
PROGRAM = """
import json, sys
from curation.cli.options import run_program
for program, *words in json.loads(sys.argv[1]):
    sys.argv = [program, *words]
    try:
        if program == "python":
            exec(words[0])
        else:
            from importlib import import_module
            run_program(import_module({"curate": "curation.cli.app", "train3d": "train.cli"}[program]).app)
    except SystemExit as end:
        code = end.code or 0
    else:
        code = 0
    print(f"\\0{code}\\0", end="", flush=True)
    print("\\0", end="", file=sys.stderr, flush=True)
"""


def run(root: Path, *commands: tuple[str, ...]) -> Iterator[tuple[int, str, str]]:
    """Run commands one after the other in a process that has no extra: the code and both outputs of each."""
    names = {*EXTRA_OF, *OTHERS}
    program = HIDDEN.replace("NAMES", repr(names)) + PROGRAM
    environment = {k: v for k, v in os.environ.items() if k != "CORPUS_MANIFESTS"} | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(commands)],
        cwd=root, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    pieces = done.stdout.split("\0")
    for number, error in zip(range(0, len(pieces) - 1, 2), done.stderr.split("\0"), strict=False):
        yield int(pieces[number + 1]), pieces[number], error


API = """
import numpy as np
from curation.langid import identify
from curation.dedup import cluster
from curation.decontamination.api import overlaps
from curation.mining import mine
from curation.mining.settings import MiningSettings
print(identify(["save page of the book", "salvesta see leht"])["code"].to_pylist())
print(cluster(["a text", "A  text", "another"])["cluster"].to_pylist())
texts = [f"the keeper wrote down ship number {i} between the two storms of that long winter" for i in range(9)]
print(len(overlaps(texts, texts[:2])))
queries = [f"which ship was number {i}" for i in range(9)]
rules = MiningSettings(range_min=0, num_negatives=2)
print(len(mine(queries, texts, list(range(9)), rules).ids))
vectors = np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32)
print(len(mine(queries, texts, list(range(9)), rules, embeddings=(vectors, vectors)).ids))
"""


@pytest.mark.slow
def test_it_lists_plans_and_builds_a_mix_from_files_that_are_here(tmp_path):
    one = ("--workers", "1")
    steps = [(step, *one) for step in ("fetch", "normalize", "identify", "measure", "dedup", "decontaminate", "mine")]
    path = tmp_path / "params.yaml"
    only = f"import pathlib; p = pathlib.Path({str(path)!r}); t = p.read_text(); t.index('- python_docstrings'); "
    only += "p.write_text(t.replace('- python_docstrings', '# python_docstrings'))"
    commands = [("curate", "init"), ("python", only), ("curate", "sources", "--json"), ("curate", "plan", "--json")]
    commands += [("curate", *step) for step in steps]
    commands += [("curate", "mix", "example"), ("curate", "status"), ("python", API)]
    said = list(run(tmp_path, *commands))
    assert [(code, error[-500:]) for code, _, error in said if code] == []
    assert len(said) == len(commands)
    assert {"example_questions", "squad"} <= {entry["name"] for entry in json.loads(said[2][1])}
    assert json.loads(said[3][1])["sources"] == 1
    assert (tmp_path / "out/example/mixes/example/README.md").is_file()
    assert said[-1][1].splitlines()[0] == "['eng', 'est']"


def profiles(mix: Path) -> dict[str, object]:
    own = {"sources": {"include": ["example_questions"], "local_root": "raw"}, "mixes": {"example": {}}}
    model = {"mining": {"teacher": "model"}}
    return {
        "profile": "own",
        "own": own,
        "again": own,
        "hub": own | {"sources": {"include": ["squad"]}},
        "cld2": own | {"languages": {"backend": "cld2"}},
        "fasttext": own | {"languages": {"backend": "fasttext", "model": "lid.bin"}},
        "heliport": own | {"languages": {"backend": "heliport"}},
        "model": own | model,
        "trained": own | {"train": params_for(mix)},
    }


@pytest.mark.slow
def test_each_command_that_needs_an_extra_says_which_in_one_line(tmp_path):
    one = ("--workers", "1")
    list(run(tmp_path, ("curate", "init")))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(profiles(tmp_path / "mix")))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "modules.json").write_text("[]")
    (tmp_path / "texts.txt").write_text("a line of text\n")
    for name in ("cld2", "fasttext", "heliport", "hub", "model", "trained"):
        (tmp_path / "work" / name).mkdir(parents=True)
    made = [("curate", step, *one) for step in ("fetch", "normalize", "identify", "measure", "dedup", "mine")]
    needing = {
        ("curate", "fetch", "--profile", "hub"): "build",
        ("curate", "lock", "--profile", "hub"): "build",
        ("curate", "probe", "--profile", "hub"): "build",
        ("curate", "langid", "predict", "texts.txt", "--backend", "cld2"): "build",
        ("curate", "langid", "predict", "texts.txt", "--backend", "fasttext", "--model", "lid.bin"): "build",
        ("curate", "langid", "predict", "texts.txt", "--backend", "heliport"): "heliport",
        ("curate", "evaluations", "enumerate"): "mteb",
        ("curate", "identify", "--engine", "ray", "--profile", "again"): "ray",
        ("curate", "mine", "--teacher", "model", *one): "train",
        ("curate", "report"): "report",
        **{("train3d", verb, "--profile", "trained"): "train" for verb in ("fit", "tokenize", "evaluate")},
        ("train3d", "export", "--profile", "trained", "--to", "cut"): "train",
        ("train3d", "prune", "--profile", "trained", "--to", "cut"): "train",
    }
    made += [("curate", step, "--profile", "again", *one) for step in ("fetch", "normalize")]
    said = list(run(tmp_path, *made, *needing))
    assert [error for code, _, error in said[: len(made)] if code] == []
    for (words, extra), (code, _, error) in zip(needing.items(), said[len(made) :], strict=True):
        assert code == 1, (words, error)
        assert "Traceback" not in error, words
        *_, what, remedy = error.rstrip().splitlines()
        assert "which is not installed" in what, (words, error)
        assert remedy.startswith(f"  remedy: pip install 'open-ml-embed[{extra}]'"), (words, error)


GUARDED = ("train", "curation/report", "open_ml_embed/factorized")
"""Packages that are entered through a check of what they import: `train.check_packages`, `curation.pipeline.run`."""
INNER = {
    "open_ml_embed/core/devices.py", "sources/fetch/hub_errors.py", "sources/fetch/url_errors.py",
    "curation/mining/topk/torch_backend.py", "curation/mining/teachers/sentence_transformer.py",
    "curation/mining/teachers/cross_encoder.py", "open_ml_embed/core/engine.py", "curation/publish/upload.py",
    "curation/publish/private.py", "sources/masking.py",
}  # fmt: skip
"""Modules in which some functions run only after another one has asked for the package."""


def optional_imports(path: Path) -> Iterator[tuple[int, str, bool]]:
    """Yield line, package, and whether the same function asks for a package first; for type checkers alone not."""
    tree = ast.parse(path.read_text("utf-8"))
    asking: set[int] = set()
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            calls = {c.func.id for c in ast.walk(node) if isinstance(c, ast.Call) and isinstance(c.func, ast.Name)}
            if calls & {"require", "check_installed", "settle_client"} or "settle_client" in ast.dump(node):
                asking |= {id(inner) for inner in ast.walk(node)}
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            skipped |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped or not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        for name in names:
            if name.partition(".")[0] in EXTRA_OF:
                yield node.lineno, name, id(node) in asking


def test_no_optional_package_is_imported_without_asking_for_it():
    wrong = []
    for package in ("open_ml_embed", "sources", "curation", "train"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(GUARDED) and name not in INNER:
                wrong += [(name, line, module) for line, module, asked in optional_imports(path) if not asked]
    assert wrong == []


def test_every_extra_is_declared_and_everything_is_in_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert EXTRAS.keys() <= extras.keys()
    everything = extras["all"][0].partition("[")[2].rstrip("]").split(",")
    assert sorted(everything) == sorted(extras.keys() - {"all", "bitsandbytes", "dev", "heliport", "torchao", "wandb"})
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    for extra in (*everything, "dev"):
        for requirement in extras[extra]:
            name = requirement.partition(">")[0].partition("[")[0].strip().lower().replace("_", "-")
            assert name in pinned | {"open-ml-embed"}, f"{requirement} of {extra} is not in constraints.txt"
    for requirement in project["dependencies"]:
        assert requirement.partition(">")[0].lower().replace("_", "-") in pinned


def test_the_environment_of_contributors_is_pinned_to_the_last_package():
    """constraints.txt is the lock file: what `.[dev]` needs, and what that needs, each with one version."""
    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    pinned = {canonicalize_name(name): version for name, version in pinned.items()}
    todo, seen, wrong = [("open-ml-embed", frozenset({"dev"}))], set(), []
    while todo:
        name, extras = todo.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            found = distribution(name)
        except PackageNotFoundError:  # for another platform, or another version of Python
            continue
        if name != "open-ml-embed" and pinned.get(name) != found.version.partition("+")[0]:
            wrong.append(f"{name} {found.version}, pinned: {pinned.get(name)}")
        for line in found.requires or ():
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                todo.append((canonicalize_name(needed.name), frozenset(needed.extras)))
    assert wrong == []
    assert len(seen) > 100
