"""What the documents print is true: every command is one that there is, every block of code finds its names.

How a command is tried is a matter of its program and verb, and a command that no rule is for fails:

- **run**: as it is, in a project with the checkout's own profiles and nothing built;
- **dry**: with `--dry-run` added, by the same program in the same project;
- **parsed**: by the program's own parser, down to the verb that would be called; what would take hours, a network or a
  GPU, or would change the checkout.
"""

import ast
import builtins
import importlib
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from dvc.cli import DvcParserError, parse_args
from typer.main import get_command
from typer.testing import CliRunner

from curation.export.exporters import EXPORTERS
from curation.langid.settings import BACKENDS
from curation.mining.teachers.protocol import TEACHERS
from curation.mixing.filters import Filters
from curation.mixing.recipe import Recipe
from curation.settings import Profile
from open_ml_embed.core.errors import StageError
from sources import registry
from sources.formats import READERS
from sources.shapes import SHAPES
from tests.support.printed import PAGES, ROOT, Block, Printed, blocks, commands
from tests.support.synthetic import write_mix
from tests.support.workshop import MANIFEST
from train.experiments.plan import Preset

APPS = {"curate": "curation.cli.app", "train3d": "train.cli"}
READS = {"plan", "sources", "sources show", "status", "show", "evaluations", "evaluations show", "langid predict",
         "langid evaluate"}  # fmt: skip
"""Verbs that only print: they are run."""
PARSED = {"diff", "evaluations enumerate"}
"""Verbs without `--dry-run` that are not run: they take hours, write into the checkout, or need two builds."""
NEEDS_A_BUILD = {("curate", "show"): "has not been run", ("train3d", "publish"): "no (finished )?model"}
"""Verbs that have nothing to do in a project where nothing is built, and what they say."""
FETCHES = {"codefuse-ai/F2LLM-v2"}
"""Arguments for which also a dry run needs a network: the command is parsed."""
PLACES = {"mix NAME": "retrieval", "show NAME": "squad", "show SOURCE": "squad", "check NAME": "squad",
          "--without SOURCE": "alpha", "experiment NAME": "nesting"}  # fmt: skip
"""What a page has in place of a name."""


SESSION = "docs/python.md"
"""A page whose examples are one session, run by `tests/public/test_python_page.py`."""
RUN_WHOLE = {"docs/first-day.md", "docs/tutorial-slice.md", "docs/tutorial-train.md", "docs/tutorial-scale-out.md"}
"""Pages whose commands are one session, run by `tests/test_first_day.py` and `tests/test_tutorials.py`."""
WITHOUT_COMMANDS = {"docs/glossary.md"}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A project as the pages take it: the checkout's settings and pipelines, the files they name, mixes to train on."""
    root = tmp_path_factory.mktemp("docs")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    for name in ("sample", "full"):  # the latter's backbone is on the Hub, and its device not everywhere
        params[name]["train"] |= {"backbone": {"kind": "random-qwen3"}, "device": "cpu", "ranks": None}
        for stage in params[name]["train"]["stages"]:
            stage.setdefault("learning_rate", 1e-4)  # a new model has no published one
        for mix in ("retrieval", "instruction"):
            write_mix(root / "out" / name / "mixes" / mix, rows=60)
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    shutil.copy(ROOT / "dvc.yaml", root)
    shutil.copytree(ROOT / "pipelines", root / "pipelines", ignore=shutil.ignore_patterns("dvc.lock"))
    for name in ("alpha", "beta", "gamma"):  # the sources of those mixes
        told = MANIFEST | {"name": name, "collection": "community", "subsets": {"all": {"query_lang": "eng-Latn"}}}
        path = root / "manifests/sources" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(told))
    pairs = [f'{{"query": "query {i}", "positive": "what answers {i}"}}\n' for i in range(300)]
    (root / "pairs.jsonl").write_text("".join(pairs))
    (root / "texts.txt").write_text("save page\nsalvesta leht\n")
    (root / "labeled.tsv").write_text("eng\tsave this page\nest\tsalvesta see leht\n")
    (root / "my/held-out-set/qrels").mkdir(parents=True)
    for name in ("queries.jsonl", "corpus.jsonl"):
        (root / "my/held-out-set" / name).write_text('{"_id": "1", "text": "a text"}\n')
    (root / "my/held-out-set/qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\n1\t1\t1\n")
    released = {name: ["a text"] for name in ("query", "passage", "negative_1")}
    (root / "F2LLM-v2").mkdir()
    pq.write_table(pa.table(released), root / "F2LLM-v2/imdb.parquet")
    return root


