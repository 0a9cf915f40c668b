"""Discovery reads manifests and imports nothing that takes time."""

import json
import subprocess
import sys

import pytest
import yaml

from open_ml_embed.core.errors import ManifestError, UnknownNameError
from sources import registry
from tests.support import ROOT

CODE = """
import json, sys
from sources import registry
names = [m.name for m in registry.load_all()]
print(json.dumps([names, sorted(sys.modules)]))
"""
HEAVY = {"pyarrow", "numpy", "polars", "torch", "datasets", "huggingface_hub", "ray", "numba"}


def test_discovery_imports_no_adapter_and_nothing_heavy():
    said = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True).stdout
    names, modules = json.loads(said)
    assert len(names) > 121
    assert not HEAVY & set(modules)
    assert not [name for name in modules if name.startswith(("sources.adapters", "sources.shapes", "sources.readers"))]


def test_a_field_that_is_missing_is_named_and_the_manifest_is_not_printed(tmp_path, monkeypatch):
    said = yaml.safe_load((registry.manifest_root() / "sources/squad.yaml").read_text("utf-8"))
    del said["license"]
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/squad.yaml").write_text(yaml.safe_dump(said), "utf-8")
    monkeypatch.setenv("CORPUS_MANIFESTS", str(tmp_path))
    with pytest.raises(ManifestError, match="the field 'license' is missing") as caught:
        registry.load("squad")
    assert len(str(caught.value)) < 200 + len(str(tmp_path))


def test_a_long_value_that_is_refused_is_cut(tmp_path, monkeypatch):
    said = yaml.safe_load((registry.manifest_root() / "sources/squad.yaml").read_text("utf-8"))
    said["samples"] = "many " * 1000
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources/squad.yaml").write_text(yaml.safe_dump(said), "utf-8")
    monkeypatch.setenv("CORPUS_MANIFESTS", str(tmp_path))
    with pytest.raises(ManifestError, match=r"samples: .*many") as caught:
        registry.load("squad")
    assert len(str(caught.value)) < 600


def manifest_in(root, name, **changes):
    squad = yaml.safe_load((registry.manifest_root() / "sources/squad.yaml").read_text("utf-8"))
    path = root / "manifests" / "sources" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(squad | {"name": name} | changes), "utf-8")
    return path


def test_a_source_of_the_users_own_is_known_in_their_project_only(tmp_path):
    manifest_in(tmp_path, "mine", title="Mine")
    assert registry.load("mine", tmp_path).title == "Mine"
    assert set(registry.names(tmp_path)) == {*registry.names(), "mine"}
    assert "mine" in {manifest.name for manifest in registry.load_all("ml-embed", tmp_path)}
    with pytest.raises(UnknownNameError):
        registry.load("mine")
    with pytest.raises(UnknownNameError, match="did you mean mine"):
        registry.load("mime", tmp_path)


def test_of_two_of_one_name_the_users_own_is_taken_and_one_line_says_so(tmp_path, capsys):
    path = manifest_in(tmp_path, "squad", title="Mine")
    for _ in range(2):
        assert registry.load("squad", tmp_path).title == "Mine"
        assert registry.names(tmp_path) == registry.names()
    assert registry.load("squad").title == "SQuAD 1.1"
    own = registry.manifest_root() / "sources" / "squad.yaml"
    assert capsys.readouterr().err == f"{path} is taken, and not {own}\n"


def test_in_the_checkout_nothing_is_there_twice(capsys):
    assert registry.folders(ROOT) == [ROOT / "manifests"]
    assert registry.names(ROOT) == registry.names()
    assert capsys.readouterr().err == ""


def test_a_file_of_the_users_own_comes_before_the_packaged_one(tmp_path):
    assert registry.file("rates.yaml", tmp_path) == registry.manifest_root() / "rates.yaml"
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "rates.yaml").write_text("")
    assert registry.file("rates.yaml", tmp_path) == tmp_path / "manifests" / "rates.yaml"
