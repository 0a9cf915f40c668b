"""The manifest of a corpus of documents that negatives are mined from: a folder, or a repository of the Hub.

The columns are those that BEIR, MTEB, Tevatron and Pyserini use: `text`, `contents`, `body`, `passage` or `document`,
and a `title`.
"""

from __future__ import annotations

from typing import Any

from sources.manifest import License, Manifest

SHAPE = "documents"
TEXTS = ("text", "contents", "body", "passage", "document")
"""Columns that may hold the text of a document; the first that is not blank does."""
FILES = [
    f"{folder}*.{kind}" for folder in ("", "**/") for kind in ("jsonl", "jsonl.gz", "jsonl.zst", "json", "parquet")
]
SUBSET = "documents"
PRIORITY = 1000
"""Documents that a source has too are named after the source."""


def documents_manifest(
    name: str, origin: dict[str, Any], language: str, license: License, *, files: list[str] | None = None, title: bool
) -> Manifest:
    """Return the manifest of a corpus.

    Args:
        name: of the corpus.
        origin: as manifests have it.
        language: tag of all documents.
        license: of the corpus.
        files: globs over the names of its files; null: those of JSON lines and Parquet.
        title: whether the title of a document is part of its text.

    """
    fields = [*(["title"] if title else []), *TEXTS]
    return Manifest.model_validate(
        {
            "name": name,
            "title": f"Corpus {name}",
            "collection": "community",
            "task": "title-matching",
            "family": "retrieval",
            "origin": origin,
            "tables": {
                "documents": {
                    "files": files or FILES,
                    "format": SHAPE,
                    "fields": dict.fromkeys(fields, "string"),
                    "optional": fields,
                }
            },
            "shape": {"kind": SHAPE, "args": {"title": "title" if title else None, "text": list(TEXTS)}},
            "subsets": {SUBSET: {"query_lang": language}},
            "license": license.model_dump(),
            "citation": f"The corpus {name} of this build.",
            "samples": 0,
            "instruction": "A document of a corpus that negatives are mined from; it is no query.",
            "priority": PRIORITY,
        }
    )


def is_corpus(manifest: Manifest) -> bool:
    """Tell whether a source has documents only, and no samples."""
    return manifest.shape.kind == SHAPE
