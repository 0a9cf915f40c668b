"""A task, the operation that runs it, and the marker that says it is done."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import IO, Any, Protocol

import pyarrow as pa
from pydantic import BaseModel

from open_ml_embed.core.hashing import digest
from open_ml_embed.core.store import MARKER, WRITER, Marker, Output, Store


@dataclass(frozen=True)
class Task:
    """One unit of work.

    Attributes:
        path: where its outputs go below the operation's folder; unique within the operation.
        inputs: content hashes of everything the task reads; they are part of the marker's key.
        payload: what the operation needs to find those inputs. It must be picklable. It must not affect the result in
            a way that `inputs` does not reflect.
        memory: about how many bytes the task holds at its peak; 0 if it is no more than what every worker holds. Tasks
            run at once only as far as the memory of the machine, or of a Ray node, allows.

    """

    path: str
    inputs: tuple[str, ...]
    payload: Any
    memory: int = 0


class Outputs:
    """Writes the tables of a running task and records them for its marker."""

    def __init__(self, store: Store, operation: str, path: str) -> None:
        self._store, self._operation, self._stem = store, operation, f"{operation}/{path}"
        self.written: list[Output] = []
        self.elsewhere: list[Output] = []
        """The written tables that another task may write too (those given with `at`)."""

    def table(
        self,
        suffix: str,
        batches: Iterable[pa.RecordBatch],
        schema: pa.Schema,
        *,
        at: str | None = None,
        compressed: bool = True,
    ) -> Output:
        """Write `<operation>/<task path>.<suffix>.arrow`; `at` replaces the task's path.

        Args:
            suffix: last part of the file name.
            batches: record batches in `schema`; consumed once.
            schema: of the table.
            at: path below the operation's folder that several tasks may write, the last one wins.
            compressed: compress with lz4; see `Store.write_table`.

        """
        stem = self._stem if at is None else f"{self._operation}/{at}"
        path = f"{stem}.{suffix}.arrow"
        # If two tasks write one file, the last one counts. Remove the record of the earlier writer first, so that the
        # marker of another task no longer vouches for this file.
        self._store.remove(path + WRITER)
        if stem != self._stem:
            self._store.remove(stem + MARKER)
        output = self._store.write_table(path, batches, schema, compressed=compressed)
        self.written.append(output)
        if stem != self._stem:
            self.elsewhere.append(output)
        return output

    def file(self, suffix: str, write: Callable[[IO[bytes]], int]) -> Output:
        """Write `<operation>/<task path>.<suffix>`, a file of any format.

        Args:
            suffix: last part of the file name.
            write: writes the file and returns its number of rows.

        """
        output = self._store.write_file(f"{self._stem}.{suffix}", write)
        self.written.append(output)
        return output


class NoSettings(BaseModel):
    """The settings of an operation that its inputs alone determine."""


class Operation(Protocol):
    """The work of a step on one task: a name, a version, frozen settings, and `run`.

    Raise the version when the results change.
    """

    @property
    def name(self) -> str:
        """Folder of its outputs."""

    @property
    def version(self) -> int:
        """Part of every marker's key."""

    @property
    def settings(self) -> BaseModel:
        """Part of every marker's key."""

    def run(self, task: Task, store: Store, out: Outputs) -> dict[str, Any]:
        """Run the task, write its tables through `out`, and return its counts as JSON-serializable data."""


def key_of(operation: Operation, task: Task) -> str:
    """Return the key that makes a task's marker valid: a hash of operation, version, settings, path and inputs."""
    return digest(
        {
            "operation": operation.name,
            "version": operation.version,
            "settings": operation.settings.model_dump(mode="json"),
            "path": task.path,
            "inputs": list(task.inputs),
        }
    )


def marker_path(operation: Operation, task: Task) -> str:
    """Return the path of a task's marker below the store's root."""
    return f"{operation.name}/{task.path}{MARKER}"


def execute(operation: Operation, task: Task, key: str, root: str) -> Marker:
    """Run one task in this process, write its marker and return it."""
    store = Store(root)
    out = Outputs(store, operation.name, task.path)
    # Remove the old marker first: if this process dies after writing a table, the marker would be taken for valid.
    store.remove(marker_path(operation, task))
    stats = operation.run(task, store, out)
    for output in out.elsewhere:
        store.write_writer(output, key)
    marker = Marker(key, tuple(out.written), stats)
    store.write_marker(marker_path(operation, task), marker)
    return marker


Job = tuple[Operation, Task, str, str]
"""Arguments of `execute`: operation, task, the marker's key, the store's root."""

Outcomes = Generator[tuple[int, Marker | Exception]]
"""(index of the task, its marker or the exception that it raised), in any order."""