def by_words() -> list[Printed]:
    """Every command once, however often the pages print it."""
    return list({printed.words: printed for printed in commands() if printed.page not in RUN_WHOLE}.values())


def leaf_of(program: str, words: tuple[str, ...]):
    """Return the verb of a command line, and the words that name it."""
    command, path = get_command(importlib.import_module(APPS[program]).app), []
    for word in words:
        if word not in getattr(command, "commands", {}):
            break
        command = command.commands[word]
        path.append(word)
    return command, path


def invoke(program: str, words: list[str]) -> None:
    app = importlib.import_module(APPS[program]).app
    done = CliRunner().invoke(app, words)
    said = NEEDS_A_BUILD.get((program, words[0]))
    refused = said is not None and isinstance(done.exception, StageError)
    if refused:
        assert re.search(said, done.exception.what)
    assert done.exit_code == 0 or refused, f"{done.output}\n{done.exception!r}"


def try_ours(printed: Printed) -> str:
    """Try `curate` or `train3d`."""
    program, *words = printed.words
    words = [PLACES.get(f"{before} {word}", word) for before, word in zip(["", *words], words, strict=False)]
    leaf, path = leaf_of(program, tuple(words))
    if words in (["--install-completion"], ["--show-completion"]):  # they write into the user's shell, or need one
        assert words[0] in {option for parameter in leaf.params for option in parameter.opts}
        return "parsed"
    assert path, "no such verb"
    verb, options = " ".join(path), {parameter.name for parameter in leaf.params}
    if words == path and any(parameter.required for parameter in leaf.params):
        invoke(program, [*words, "--help"])  # the name of a verb, in a sentence
        return "run"
    if "--watch" in words:  # it goes on until it is stopped
        parse(leaf, words[len(path) :])
        return "parsed"
    if "--help" in words or verb in READS:
        invoke(program, words)
        return "run"
    if FETCHES & {*words}:
        parse(leaf, words[len(path) :])
        return "parsed"
    if "dry_run" in options:
        invoke(program, [*words, *(() if "--dry-run" in words else ("--dry-run",))])
        return "dry"
    assert verb in PARSED, f"no rule for `{printed.text}`"
    parse(leaf, words[len(path) :])
    return "parsed"


def parse(leaf, words: list[str]) -> None:
    leaf.callback = lambda **_: None
    with pytest.raises(SystemExit) as end:
        leaf.main(words)
    assert end.value.code == 0


