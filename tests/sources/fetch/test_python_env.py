import logging
import tarfile
from importlib import metadata
from pathlib import Path

import pytest

from sources import registry
from sources.fetch import FetchOptions, fetch, python_env
from sources.manifest import Manifest, PythonOrigin


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with one installed distribution, `Toy_Box` 1.2."""
    root = tmp_path / "site"
    files = {
        "toybox/__init__.py": "",
        "toybox/ball.py": "def roll():\n    '''Roll it.'''\n",
        "toybox/tests/test_ball.py": "",
        "toybox/test_inside.py": "",
        "toybox/_vendor/other/code.py": "",
        "toybox/data.txt": "",
        "../bin/toy.py": "",
        "toybox/gone.py": None,
    }
    info = root / "toy_box-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Toy_Box\nVersion: 1.2\n")
    (info / "RECORD").write_text("".join(f"{name},,\n" for name in reversed(files)))
    for name, content in files.items():
        if content is not None:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    monkeypatch.syspath_prepend(str(root))
    return root


def manifest(*, stdlib: bool = False, distributions: tuple[str, ...] = ("Toy_Box",)) -> Manifest:
    origin = PythonOrigin(stdlib=stdlib, distributions=list(distributions))
    return registry.load("python_docstrings").model_copy(update={"origin": origin})


def test_a_distribution_becomes_one_tar_without_tests_and_other_peoples_code(site, tmp_path):
    [file] = fetch(manifest(), "python", FetchOptions(str(tmp_path / "raw")))
    assert file.name == "toy-box-1.2.tar"
    with tarfile.open(file.path) as tar:
        assert tar.getnames() == ["toybox/__init__.py", "toybox/ball.py"]


def test_its_bytes_depend_on_the_code_alone(site, tmp_path):
    first, second = (fetch(manifest(), "python", FetchOptions(str(tmp_path / raw)))[0] for raw in ("a", "b"))
    assert first.identity == second.identity
    (site / "toybox/ball.py").write_text("def roll():\n    '''Roll it on.'''\n")
    third = fetch(manifest(), "python", FetchOptions(str(tmp_path / "c")))[0]
    assert third.identity != first.identity


def test_a_tar_stays_when_the_environment_moves_on(site, tmp_path):
    options = FetchOptions(str(tmp_path / "raw"))
    before = fetch(manifest(), "python", options)
    (site / "toybox/ball.py").unlink()
    assert fetch(manifest(), "python", options) == before


def test_what_is_not_installed_is_passed_over_and_said(site, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        files = fetch(manifest(distributions=("no-such-thing", "Toy_Box")), "python", FetchOptions(str(tmp_path)))
    assert [file.name for file in files] == ["toy-box-1.2.tar"]
    assert "no-such-thing is not installed" in caplog.text


def test_the_standard_library_is_packed_without_its_tests(tmp_path, monkeypatch):
    library = tmp_path / "lib"
    for name in ("json/decoder.py", "test/test_json.py", "site-packages/numpy/core.py", "idlelib/idle_test/mock.py"):
        (library / name).parent.mkdir(parents=True, exist_ok=True)
        (library / name).write_text("")
    monkeypatch.setattr(python_env.sysconfig, "get_paths", lambda: {"stdlib": str(library)})
    [file] = fetch(manifest(stdlib=True, distributions=()), "python", FetchOptions(str(tmp_path / "raw")))
    with tarfile.open(file.path) as tar:
        assert tar.getnames() == ["json/decoder.py"]


def test_the_manifest_names_distributions_that_the_project_requires():
    origin = registry.load("python_docstrings").origin
    assert isinstance(origin, PythonOrigin)
    required = {"numpy", "torch", "transformers", "datasets", "scipy", "polars"}
    assert required <= set(origin.distributions)
    assert all(metadata.version(name) for name in required)
