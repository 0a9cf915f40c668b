"""A user's script under `mypy --strict`: it knows every name and what comes out of it."""

import os
import subprocess
import sys

import pytest

from tests.support import ROOT

SCRIPT = """\
import open_ml_embed as ome

found = ome.find_duplicates(["a", "b"], threshold=0.9)
reveal_type(found.selected)
reveal_type(ome.identify(["a"]).languages)
reveal_type(ome.find_contamination(["a"], ["b"]).contaminated)
reveal_type(ome.mine_hard_negatives(["a"], ["b", "c"], [0]).of(0))
reveal_type(ome.Build.from_params("params.yaml", profile="sample").run(until="mix").ran)
reveal_type(ome.Build.from_params().mix("retrieval").statistics.languages)
reveal_type(ome.Trainer(ome.TrainConfig.from_params()).fit().path)
reveal_type(ome.sources.load("squad").samples)
reveal_type(ome.report)
reveal_type(ome.__version__)
ome.identfy
ome.find_duplicates(["a"], treshold=0.9)
ome.identify(["a"], backend="bundeld")
"""
REVEALED = [
    "builtins.list[builtins.str]",
    "builtins.list[builtins.str]",
    "numpy.ndarray[builtins.tuple[Any, ...], numpy.dtype[numpy.bool[builtins.bool]]]",
    "numpy.ndarray[builtins.tuple[Any, ...], numpy.dtype[numpy.signedinteger[numpy._typing._nbit_base._32Bit]]]",
    "builtins.list[builtins.str]",
    "builtins.dict[builtins.str, builtins.int]",
    "pathlib.Path",
    "builtins.int",
    "def (build: open_ml_embed.build.Build) -> pathlib.Path",
    "builtins.str",
]
REFUSED = [
    'Module has no attribute "identfy"',
    'Unexpected keyword argument "treshold" for "find_duplicates"; did you mean "threshold"?',
    'Argument "backend" to "identify" has incompatible type "Literal[\'bundeld\']"',
]
SETTINGS = """\
[mypy]
plugins = pydantic.mypy
[mypy-torch.*,transformers.*,sentence_transformers.*,tokenizers.*,pyarrow.*,numba.*,scipy.*,datasets.*,datasketch.*]
ignore_missing_imports = True
follow_imports = skip
[mypy-open_ml_embed.*,curation.*,sources.*,train.*]
follow_imports = silent
"""


@pytest.mark.slow
def test_mypy_knows_every_name_of_a_script_and_refuses_what_is_wrong(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", "mypy.ini", "--no-color-output", "script.py"],
        cwd=tmp_path, env=os.environ | {"MYPYPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert [line.split('"')[1] for line in lines if "note: Revealed type" in line] == REVEALED, (
        done.stdout + done.stderr
    )
    errors = [line for line in lines if "error:" in line]
    assert len(errors) == len(REFUSED), done.stdout
    for line, said in zip(errors, REFUSED, strict=True):
        assert said in line
