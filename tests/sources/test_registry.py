"""Discovery reads manifests and imports nothing that takes time."""

import json
import subprocess
import sys

import pytest
import yaml

from open_ml_embed.core.errors import ManifestError
from sources import registry

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
