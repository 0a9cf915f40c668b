"""A user's script under `mypy --strict`: it knows every name and what comes out of it."""

import os
import subprocess
import sys

import pytest

from tests.support import ROOT

SCRIPT = """\
from pathlib import Path
from typing import assert_type

import numpy as np
import numpy.typing as npt

import open_ml_embed as ome

found = ome.find_duplicates(["a", "b"], threshold=0.9)
assert_type(found.selected, list[str])
assert_type(ome.identify(["a"]).languages, list[str])
assert_type(ome.find_contamination(["a"], ["b"]).contaminated, npt.NDArray[np.bool_])
assert_type(ome.mine_hard_negatives(["a"], ["b", "c"], [0]).of(0), npt.NDArray[np.int32])
assert_type(ome.Build.from_params("params.yaml", profile="sample").run(until="mix").ran, list[str])
assert_type(ome.Build.from_params().mix("retrieval").statistics.languages, dict[str, int])
assert_type(ome.Trainer(ome.TrainConfig.from_params()).fit().path, Path)
assert_type(ome.sources.load("squad").samples, int)
assert_type(ome.report(ome.Build.from_params()), Path)
assert_type(ome.__version__, str)
ome.identfy
ome.find_duplicates(["a"], treshold=0.9)
ome.identify(["a"], backend="bundeld")
"""
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
    errors = [line for line in lines if "error:" in line]
    assert len(errors) == len(REFUSED), done.stdout + done.stderr
    for line, said in zip(errors, REFUSED, strict=True):
        assert said in line
