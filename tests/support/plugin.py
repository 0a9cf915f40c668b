"""A made-up distribution that adds one of everything by entry points, and one that declares what cannot be loaded."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.support.workshop import MANIFEST

ENTRY_POINTS = """
[open_ml_embed.shapes]
swapped = harbour_tools.swapped
pair = harbour_tools.swapped
[open_ml_embed.readers]
semicolons = harbour_tools.semicolons:read
[open_ml_embed.backends]
always = harbour_tools.always:load
[open_ml_embed.teachers]
letters = harbour_tools.letters:make
[open_ml_embed.sources]
harbour = harbour_tools.catalog
"""
BROKEN = """
[open_ml_embed.shapes]
halved = no_such_package.shape
[open_ml_embed.sources]
gone = no_such_package.catalog
empty = harbour_tools
"""
MODULES = {
    "__init__": "",
    "swapped": '''
"""A shape: the two columns that the arguments name, the other way round."""

from open_ml_embed.core.section import Section
from sources.shapes.fields import batches, draft, text

PER_FILE = True


class Args(Section):
    left: str
    right: str


def drafts(context, args):
    for batch in batches(context):
        yield draft(context, batch, query=text(batch.columns, args.right), positive=text(batch.columns, args.left))
''',
    "semicolons": '''
"""A reader: two columns a line, divided by a semicolon."""

import pyarrow as pa

from sources.parts import RawBatch


def read(path, name, table, casting, *, batch_rows=65_536):
    casting.has_seen(list(table.fields))
    rows = [line.split(";") for line in path.read_text("utf-8").splitlines()]
    columns = pa.table({field: [row[i] for row in rows] for i, field in enumerate(table.fields)})
    yield RawBatch(columns, name, pa.array(range(len(rows)), pa.int64()))
''',
    "always": '''
"""An identifier: everything is Faroese."""

from curation.langid import codes
from curation.langid.identifier import as_ranked


class Always:
    calibration = ""
    labels = codes.parsed(["fao-Latn"], "tagged")
    claimed = frozenset({"fao"})

    def ranked(self, texts, scripts, k):
        return as_ranked([[(0, 0.75)] for _ in range(len(texts))])


def load(model):
    return Always()
''',
    "letters": '''
"""A teacher: how often each letter stands in a text."""

import numpy as np


class Letters:
    identity = "letters-1"
    dim = 26

    def encode(self, texts, side):
        counts = [[1e-3 + text.lower().count(chr(97 + i)) for i in range(26)] for text in texts]
        vectors = np.array(counts, np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make(reference, settings):
    assert reference == "all"
    return Letters()
''',
}


def install(site: Path) -> Path:
    """Lay the distributions down as pip would, and return the folder to put on the path."""
    package = site / "harbour_tools"
    (package / "catalog" / "sources").mkdir(parents=True)
    for name, code in MODULES.items():
        (package / f"{name}.py").write_text(code)
    source = MANIFEST | {
        "name": "harbour_log", "collection": "community", "title": "Harbour log",
        "origin": {"kind": "manual", "url": "nowhere", "folder": "harbour"},
        "tables": {"records": {"files": ["*.txt"], "format": "semicolons", "fields": {"a": "string", "q": "string"}}},
        "shape": {"kind": "swapped", "args": {"left": "a", "right": "q"}},
        "subsets": {"all": {"query_lang": "eng-Latn"}},
    }  # fmt: skip
    (package / "catalog" / "sources" / "harbour_log.yaml").write_text(yaml.safe_dump(source))
    for name, version, points in (("harbour-tools", "2.1", ENTRY_POINTS), ("old-tools", "0.9", BROKEN)):
        folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (folder / "entry_points.txt").write_text(points)
    return site


def project(root: Path) -> Path:
    """Write a project that uses all of it, and return its folder."""
    (root / "raw" / "harbour").mkdir(parents=True)
    lines = [f"the boat number {i} came in at {i} o'clock;when did boat {i} come in" for i in range(30)]
    (root / "raw" / "harbour" / "log.txt").write_text("\n".join(lines) + "\n")
    profile = {
        "sources": {"include": ["harbour_log"], "local_root": "raw"},
        "languages": {"backend": "always"},
        "mining": {"teacher": "letters:all", "num_negatives": 2, "range_min": 0},
        "mixes": {"retrieval": {}},
    }
    (root / "params.yaml").write_text(json.dumps({"profile": "own", "own": profile}))
    return root
