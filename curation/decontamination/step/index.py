"""Operation `index`: builds the index from the texts of all evaluation sets."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from curation.decontamination.index import Index, IndexSettings, build_index, unique_texts
from curation.decontamination.step.texts import read_texts
from open_ml_embed.core.store import Store, flat
from open_ml_embed.core.task import Outputs, Task


class BuildIndex:
    """Operation, one task: build the index from the texts of all sets."""

    name: ClassVar[str] = "index"
    version: ClassVar[int] = 3

    def __init__(self, settings: IndexSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Build the index; `task.payload` is a list of (name of the set, path of its texts)."""
        sets: list[tuple[str, str]] = task.payload
        tables = [read_texts(store, path) for _, path in sets]
        texts, owners, ids = unique_texts(tables)
        index = build_index(texts["text"], owners, self.settings)
        for field in fields(index):
            array = pa.array(getattr(index, field.name))
            schema = pa.schema([pa.field("value", array.type, nullable=False)])
            out.table(field.name, [pa.record_batch([array], schema=schema)], schema, compressed=False)
        for suffix, table in (("texts", texts), ("owners", ids)):
            out.table(suffix, table.to_batches(), table.schema, compressed=False)
        short = index.text_words < 10 * self.settings.shortest
        owners_of_text = np.diff(index.owner_starts)
        by_set = {
            name: {
                "texts": int((index.owner_set == number).sum()),
                "too_short": int((index.owner_set[np.repeat(short, owners_of_text)] == number).sum()),
            }
            for number, (name, _) in enumerate(sets)
        }
        return {"texts": len(index), "ngrams": len(index.posting_starts) - 1, "sets": by_set}


def load_index(store: Store, path: str) -> Index:
    """Open an index by memory mapping, so that only the parts that look-ups touch are read."""
    return _loaded(store.root, path)


@cache
def _loaded(root: str, path: str) -> Index:
    store = Store(root)
    where = f"{BuildIndex.name}/{path}"
    return Index(**{field.name: flat(store, f"{where}.{field.name}.arrow", "value")[0] for field in fields(Index)})
