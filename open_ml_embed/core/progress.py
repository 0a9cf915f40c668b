"""Progress of long tasks: a progress bar on a terminal, JSON lines on standard error otherwise."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from rich import progress as rich_progress

from open_ml_embed.core.live import Doing, show
from open_ml_embed.core.printing import Volume, print_json, visible, volume
from open_ml_embed.core.terminal import Terminal

LINE_EVERY_SECONDS = 5.0


class Progress:
    """Counts and shows the finished tasks of one operation.

    On a terminal it shows a rich bar with the remaining time. Elsewhere it prints one JSON line at the start, at most
    one every five seconds, and one at the end:
    ``{"step": …, "done": …, "total": …, "resumed": …, "seconds": …}``.
    It shows nothing with `--quiet`, and every finished task with `--verbose`. `curate status` of another process shows
    it too (`open_ml_embed.core.live`).
    """

    def __init__(self, step: str, *, total: int, done: int = 0) -> None:
        self._step, self._total, self._done, self._resumed = step, total, done, done
        self._console = Terminal(stderr=True)
        self._bar: rich_progress.Progress | None = None
        self._start = self._last = time.monotonic()

    def __enter__(self) -> Self:
        show(self._doing(), now=True)
        if volume() is Volume.QUIET:
            return self
        if self._console.is_terminal:
            self._bar = rich_progress.Progress(*self._columns(), console=self._console)
            self._bar.start()
            self._bar.add_task(self._step, total=self._total, completed=self._done, note="")
        else:
            self._line()
        return self

    def advance(self, note: str, stats: dict[str, Any] | None = None, *, by: int = 1) -> None:
        """Count `by` more finished tasks; `note` names the last one."""
        self._done += by
        show(self._doing(note))
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done, note=visible(note))
        self._say(note)

    def _say(self, note: str) -> None:
        """Print a line where it is time for one; of every task if the program is to be verbose."""
        verbose = volume() is Volume.VERBOSE
        if self._bar is not None:
            if verbose:
                self._console.print(f"{self._step} {self._done:,} of {self._total:,}: {note}")
        elif verbose or (volume() is Volume.USUAL and time.monotonic() - self._last >= LINE_EVERY_SECONDS):
            self._line(at=note)

    def _doing(self, note: str = "") -> Doing:
        seconds = time.monotonic() - self._start
        return Doing(self._step, self._done, self._total, self._resumed, round(seconds, 1), note=note)

    def _columns(self) -> list[rich_progress.ProgressColumn]:
        return [
            rich_progress.TextColumn("{task.description}", style="bold", markup=False),
            rich_progress.BarColumn(),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TimeRemainingColumn(),
            rich_progress.TextColumn("{task.fields[note]}", markup=False),
        ]

    def _line(self, **more: object) -> None:
        self._last = time.monotonic()
        line: dict[str, object] = {
            "step": self._step,
            "done": self._done,
            "total": self._total,
            "resumed": self._resumed,
        }
        line["seconds"] = round(self._last - self._start, 1)
        print_json(line | more, indent=None, error=True)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif volume() is not Volume.QUIET and (self._done > self._resumed or kind is not None):
            self._line(**({"failed": kind.__name__} if kind else {}))


class ByteProgress(Progress):
    """Counts and shows bytes that arrive, beside finished tasks; threads may count at the same time.

    On a terminal the bar is that of the bytes. A JSON line has two keys more: ``"bytes"`` and ``"total_bytes"``. The
    total grows while the files and their sizes become known.
    """

    def __init__(self, step: str, *, total: int, done: int = 0) -> None:
        super().__init__(step, total=total, done=done)
        self._bytes = self._total_bytes = 0
        self._note = ""
        self._lock = threading.RLock()

    def advance(self, note: str, stats: dict[str, Any] | None = None, *, by: int = 1) -> None:
        """Count `by` more finished tasks; `note` names the last one."""
        with self._lock:
            self._done += by
            self._note = note
            self._show()

    def expect(self, more: int) -> None:
        """Add bytes that will come; negative if fewer will."""
        with self._lock:
            self._total_bytes += more
            self._show()

    def arrived(self, more: int) -> None:
        """Add bytes that came; negative if some of them are fetched again."""
        with self._lock:
            self._bytes += more
            self._show()

    def _show(self) -> None:
        show(self._doing(self._note))
        if self._bar is not None:
            note = visible(f"{self._done}/{self._total} {self._note}")
            self._bar.update(self._bar.task_ids[0], completed=self._bytes, total=self._total_bytes, note=note)
        elif volume() is not Volume.QUIET and time.monotonic() - self._last >= LINE_EVERY_SECONDS:
            self._line(at=self._note)

    def _doing(self, note: str = "") -> Doing:
        return replace(super()._doing(note), bytes=self._bytes, total_bytes=self._total_bytes)

    def _columns(self) -> list[rich_progress.ProgressColumn]:
        return [
            rich_progress.TextColumn("{task.description}", style="bold", markup=False),
            rich_progress.BarColumn(),
            rich_progress.DownloadColumn(),
            rich_progress.TransferSpeedColumn(),
            rich_progress.TimeRemainingColumn(),
            rich_progress.TextColumn("{task.fields[note]}", markup=False),
        ]

    def _line(self, **more: object) -> None:
        with self._lock:
            super()._line(bytes=self._bytes, total_bytes=self._total_bytes, **more)
