"""Progress of long tasks: a progress bar on a terminal, JSON lines on standard error otherwise."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

from rich import progress as rich_progress

from open_ml_embed.core.printing import print_json, visible
from open_ml_embed.core.terminal import Terminal

LINE_EVERY_SECONDS = 5.0


class Progress:
    """Counts and shows the finished tasks of one operation.

    On a terminal it shows a rich bar with the remaining time. Elsewhere it prints one JSON line at the start, at most
    one every five seconds, and one at the end:
    ``{"step": …, "done": …, "total": …, "resumed": …, "seconds": …}``.
    """

    def __init__(self, step: str, *, total: int, done: int = 0) -> None:
        self._step, self._total, self._done, self._resumed = step, total, done, done
        self._console = Terminal(stderr=True)
        self._bar: rich_progress.Progress | None = None
        self._start = self._last = time.monotonic()

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._bar = rich_progress.Progress(
                rich_progress.TextColumn("{task.description}", style="bold", markup=False),
                rich_progress.BarColumn(),
                rich_progress.MofNCompleteColumn(),
                rich_progress.TimeRemainingColumn(),
                rich_progress.TextColumn("{task.fields[note]}", markup=False),
                console=self._console,
            )
            self._bar.start()
            self._bar.add_task(self._step, total=self._total, completed=self._done, note="")
        else:
            self._line()
        return self

    def advance(self, note: str, stats: dict[str, Any] | None = None, *, by: int = 1) -> None:
        """Count `by` more finished tasks; `note` names the last one."""
        self._done += by
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done, note=visible(note))
        elif time.monotonic() - self._last >= LINE_EVERY_SECONDS:
            self._line(at=note)

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
        elif self._done > self._resumed or kind is not None:
            self._line(**({"failed": kind.__name__} if kind else {}))
