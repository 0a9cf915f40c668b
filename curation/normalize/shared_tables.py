"""Raw files that several subsets of a source read: each is parsed once and kept until the step ends.

CLIRMatrix has 138 pairs of a language with English, and each reads all English articles. Without this, they would be
decompressed and parsed 138 times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa

from curation.raw_copies import RawCopies
from open_ml_embed.core import engine
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.store import MARKER, Marker, Store
from open_ml_embed.core.task import NoSettings, Outputs, Task
from sources.manifest import Manifest, RawTable
from sources.normalize import Read, read_file
from sources.parts import Part, RawBatch, RawFile
from sources.quarantine import Quarantine
from sources.read_once import Keeper, replay

LEAST_USES = 3
"""Parts that read a file, from which on it is kept: for two, writing a copy would cost what it saves."""
BATCHES, LISTING, EVENTS = "batches", "listing", "events"


class ReadOnce:
    """Operation: parse one raw file, and keep its batches and what its reader quarantined."""

    name: ClassVar[str] = "shared-tables"
    version: ClassVar[int] = 1
    settings: ClassVar[NoSettings] = NoSettings()

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Parse a file; `task.payload` is (file, declaration of its table, copies of raw files)."""
        file, table, copies = task.payload
        with copies.here([file]) as (here,):
            keeper = Keeper(here, table)
            rows = out.table(BATCHES, keeper.batches(), keeper.schema).rows
        for name, made in ((LISTING, keeper.listing()), (EVENTS, keeper.events())):
            out.table(name, made.to_batches(), made.schema)
        return {"rows": rows}


@dataclass(frozen=True)
class SharedTables:
    """The files that were parsed before.

    Attributes:
        root: of the store that has them.
        paths: table, path of the raw file, and digest of its declaration → path of the task that parsed it.

    """

    root: str
    paths: Mapping[tuple[str, str, str], str]

    def of(self, part: Part, manifest: Manifest) -> dict[RawFile, str]:
        """Return the files of a part that were parsed before → path of the task that did."""
        keys = {file: (file.table, file.path, _declared(manifest.tables[file.table])) for file in part.files}
        return {file: self.paths[key] for file, key in keys.items() if key in self.paths}

    def reader(self, parsed: Mapping[RawFile, str]) -> Read:
        """Return what reads the files of a part: those that were parsed before are replayed."""

        def read(file: RawFile, table: RawTable, quarantine: Quarantine) -> Iterator[RawBatch]:
            path = parsed.get(file)
            return read_file(file, table, quarantine) if path is None else self._replayed(path, quarantine)

        return read

    def _replayed(self, path: str, quarantine: Quarantine) -> Iterator[RawBatch]:
        store = Store(self.root)
        stem = f"{ReadOnce.name}/{path}"
        listing, events = (store.read_table(f"{stem}.{name}.arrow") for name in (LISTING, EVENTS))
        with store.opened(f"{stem}.{BATCHES}.arrow") as source:
            reader = pa.ipc.open_file(source)
            stored = (reader.get_batch(i) for i in range(reader.num_record_batches))
            yield from replay(stored, reader.schema, listing, events, quarantine)


def parse_shared(
    parts: Sequence[tuple[Part, Manifest]], copies: RawCopies, store: Store, workers: Workers
) -> SharedTables:
    """Parse the files that at least `LEAST_USES` of the parts read.

    A file that cannot be parsed is left out: the parts that read it then say why.

    Args:
        parts: that are about to be normalized, with their bound manifests.
        copies: where raw files lie.
        store: of the build.
        workers: engine and number of workers.

    """
    uses: Counter[tuple[str, str, str]] = Counter()
    chosen: dict[tuple[str, str, str], tuple[str, RawFile, RawTable]] = {}
    for part, manifest in parts:
        for file in part.files:
            table = manifest.tables[file.table]
            key = (file.table, file.path, _declared(table))
            uses[key] += 1
            chosen.setdefault(key, (part.source, file, table))
    tasks = [
        Task(
            f"{source}/{file.table}/{digest([file.name, declared])[:16]}",
            (file.identity, declared),
            (file, table, copies),
        )
        for (_, _, declared), (source, file, table) in chosen.items()
        if uses[file.table, file.path, declared] >= LEAST_USES
    ]
    if not tasks:
        return SharedTables(store.root, {})
    outcomes = engine.run_all(ReadOnce(), tasks, store, workers)
    return SharedTables(
        store.root,
        {
            (file.table, file.path, _declared(table)): task.path
            for task, outcome in zip(tasks, outcomes, strict=True)
            for file, table, _ in (task.payload,)
            if isinstance(outcome, Marker)
        },
    )


def remove_shared(store: Store) -> None:
    """Remove what `parse_shared` kept, of this run and of those that did not end: markers first."""
    paths = sorted(store.files.paths(ReadOnce.name), key=lambda path: not path.endswith(MARKER))
    for path in paths:
        store.remove(path)


def _declared(table: RawTable) -> str:
    """Return a digest of what decides how a file is read: all but the globs that choose it."""
    return digest(table.model_dump(mode="json", exclude={"files", "repo"}))