def try_dvc(printed: Printed, place: Path) -> str:
    words = printed.words[1:]
    arguments = parse_args(list(words))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "1"}
    if not (place / ".dvc").is_dir():
        subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=place, env=environment, check=True)
    for target in getattr(arguments, "targets", None) or ["dvc.yaml"]:
        listing = [sys.executable, "-m", "dvc", "stage", "list", "--name-only", target]
        done = subprocess.run(listing, cwd=place, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
    return "parsed"


def try_tasks(printed: Printed) -> str:
    tasks = runpy.run_path(str(ROOT / "tasks.py"))
    _, _, task, *arguments = printed.words
    assert task in tasks["TASKS"]
    if task == "bench":
        assert arguments
        assert all((ROOT / "benchmarks" / f"{name}.py").is_file() for name in arguments)
    elif task == "test":
        assert arguments in ([], ["-k", "NAME"])
    elif task == "demo":
        assert arguments in ([], ["--large"])
    elif task == "interop":
        assert all((ROOT / "tests/interop/pins" / f"{name}.txt").is_file() for name in arguments)
    elif task == "real":
        assert arguments == ["FOLDER"]
    else:
        assert not arguments
    return "parsed"


STOP_AFTER_PARSING = """
import argparse, runpy, sys
parse = argparse.ArgumentParser.parse_args
def parsed(self, *arguments, **named):
    parse(self, *arguments, **named)
    raise SystemExit(0)
argparse.ArgumentParser.parse_args = parsed
sys.argv = sys.argv[1:]
sys.path.insert(0, "")
runpy.run_module(sys.argv[0], run_name="__main__")
raise SystemExit("it has no parser")
"""


def try_python(printed: Printed) -> str:
    """Try a benchmark or a module."""
    option, module, *arguments = printed.words[1:]
    assert option == "-m"
    if module == "tools.langid":
        from tools.langid.__main__ import app

        assert CliRunner().invoke(app, [arguments[0], "--help"]).exit_code == 0
        try:
            get_command(app).commands[arguments[0]].make_context(arguments[0], arguments[1:])
        except Exception as error:  # typer's, which has no public name
            raise AssertionError(str(error)) from error
        return "parsed"
    found = importlib.util.find_spec(module)
    if found is not None and found.submodule_search_locations:
        found = importlib.util.find_spec(f"{module}.__main__")
    assert found is not None
    assert found.origin is not None
    source = Path(found.origin).read_text("utf-8")
    if "parse_args" in source and (arguments or module.startswith("benchmarks.")):
        command = [sys.executable, "-c", STOP_AFTER_PARSING, module, *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    else:
        assert all(f'"{word}" in sys.argv' in source for word in arguments)
    return "parsed"


def try_pip(printed: Printed) -> str:
    command = [sys.executable, "-c", PIP_PARSER, *printed.words[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    packages = [word for word in printed.words[2:] if not word.startswith("-") and "/" not in word]
    assert packages
    for package in packages:
        if package.startswith("open-ml-embed["):
            extras = (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[2]
            for extra in package.partition("[")[2].rstrip("]").split(","):
                assert f"\n{extra} = [" in extras
    return "parsed"


PIP_PARSER = """
import sys
from pip._internal.commands import create_command
create_command(sys.argv[1]).parse_args(sys.argv[2:])
"""


def try_torchrun(printed: Printed) -> str:
    from torch.distributed.run import get_args_parser

    arguments = get_args_parser().parse_args(list(printed.words[1:]))
    assert arguments.no_python, "the console script is started: a module named `train` may be somebody else's"
    return try_ours(Printed(printed.page, printed.line, (arguments.training_script, *arguments.training_script_args)))


def try_others(printed: Printed) -> str:
    """Try programs of others by what can be asked of them without doing it."""
    known = {
        "git clone URL open-ml-embed": ["git", "clone", "-h"],
        "pre-commit install": [str(Path(sys.executable).parent / "pre-commit"), "install", "--help"],
    }
    if printed.text == "cd open-ml-embed":  # what `git clone` before it makes
        return "parsed"
    assert printed.text in known, f"no rule for `{printed.text}`"
    done = subprocess.run(known[printed.text], capture_output=True, text=True, check=False)
    assert "usage" in (done.stdout + done.stderr).lower()
    return "parsed"


def tried(printed: Printed, place: Path) -> str:
    """Try a command, and return how."""
    program = printed.words[0]
    if program in APPS:
        return try_ours(printed)
    if printed.words[:2] == ("python3", "tasks.py"):
        return try_tasks(printed)
    if program == "dvc":
        return try_dvc(printed, place)
    rules = {"python": try_python, "pip": try_pip, "torchrun": try_torchrun}
    return rules.get(program, try_others)(printed)


@pytest.fixture
def there(place, monkeypatch) -> Path:
    monkeypatch.chdir(place)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("COLUMNS", "200")
    for variable in ("CURATE_PROFILE", "CURATE_WORKERS", "CURATE_ENGINE", "CORPUS_MANIFESTS"):
        monkeypatch.delenv(variable, raising=False)
    return place


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("printed", by_words(), ids=lambda printed: f"{printed.page}:{printed.line}: {printed.text}")
def test_every_command_on_the_pages_is_one_that_there_is(there, printed):
    assert tried(printed, there) in ("run", "dry", "parsed")
    assert not (there / "work").exists(), "nothing was done"


def test_the_pages_print_commands_of_every_kind():
    found = Counter(printed.words[0] for printed in commands())
    assert {printed.page for printed in commands()} == set(PAGES) - WITHOUT_COMMANDS
    assert found["curate"] > 30
    assert found["train3d"] > 8
    assert found["dvc"] > 3
    assert found["python"] > 8


@pytest.mark.parametrize(
    "words",
    [
        ("curate", "fetsh"),
        ("curate", "plan", "--profil", "full"),
        ("curate", "plan", "--profile", "ful"),
        ("curate", "dedup", "-S", "x"),
        ("python", "-m", "tools.langid", "train", "--drawn", "3"),
        ("curate", "sources", "show", "squat"),
        ("train3d", "fit", "--steps", "3"),
        ("dvc", "repro", "-S", "profile=pilot"),
        ("dvc", "repro", "pipelines/pilto/dvc.yaml"),
        ("python3", "tasks.py", "demmo"),
        ("python", "-m", "benchmarks.training", "--large"),
        ("python", "-m", "benchmarks.mining", "--pears", "x"),
        ("python", "-m", "benchmarks.rehearsal", "--fractoin", "0.01"),
        ("python", "-m", "tools.langid.tran"),
        ("pip", "install", "--target-folder", "x", "y"),
        ("git", "pull"),
    ],
    ids=" ".join,
)
def test_a_command_that_there_is_not_is_noticed(there, words):
    with pytest.raises((AssertionError, DvcParserError)):
        tried(Printed("a page", 1, words), there)


def of(*languages: str) -> list[Block]:
    return [block for block in blocks() if block.language in languages]


def named(block: Block) -> str:
    return f"{block.page}:{block.line}"


def test_every_block_is_of_a_kind_that_is_tried():
    assert {block.language for block in blocks()} <= {"sh", "python", "yaml", "toml", ""}
    (drawing,) = of("")
    assert "raw files ─▶ rows" in drawing.text


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("block", [block for block in of("python") if block.page != SESSION], ids=named)
def test_python_on_the_pages_finds_what_it_imports_and_runs_where_it_is_whole(block):
    tree = ast.parse(block.text)
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Import):
            for name in statement.names:
                importlib.import_module(name.name)
        elif isinstance(statement, ast.ImportFrom):
            module = importlib.import_module(statement.module)
            assert all(hasattr(module, name.name) for name in statement.names)
    modules = {
        name.asname or name.name: importlib.import_module(name.name)
        for statement in ast.walk(tree)
        if isinstance(statement, ast.Import)
        for name in statement.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            assert hasattr(modules[node.value.id], node.attr)
    code = compile(tree, named(block), "exec")
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    imported = [alias for node in ast.walk(tree) for alias in getattr(node, "names", [])]
    known = {node.id for node in names if isinstance(node.ctx, ast.Store)} | set(dir(builtins))
    known |= {(alias.asname or alias.name).partition(".")[0] for alias in imported}
    if {node.id for node in names} <= known and "out/sample" not in block.text:  # it needs no other name, and no model
        exec(code, {})


@pytest.mark.parametrize("block", of("yaml"), ids=named)
def test_yaml_on_the_pages_is_what_the_settings_take(block):
    data = yaml.safe_load(block.text)
    if data.keys() <= Profile.model_fields.keys():
        Profile.model_validate(data)
    elif data.keys() <= Preset.model_fields.keys():  # a part of an experiment
        Preset.model_validate({"seeds": [0], "mixes": {}, "train": {}} | data)
    elif block.page == "docs/mixes.md":
        Recipe.model_validate(data).filters.check(named(block), ROOT)
    elif block.page in {"docs/experiments.md", *RUN_WHOLE}:  # profiles by name
        for section in data.values():
            Profile.model_validate(section)
    else:
        assert block.page in ("README.md", "CONTRIBUTING.md", SESSION), "another test looks at those"


def test_the_page_on_mixes_names_every_key_and_filter():
    text = (ROOT / "docs/mixes.md").read_text("utf-8")
    named_there = set(re.findall(r"`([a-z_]+)`", "\n".join(re.findall(r"^\| (`.*?) \|", text, re.MULTILINE))))
    assert named_there == (Recipe.model_fields.keys() | Filters.model_fields.keys()) - {"both_sides"}


def test_toml_on_the_pages_names_groups_that_are_read():
    read = {r.group for r in (READERS, SHAPES, BACKENDS, TEACHERS, EXPORTERS)} | {registry.GROUP}
    (block,) = of("toml")
    assert set(tomllib.loads(block.text)["project"]["entry-points"]) == read


def test_the_profile_and_the_mix_of_the_readme_are_planned(there, tmp_path):
    files = {}
    for block in of("yaml"):
        name, _, text = block.text.partition("\n")
        if block.page == "README.md":
            files[name.removeprefix("# ")] = text
    assert set(files) == {"params.yaml", "mixes/questions.yaml"}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    invoke("curate", ["plan", "--profile", "mine", "--params", str(tmp_path / "params.yaml")])
    invoke("curate", ["mix", "questions", "--dry-run", "--profile", "mine", "--params", str(tmp_path / "params.yaml")])
