"""Operation `texts`: extracts the queries and documents from the raw files of one evaluation set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc

from curation.decontamination.column_sniffing import chosen, columns_of, flattened, records
from curation.decontamination.evaluation_sets import EvaluationTask
from curation.decontamination.origins import EvaluationSet, RawSet
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.section import Section
from open_ml_embed.core.store import Store
from open_ml_embed.core.task import Outputs, Task
from open_ml_embed.core.text.blank import blank
from sources.manifest import Manifest
from sources.normalize import normalize, parts
from sources.parts import RawFile
from sources.quarantine import Quarantine
from sources.text import normalized

TEXT_SCHEMA = pa.schema(
    [
        pa.field("subset", pa.string(), nullable=False),
        pa.field("role", pa.string(), nullable=False),
        pa.field("text_id", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
    ]
)
"""`role` is `query` or `document`; `text_id` is the set's own id if it has one, or else file and record."""
_ID = ("_id", "id", "query-id", "corpus-id")
_LOOKED_UP = 65_536


class TextSettings(Section):
    """The settings that the extracted texts depend on."""

    documents: Literal["judged", "all"]


class Gather:
    """Operation: extract the texts of one evaluation set."""

    name: ClassVar[str] = "texts"
    version: ClassVar[int] = 3

    def __init__(self, settings: TextSettings) -> None:
        self.settings = settings

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Read one set and count its texts by role; `task.payload` is (`RawSet`, copies of raw files)."""
        fetched, copies = task.payload
        with copies.here(fetched.files) as files:
            return self._gather(replace(fetched, files=files), out)

    def _gather(self, raw: RawSet, out: Outputs) -> dict[str, Any]:
        quarantine = Quarantine(raw.which.name, "")
        counts: Counter[str] = Counter()
        out.table("texts", _counted(_clean(self._texts(raw, quarantine)), counts), TEXT_SCHEMA)
        return {"texts": dict(sorted(counts.items())), "quarantined": dict(sorted(quarantine.counts.items()))}

    def _texts(self, raw: RawSet, quarantine: Quarantine) -> Iterator[pa.Table]:
        if isinstance(raw.which.definition, Manifest):
            yield from _of_manifest(raw, raw.which.definition, quarantine)
            return
        groups: dict[tuple[str, str], dict[str, list[RawFile]]] = {}
        for file in raw.files:
            part, subset, split = file.table.split("/", 2)
            groups.setdefault((subset, split), {}).setdefault(part, []).append(file)
        for (subset, _), files in groups.items():
            if "rows" in files:
                for file in files["rows"]:
                    yield from _of_rows(raw, file, subset, quarantine)
            else:
                yield from _of_retrieval(files, subset, quarantine, judged=self.settings.documents == "judged")


def _of_rows(raw: RawSet, file: RawFile, subset: str, quarantine: Quarantine) -> Iterator[pa.Table]:
    """Read the text columns of a file; in data that mteb rearranges by code, they may have other names."""
    columns = columns_of(file)
    wanted = {"query": raw.form.query, "document": raw.form.document} if raw.form else {}
    if isinstance(raw.which.definition, EvaluationTask):
        wanted |= raw.which.definition.columns
    roles = chosen(columns, wanted)
    start = 0
    for batch in records(file, {name: columns[name] for name in roles}, quarantine):
        for name, role in roles.items():
            texts, rows = flattened(batch[name])
            ids = pc.binary_join_element_wise(f"{file.name}:{name}", pc.add(rows, start).cast(pa.string()), ":")
            yield _table(subset, role, ids, texts)
        start += batch.num_rows


def _of_retrieval(
    files: dict[str, list[RawFile]], subset: str, quarantine: Quarantine, *, judged: bool
) -> Iterator[pa.Table]:
    """Read the queries that have judgements, and the documents that judgements call relevant, or all documents."""
    queries, documents = _judged(files["judgements"], quarantine)
    for part, role, known in (("queries", "query", queries), ("corpus", "document", documents if judged else None)):
        for file in files[part]:
            columns = columns_of(file)
            key = next((name for name in _ID if name in columns), None)
            usual: list[str] = [name for name in ("title", "text") if name in columns]
            texts = usual or list(chosen(columns, {}))
            fields: dict[str, Any] = dict.fromkeys((*texts, *([key] if key else [])), "string")
            for batch in records(file, fields, quarantine):
                ids = batch[key] if key else pa.array([file.name] * batch.num_rows)
                joined = pc.binary_join_element_wise(
                    *(pc.fill_null(batch[name], "") for name in texts), " ", null_handling="replace"
                )
                table = _table(subset, role, ids, joined)
                yield table if known is None or key is None else table.filter(pc.is_in(table["text_id"], known))


def _judged(files: list[RawFile], quarantine: Quarantine) -> tuple[pa.Array, pa.Array]:
    """Return the ids of the queries that have a judgement, and of the documents that a judgement calls relevant."""
    queries, documents = [], []
    for file in files:
        scored = "score" in columns_of(file)
        fields: dict[str, Any] = {"query-id": "string", "corpus-id": "string"} | (
            {"score": "float64"} if scored else {}
        )
        for batch in records(file, fields, quarantine):
            queries.append(pc.unique(batch["query-id"]))
            relevant = batch.filter(pc.greater(batch["score"], 0)) if scored else batch
            documents.append(pc.unique(relevant["corpus-id"]))
    none = pa.array([], pa.string())
    return pc.unique(pa.concat_arrays([none, *queries])), pc.unique(pa.concat_arrays([none, *documents]))


def _of_manifest(raw: RawSet, manifest: Manifest, quarantine: Quarantine) -> Iterator[pa.Table]:
    """Normalize a set with a manifest into rows, like a source, and yield their queries and positives."""
    for subset in manifest.subsets:
        bound = manifest.bound(subset)
        files = [
            RawFile(table, file.name, file.path, file.size, file.identity)
            for file in raw.files
            for table, of_subset, _ in [file.table.split("/", 2)]
            if of_subset == subset
        ]
        for part in parts(bound, subset, files):
            for batch in normalize(part, bound, quarantine, Counter()):
                rows = pa.Table.from_batches([batch])
                ids = pa.array([row_id.hex() for row_id in rows["row_id"].to_pylist()], pa.string())
                for role, side in (("query", "query"), ("document", "positive")):
                    yield _table(subset, role, ids, rows[side])


def _table(subset: str, role: str, ids: pa.ChunkedArray, texts: pa.ChunkedArray) -> pa.Table:
    fixed = [pa.repeat(pa.scalar(value), len(texts)) for value in (subset, role)]
    table = pa.table([*fixed, ids, texts], names=TEXT_SCHEMA.names)
    return table.filter(pc.is_valid(table["text"])).cast(TEXT_SCHEMA)


def _clean(tables: Iterator[pa.Table]) -> Iterator[pa.RecordBatch]:
    """Normalize texts as the corpus does, and leave out blank ones."""
    for table in tables:
        for start in range(0, table.num_rows, _LOOKED_UP):
            piece = table.slice(start, _LOOKED_UP)
            texts = normalized(piece["text"].combine_chunks())
            piece = piece.set_column(3, TEXT_SCHEMA.field("text"), texts)
            yield from piece.filter(pc.invert(blank(texts))).combine_chunks().to_batches()


def _counted(batches: Iterator[pa.RecordBatch], counts: Counter[str]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for entry in batch["role"].value_counts().to_pylist():
            counts[entry["values"]] += entry["counts"]
        yield batch


def read_texts(store: Store, path: str) -> pa.Table:
    """Return the texts of one set, with `TEXT_SCHEMA`."""
    return store.read_table(f"{Gather.name}/{path}.texts.arrow")


def path_of(which: EvaluationSet) -> str:
    """Return the path of a set's texts, relative to the operation's folder."""
    safe = "".join(c if c.isalnum() or c in "-_." else "_" for c in which.name)
    suffix = (
        f"-{digest(which.definition)[:8]}" if isinstance(which.definition, tuple) else ""
    )  # two folders may have the same name
    return f"{which.kind}/{safe}{suffix}"
