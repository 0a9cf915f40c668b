"""What `import open_ml_embed` costs, and that its names are there."""

import doctest
import importlib
import pkgutil
import subprocess
import sys
import tomllib

import pytest

import open_ml_embed as ome
from tests.support import ROOT

HEAVY = {
    "accelerate", "datasets", "datasketch", "matplotlib", "numba", "numpy", "pandas", "polars", "pyarrow", "pydantic",
    "ray", "rich", "scipy", "sentence_transformers", "tokenizers", "torch", "transformers", "typer", "yaml",
}  # fmt: skip


def loaded_by(code: str) -> set[str]:
    """Return the top-level packages that a fresh interpreter has loaded after some code."""
    printed = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", printed], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_the_import_loads_nothing_heavy_and_no_package_of_ours_but_itself():
    loaded = loaded_by("import open_ml_embed as ome; dir(ome); ome.__all__")
    assert "open_ml_embed" in loaded
    assert loaded & (HEAVY | {"curation", "sources", "train"}) == set()
    assert loaded - {"open_ml_embed"} <= set(sys.stdlib_module_names) | {"__future__"}


def test_errors_and_version_need_nothing_heavy_either():
    code = "import open_ml_embed as ome; ome.CorpusError, ome.TransientError, ome.__version__"
    assert loaded_by(code) & (HEAVY | {"curation", "sources", "train"}) == set()


def test_identify_loads_no_deep_learning():
    assert (
        loaded_by("import open_ml_embed as ome; ome.identify") & {"torch", "transformers", "ray", "datasets"} == set()
    )


def test_every_name_is_there_documented_and_listed():
    assert sorted(ome.__all__) == ome.__all__ == dir(ome)
    for name in ome.__all__:
        assert getattr(ome, name) is getattr(ome, name)
        assert name == "__version__" or getattr(ome, name).__doc__.strip()


def test_a_name_that_there_is_not_is_refused_as_by_any_module():
    with pytest.raises(AttributeError, match="module 'open_ml_embed' has no attribute 'identfy'") as caught:
        ome.identfy  # noqa: B018 (the look is the test)
    assert (caught.value.name, caught.value.obj) == ("identfy", ome)
    with pytest.raises(ImportError, match="cannot import name 'identfy'"):
        from open_ml_embed import identfy  # noqa: F401 (likewise)


def test_the_version_is_the_distributions_and_says_so_where_nobody_installed_it(monkeypatch):
    from importlib import metadata

    from open_ml_embed.core.version import version

    assert ome.__version__ == metadata.version("open-ml-embed")

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert version() == "0+unknown"


def test_every_package_of_the_wheel_says_that_it_is_typed():
    """Types of the public names stand in all of them: without it they would be `Any` to a user's mypy."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    packages = ("open_ml_embed", "sources", "curation", "train")
    assert f"OWN = {packages}".replace("'", '"') in (ROOT / "setup.py").read_text()
    assert all((ROOT / name / "py.typed").is_file() for name in packages)
    assert "py.typed" in settings["package-data"]["*"]


MODULES = [
    *("open_ml_embed", "open_ml_embed.core.words", "open_ml_embed.core.text.arrays"),
    *(f"open_ml_embed.{module.name}" for module in pkgutil.iter_modules(ome.__path__) if not module.ispkg),
]


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    "name", ["open_ml_embed", "open_ml_embed.core.words", "open_ml_embed.core.text.arrays", *MODULES]
)
def test_the_examples_in_the_docstrings_are_true(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
    with_examples = ("open_ml_embed", "languages", "duplicates", "contamination", "negatives", "sources")
    assert result.attempted or not name.endswith(with_examples)
