"""What rows depend on in a manifest."""

from __future__ import annotations

from open_ml_embed.core.hashing import digest
from sources.formats import READERS
from sources.manifest import Manifest
from sources.shapes import SHAPES


def identity_of(manifest: Manifest) -> str:
    """Hash the parts of a manifest that affect its rows; descriptions, license and counts do not.

    If a plugin reads or shapes the records, the version of its distribution is part of the hash.
    """
    fields = {"name", "clean", "family", "tables", "where", "shape", "subsets"}
    data = manifest.model_dump(mode="json", include=fields)
    for subset in data["subsets"].values():
        del subset["samples"], subset["instruction"]
        for lang in (subset["query_lang"], subset["positive_lang"]):
            if isinstance(lang, dict):
                del lang["count"]
    distributions = {
        SHAPES.origin(manifest.shape.kind),
        *(READERS.origin(table.format) for table in manifest.tables.values()),
    }
    return digest(data | ({"others": sorted(distributions - {None}, key=str)} if distributions != {None} else {}))
