"""Step `identify`: identifies each text's language, compares it with the declared one, and decides on each row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from curation.build import Build, Inputs, Shard, StepResult, shards_of
from curation.langid.identity import identity
from curation.langid.interface import identify
from curation.langid.settings import LanguageSettings, SourceTrust, TrustSettings
from curation.langid.step.verdicts import SIDES, VERDICTS, Judge, strongest
from open_ml_embed.core import engine
from open_ml_embed.core.store import Marker, Store
from open_ml_embed.core.task import Outputs, Task

LANGUAGES_SCHEMA = pa.schema(
    [
        pa.field(f"{side}_{name}", kind, nullable=False)
        for side in SIDES
        for name, kind in (
            ("code", pa.string()),
            ("script", pa.string()),
            ("confidence", pa.float32()),
            ("letters", pa.int32()),
        )
    ]
)
"""Row-aligned with the rows shard; each side has the columns of `curation.langid.interface.IDENTIFIED_SCHEMA`."""


class Identify:
    """Operation: identify the languages of a rows shard."""

    name: ClassVar[str] = "languages"
    version: ClassVar[int] = 3

    def __init__(self, settings: LanguageSettings) -> None:
        self.settings = settings.model_copy(update={"trust": TrustSettings()})

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Identify both sides of one shard."""
        names = [name for side in SIDES for name in (side, f"{side}_lang")]
        rows = store.read_table(f"rows/{task.path}.rows.arrow", names)
        columns = [column for side in SIDES for column in self._side(rows[side], rows[f"{side}_lang"]).columns]
        table = pa.table(columns, schema=LANGUAGES_SCHEMA)
        out.table("languages", table.to_batches(), LANGUAGES_SCHEMA)
        return {}

    def _side(self, texts: pa.ChunkedArray, declared: pa.ChunkedArray) -> pa.Table:
        text = texts.combine_chunks() if texts.num_chunks != 1 else texts.chunk(0)
        is_code = pc.ends_with(declared, "-Code")
        if self.settings.code_declared and pc.all(is_code).as_py():
            names = pc.replace_substring(declared, "-Code", "")
            n = len(names)
            return pa.table(
                {
                    "code": names,
                    "script": ["Code"] * n,
                    "confidence": pa.array([1.0] * n, pa.float32()),
                    "letters": pa.array([0] * n, pa.int32()),
                }
            )
        identified = identify(text, self.settings)
        if not (self.settings.code_declared and pc.any(is_code).as_py()):
            return identified
        names = pc.replace_substring(declared, "-Code", "")
        return pa.table(
            {
                "code": pc.if_else(is_code, names, identified["code"]),
                "script": pc.if_else(is_code, "Code", identified["script"]),
                "confidence": pc.if_else(is_code, pa.scalar(1.0, pa.float32()), identified["confidence"]),
                "letters": identified["letters"],
            }
        )


def run_identify(build: Build, inputs: Inputs) -> StepResult:
    """Identify the languages of every shard, judge them by the source's policy, and add up statistics by source.

    Raises:
        UnknownNameError: the settings have a policy for a source that does not exist.

    """
    settings = build.profile.languages
    for source in settings.trust.sources:
        build.manifest(source)
    rows = inputs["normalize"]
    inputs.begin()
    operation = Identify(settings)
    model = identity(settings)
    tasks = [Task(shard.path, (shard.xxh3, model), None) for shard in rows.shards]
    identified = engine.run(operation, tasks, build.store, build.workers)
    result = inputs.result()
    for shard, marker in zip(rows.shards, identified, strict=True):
        (made,) = shards_of(shard.source, shard.subset, marker, operation.name, "languages")
        result.shards.append(Shard(shard.source, shard.subset, shard.path, shard.rows, made.xxh3))
    markers = _judge(build, rows.shards, result.shards)
    of_source: dict[str, list[dict[str, Any]]] = {}
    for shard, marker in zip(rows.shards, markers, strict=True):
        of_source.setdefault(shard.source, []).append(marker.stats)
    result.stats = {
        "sources": {name: _summed(shard_stats, settings.trust.of(name)) for name, shard_stats in of_source.items()}
    }
    result.files += (output for marker in (*identified, *markers) for output in marker.outputs)
    build.save(result)
    return result


def _judge(build: Build, rows: Sequence[Shard], identified: Sequence[Shard]) -> list[Marker]:
    """Run operation `verdicts` once for each policy, and return the markers in the order of `rows`."""
    settings = build.profile.languages
    tasks: dict[SourceTrust, list[Task]] = {}
    for shard, languages in zip(rows, identified, strict=True):
        task = Task(shard.path, (shard.xxh3, languages.xxh3), None)
        tasks.setdefault(settings.trust.of(shard.source), []).append(task)
    markers: dict[str, Marker] = {}
    for trust, trust_tasks in tasks.items():
        made = engine.run(Judge(settings, trust), trust_tasks, build.store, build.workers)
        markers |= {task.path: marker for task, marker in zip(trust_tasks, made, strict=True)}
    return [markers[shard.path] for shard in rows]


def _summed(shards: list[dict[str, Any]], trust: SourceTrust) -> dict[str, Any]:
    """Add up the statistics of `Judge` over the shards of one source."""
    confusion: dict[str, Counter[str]] = {}
    for stats in shards:
        for declared, identified in stats["confusion"].items():
            confusion.setdefault(declared, Counter()).update(identified)
    verdicts = {name: sum(stats["verdicts"][name] for stats in shards) for name in VERDICTS}
    return {
        **verdicts,
        "texts": sum(verdicts.values()),
        "trust": trust.model_dump(mode="json"),
        "overruled": sum(stats["overruled"] for stats in shards),
        "dropped": dict(sum((Counter(stats["dropped"]) for stats in shards), Counter())),
        "confusion": {declared: dict(identified) for declared, identified in confusion.items()},
        "programming": sorted({name for stats in shards for name in stats["programming"]}),
        "disagreements": strongest(stats["disagreements"] for stats in shards),
    }
