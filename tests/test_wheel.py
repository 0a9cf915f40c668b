"""The wheel, installed outside any clone: it has all data, and works beside files of the user's own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from transformers import Qwen3Config

from open_ml_embed.factorized import MODELS
from sources import registry
from tests.support import ROOT
from train.export.export import CODE

PACKAGED = ("open_ml_embed", "sources", "curation", "train", "manifests")
DATA = {"curation/report/report.html", "curation/report/report.css", "curation/report/report.js",
        "curation/report/published/languages.tsv", "curation/langid/data/bundled.lid",
        "train/evaluation/mteb/benchmarks.tsv", "train/evaluation/mteb/tasks.tsv",
        "train/evaluation/mteb/published.tsv",
        "curation/langid/data/code.lid", "curation/langid/data/scripts.tsv", "curation/langid/data/labels/lid.176.txt",
        "curation/pipeline/template/params.yaml", "curation/pipeline/template/gitignore",
        "curation/pipeline/template/raw/example_questions/questions.jsonl"}  # fmt: skip
TRAP = "raise RuntimeError('a file of the user was imported in the place of one of this project')\n"

pytestmark = pytest.mark.slow


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Build the wheel from a copy: building leaves a folder, and takes up what an earlier one left."""
    clone, out = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, clone)
    for name in PACKAGED:
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip("wheel", "--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", str(out), str(clone))
    (built,) = out.glob("open_ml_embed-*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    pip("install", "--no-deps", "--no-index", "--quiet", "--target", str(folder), str(wheel))
    return folder


def run(site: Path, place: Path, code: str) -> str:
    """Run a program that has the installed wheel and the requirements, and neither the clone nor an editable install.

    The finder of an editable install stands on `sys.meta_path`, behind the one that goes by `sys.path`.
    """
    check = "import curation, open_ml_embed, sources\n" + "".join(
        f"assert {name}.__file__.startswith({str(site)!r}), {name}.__file__\n"
        for name in ("curation", "open_ml_embed", "sources")
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("CORPUS_MANIFESTS", "PYTHONPATH")}
    environment |= {"PYTHONPATH": str(site), "COLUMNS": "120", "HF_MODULES_CACHE": str(place / ".modules")}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code.replace("# CHECK\n", check)],
        cwd=place, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_has_every_file_that_a_program_reads(wheel):
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    manifests = {path.relative_to(ROOT).as_posix() for path in (ROOT / "manifests").rglob("*") if path.is_file()}
    assert {f"open_ml_embed/{name}" for name in manifests if not name.endswith("lock.json")} <= inside
    assert inside >= DATA
    code = {p.relative_to(ROOT).as_posix() for package in PACKAGED for p in (ROOT / package).rglob("*.py")}
    assert {name for name in inside if name.endswith(".py")} == code
    assert {name.partition("/")[0] for name in inside} == {*PACKAGED} - {"manifests"}


def test_it_lists_all_sources_makes_a_project_and_identifies(site, tmp_path):
    program = """
# CHECK
import json
from typer.testing import CliRunner
from curation.cli.app import app
from curation.langid import identify
def call(*words):
    done = CliRunner().invoke(app, list(words))
    assert done.exception is None, done.exception
    return done.stdout
print(json.dumps([e["name"] for e in json.loads(call("sources", "--json"))]))
call("init"), call("plan"), call("sources", "show", "example_questions")
print(len(json.loads(call("evaluations", "--json"))))
print(identify(["save page", "salvesta see leht siia"])["code"].to_pylist())
"""
    names, evaluations, codes = run(site, tmp_path, program).splitlines()
    assert json.loads(names) == registry.names()
    assert int(evaluations) > 1000
    assert codes == "['eng', 'est']"
    assert not list(site.rglob("*lock.json"))


def test_it_builds_a_mix_from_a_file_in_an_empty_folder(site, tmp_path):
    lines = [
        {"question": f"what is in box {i}", "answer": f"there is a {i * 7919} in the box of {i}"} for i in range(30)
    ]
    (tmp_path / "boxes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    program = """
# CHECK
from typer.testing import CliRunner
from curation.cli.app import app
from curation.export.formats.upstream import read_release
done = CliRunner().invoke(app, ["build", "boxes.jsonl", "--to", "mix", "--workers", "1"])
assert done.exception is None, done.exception
from open_ml_embed import Mix
print(len(Mix("out/own/mixes/own").samples.to_table()))
print(len(read_release().by_file))
"""
    assert run(site, tmp_path, program).splitlines()[-2:] == ["30", "500"]
    assert (tmp_path / "out/own/report.html").is_file()


def test_an_export_in_efficient_mode_loads_beside_files_of_the_users_own(site, tmp_path):
    config, model = MODELS["qwen3"]
    sizes = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "head_dim": 8,
             "num_attention_heads": 2, "num_key_value_heads": 1}  # fmt: skip
    said = Qwen3Config(**sizes).to_dict()
    del said["model_type"], said["architectures"]
    torch.manual_seed(0)
    made = model(config(**said, embedding_rank=4)).eval()
    torch.nn.init.normal_(made.embed_tokens.left), torch.nn.init.normal_(made.embed_tokens.right)
    made.save_pretrained(tmp_path / "export")
    (tmp_path / "sources").mkdir()
    for name in ("train.py", "curation.py", "sources/__init__.py"):
        (tmp_path / name).write_text(TRAP)
    program = """
import sys
sys.path.insert(0, "")
import open_ml_embed.factorized
import torch
from transformers import AutoModel
assert open_ml_embed.__file__.startswith(SITE), open_ml_embed.__file__
model = AutoModel.from_pretrained("export").eval()
with torch.no_grad():
    print(type(model).__name__, model(torch.arange(5)[None]).last_hidden_state.double().sum().item())
print({"train", "sources", "curation"} & sys.modules.keys())
""".replace("SITE", repr(str(site)))
    with torch.no_grad():
        expected = made(torch.arange(5)[None]).last_hidden_state.double().sum().item()
    first, modules = run(site, tmp_path, program).splitlines()
    assert first.split()[0] == "FactorizedQwen3Model"
    assert float(first.split()[1]) == pytest.approx(expected, abs=1e-4)
    assert modules == "set()"
    assert all(source.is_file() for source in CODE.values())
