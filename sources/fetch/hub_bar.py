"""Takes the place of the bar that huggingface-hub draws for a download, and counts its bytes instead."""

from __future__ import annotations

from types import TracebackType

from sources.fetch.transfers import Counter


class HubBar:
    """What the client calls of a tqdm bar; draws nothing."""

    def __init__(self, counter: Counter, *, initial: int = 0, **_drawing: object) -> None:
        self._counter, self._at = counter, initial
        counter.reach(initial)

    def __enter__(self) -> HubBar:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def update(self, more: float | None = 1) -> None:
        """Count more bytes of the file; fewer, if the client begins again.

        Raises:
            StoppedError: the run ends early.

        """
        self._at += int(more or 0)
        self._counter.reach(self._at)

    def update_transfer(self, more: float) -> None:
        """Ignore the bytes that Xet transfers, which are not those of the file."""

    def set_postfix_str(self, text: str, *, refresh: bool = True) -> None:
        """Ignore text of the bar."""

    def set_transfer_postfix_str(self, text: str, *, refresh: bool = True) -> None:
        """Ignore text of the bar."""

    def close(self) -> None:
        """Do nothing; nothing is drawn."""
