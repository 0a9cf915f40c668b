"""The tutorials of docs/, each run in an empty folder as its page has it."""

import shutil

import pytest

from benchmarks.rehearsal.generate import generate
from sources import registry
from tests.sources.raw import linked
from tests.support.hub.server import serving
from tests.support.page_session import run, script_of


@pytest.fixture
def hub(tmp_path):
    """A Hub on this machine with made-up files of the sources of the slice."""
    raw = tmp_path / "served"
    for name, fraction in {"webfaq": 0.0002, "mkqa": 0.03, "massive_intent": 0.03}.items():
        manifest = registry.load(name)
        generate(tmp_path / name, [manifest], fraction)
        shutil.copytree(tmp_path / name / "raw", raw, dirs_exist_ok=True)
        linked(manifest, raw)
    with serving(raw / "hub", page=500) as server:
        yield server


@pytest.mark.slow
def test_rebuild_a_slice(tmp_path, hub):
    said = run(script_of("tutorial-slice.md"), tmp_path, HF_ENDPOINT=hub.endpoint, HF_HUB_OFFLINE="0")
    project = tmp_path / "slice"
    assert (project / "sources.lock.json").is_file()
    assert (project / "out/german/report.html").is_file()
    assert (project / "tables/tables.json").is_file()
    for mix in ("retrieval", "instruction"):
        assert list((project / "out/german/mixes" / mix).glob("**/train-*.parquet"))
    assert "mkqa" in said
    fetched = {path.as_posix() for path in (project / "work/raw").rglob("*.parquet")}
    assert any("/de-corpus/" in name for name in fetched)
    assert not any("/fr-corpus/" in name for name in fetched), "one language was asked for"


@pytest.mark.slow
def test_train_and_evaluate(tmp_path):
    said = run(script_of("tutorial-train.md"), tmp_path)
    assert "(1, 32)" in said
    assert (tmp_path / "my-model/sizes.svg").is_file()
    assert (tmp_path / "my-model/out/tiny/model/model.safetensors").is_file()


@pytest.mark.slow
def test_scale_out(tmp_path):
    run(script_of("tutorial-scale-out.md", without="python_docstrings"), tmp_path)
    assert (tmp_path / "on-ray/out/tiny/model/model.safetensors").is_file()
