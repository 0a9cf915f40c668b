"""Discovery reads manifests and imports nothing that takes time."""

import json
import subprocess
import sys

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
