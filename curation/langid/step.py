"""Step `identify`: what language each text is in, beside what its source declares."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from curation import engine
from curation.engine import Outputs, Task
from curation.langid.interface import identify
from curation.settings import LanguageSettings
from curation.steps import Build, Shard, StepResult, shards_of
from curation.store import Store

SIDES = ("query", "positive")
LANGUAGES_SCHEMA = pa.schema(
    [
        pa.field(f"{side}_{name}", kind, nullable=False)
        for side in SIDES
        for name, kind in (("code", pa.string()), ("script", pa.string()), ("confidence", pa.float32()))
    ]
)
"""Row-aligned with the rows shard; a code is ISO 639-3, a programming language's name with script `Code`, or und."""

MACRO_MEMBERS = {
    "ara": "arb", "zho": "cmn", "msa": "zsm", "nor": "nob", "fas": "pes", "est": "ekk", "lav": "lvs", "sqi": "als",
    "uzb": "uzn", "aze": "azj", "mlg": "plt", "mon": "khk", "swa": "swh", "kur": "kmr", "pus": "pbt", "ori": "ory",
    "nep": "npi", "yid": "ydd", "grn": "gug", "que": "quy", "orm": "gaz", "ful": "fuv", "kok": "gom", "srd": "sro",
}  # fmt: skip
"""Macrolanguage → the member that a source or a model means when it says only the macrolanguage's code."""


class Identify:
    """Operation: a rows shard to identified languages."""

    name: ClassVar[str] = "languages"
    version: ClassVar[int] = 1

    def __init__(self, settings: LanguageSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Identify both sides of one shard."""
        names = [name for side in SIDES for name in (side, f"{side}_lang")]
        rows = store.read_table(f"rows/{task.path}.rows.arrow", names)
        columns: list[Any] = []
        confusion: dict[str, Counter[str]] = {}
        programming: set[str] = set()
        for side in SIDES:
            table = self._side(rows[side], rows[f"{side}_lang"])
            columns += table.columns
            tags = rows[f"{side}_lang"].to_pylist()
            programming.update(tag.removesuffix("-Code") for tag in set(tags) if tag.endswith("-Code"))
            declared = [tag.rpartition("-")[0] for tag in tags]
            for was, found in zip(declared, table["code"].to_pylist(), strict=True):
                confusion.setdefault(was, Counter())[found] += 1
        table = pa.table(columns, schema=LANGUAGES_SCHEMA)
        out.table("languages", table.to_batches(), LANGUAGES_SCHEMA)
        return {
            "confusion": {was: dict(sorted(found.items())) for was, found in sorted(confusion.items())},
            "programming": sorted(programming),
        }

    def _side(self, texts: Any, declared: Any) -> pa.Table:
        text = texts.combine_chunks() if texts.num_chunks != 1 else texts.chunk(0)
        is_code = pc.ends_with(declared, "-Code")
        if self.settings.code_declared and pc.all(is_code).as_py():
            names = pc.replace_substring(declared, "-Code", "")
            n = len(names)
            return pa.table({"code": names, "script": ["Code"] * n, "confidence": pa.array([1.0] * n, pa.float32())})
        found = identify(text, self.settings)
        if not (self.settings.code_declared and pc.any(is_code).as_py()):
            return found
        names = pc.replace_substring(declared, "-Code", "")
        return pa.table(
            {
                "code": pc.if_else(is_code, names, found["code"]),
                "script": pc.if_else(is_code, "Code", found["script"]),
                "confidence": pc.if_else(is_code, pa.scalar(1.0, pa.float32()), found["confidence"]),
            }
        )


def agree(declared: str, identified: str) -> bool:
    """Tell whether two codes mean the same, a macrolanguage and its usual member counted as one.

    >>> agree("zho", "cmn"), agree("nob", "nor"), agree("deu", "nld")
    (True, True, False)
    """
    return MACRO_MEMBERS.get(declared, declared) == MACRO_MEMBERS.get(identified, identified)


def run_identify(build: Build) -> StepResult:
    """Identify every shard and sum up declared against identified codes per source."""
    rows = build.load("normalise")
    operation = Identify(build.profile.languages)
    tasks = [Task(shard.path, (shard.xxh3,), None) for shard in rows.shards]
    markers = engine.run(operation, tasks, build.store, build.workers)
    result = StepResult("identify")
    confusion: dict[str, dict[str, Counter[str]]] = {}
    programming: dict[str, set[str]] = {}
    for shard, marker in zip(rows.shards, markers, strict=True):
        (made,) = shards_of(shard.source, shard.subset, marker, operation.name, "languages")
        result.shards.append(Shard(shard.source, shard.subset, shard.path, shard.rows, made.xxh3))
        source = confusion.setdefault(shard.source, {})
        programming.setdefault(shard.source, set()).update(marker.stats["programming"])
        for was, found in marker.stats["confusion"].items():
            source.setdefault(was, Counter()).update(found)
    result.stats = {
        "sources": {
            name: {
                "confusion": {was: dict(found) for was, found in table.items()},
                "texts": sum(found.total() for found in table.values()),
                "agree": sum(n for was, found in table.items() for code, n in found.items() if agree(was, code)),
                "undetermined": sum(found["und"] for found in table.values()),
                "programming": sorted(programming[name]),
            }
            for name, table in confusion.items()
        }
    }
    build.save(result)
    return result
