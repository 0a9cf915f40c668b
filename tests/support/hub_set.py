"""One dataset on a Hub on this machine, and the manifest that names it."""

import os
from contextlib import contextmanager
from pathlib import Path

from sources.fetch import FetchOptions, hub
from sources.manifest import Manifest
from tests.support.hub.server import serving

LARGE = os.urandom(1 << 20)
PLAIN = b'{"a": "x"}\n'


@contextmanager
def serving_set(root, monkeypatch):
    """A Hub on this machine with one dataset, and the client's memory of listings emptied."""
    monkeypatch.setattr(hub, "PAUSE_S", 0.01)
    monkeypatch.setattr(hub, "_listings", {})
    with serving(root) as running:
        for number in range(12):
            running.add("org/set", f"data/train-{number:02d}.jsonl", PLAIN * (number + 1))
        running.add("org/set", "data/large.bin", LARGE)
        running.add("org/set", "README.md", b"# set")
        yield running


def manifest(files=("data/train-*.jsonl",), **origin) -> Manifest:
    return Manifest.model_validate(
        {
            "name": "example", "title": "Example", "collection": "ml-embed", "task": "paraphrase",
            "family": "retrieval", "origin": {"kind": "hub", "repo": "org/set"} | origin,
            "tables": {"records": {"files": list(files), "format": "jsonl", "fields": {"a": "string"}}},
            "shape": {"kind": "pair"}, "subsets": {"en": {"query_lang": "eng-Latn"}, "de": {"query_lang": "deu-Latn"}},
            "license": {"id": "MIT", "commercial": True, "redistribution": True}, "citation": "nobody 2020",
            "samples": 0, "instruction": "Find what belongs to it.",
        }
    )  # fmt: skip


def options(server, tmp_path, **more) -> FetchOptions:
    return FetchOptions(raw_root=str(tmp_path / "raw"), endpoint=server.endpoint, **more)


def fetched_files(tmp_path) -> list[Path]:
    """What lies in the places of finished files."""
    root = tmp_path / "raw/hub"
    return [
        p
        for p in root.rglob("*")
        if p.is_file() and not any(x.startswith(".") for x in p.relative_to(root).parts) and p.suffix != ".json"
    ]
