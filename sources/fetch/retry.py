"""Retries after transient errors, with exponential backoff or the pause that the server requests."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TypeVar

from open_ml_embed.core.errors import CorpusError, TransientError
from sources.fetch.transfers import Pauses

LONGEST_S = 300.0
"""Longest pause in seconds; if the server requests a longer one, the call fails."""
_EPOCH = 1e9
"""Threshold between seconds from now and seconds since 1970, since servers use both for the reset time."""
_Result = TypeVar("_Result")


def tried(
    call: Callable[[], _Result],
    explain: Callable[[Exception], CorpusError | None],
    *,
    tries: int,
    pause_s: float,
    progress: Callable[[], int] | None = None,
    least: int = 1,
    pauses: Pauses | None = None,
) -> _Result:
    """Call a function until it succeeds, fails permanently, or has failed `tries` times in a row.

    Args:
        call: the function.
        explain: converts an exception to one of ours, or returns None; then the exception is raised unchanged.
        tries: number of consecutive failures that are allowed.
        pause_s: seconds before the second call; doubled before each further one.
        progress: returns how far the calls have come, in bytes; progress resets the count of failures.
        least: bytes that count as progress.
        pauses: how to wait between calls; None: sleep.

    Raises:
        CorpusError: from `explain`; a transient error only after the last attempt, or if the server requests a pause
            longer than `LONGEST_S`.

    """
    failed, reached = 0, 0
    while True:
        try:
            return call()
        except Exception as error:
            ours = error if isinstance(error, CorpusError) else explain(error)
            if ours is None:
                raise
            if progress is not None and progress() >= reached + least:
                failed, reached = 0, progress()
            failed += 1
            if not isinstance(ours, TransientError) or failed >= tries:
                raise ours from None
            pause = max(_requested(cause) for cause in chain(error))
            if pause > LONGEST_S:
                raise TransientError(
                    ours.what, where=ours.where, remedy=f"the server asks to wait {pause:.0f} s: run again then"
                ) from None
            pauses = pauses or Pauses()
            (pauses.asked if pause else pauses.backoff)(max(pause, pause_s * 2 ** (failed - 1)))


def chain(error: BaseException) -> list[BaseException]:
    """Return an exception and its causes and contexts, since clients wrap HTTP errors in other exceptions."""
    errors: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in errors:
        errors.append(current)
        current = current.__cause__ or current.__context__
    return errors


def _requested(error: BaseException) -> float:
    response = getattr(error, "response", None)
    return asked_pause(response.headers) if response is not None and response.status_code in (429, 503) else 0.0


def asked_pause(headers: Mapping[str, str]) -> float:
    """Return the pause in seconds that a response requests by Retry-After or an exhausted RateLimit, or zero.

    >>> asked_pause({"retry-after": "7"}), asked_pause({"ratelimit": '"api";r=0;t=55, "files";r=20;t=90'})
    (7.0, 55.0)
    >>> asked_pause({"ratelimit-remaining": "0", "ratelimit-reset": "30"}), asked_pause({})
    (30.0, 0.0)
    """
    given = {name.lower(): value.strip() for name, value in headers.items()}
    pauses = [_seconds(given.get("retry-after", ""))]
    for policy in given.get("ratelimit", "").split(","):
        fields = dict(re.findall(r";\s*([rt])=(\d+)", policy))
        if fields.get("r") == "0":
            pauses.append(_seconds(fields.get("t", "")))
    for prefix in ("", "x-"):
        if given.get(f"{prefix}ratelimit-remaining") == "0":
            pauses.append(_seconds(given.get(f"{prefix}ratelimit-reset", "")))
    return max(pauses)


def _seconds(text: str) -> float:
    """Parse seconds from now, seconds since 1970, or a date; return the seconds to wait, 0 if past or not parsable."""
    try:
        moment = float(text) if text.isdigit() else parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError):
        return 0.0
    return moment if moment < _EPOCH else max(0.0, moment - time.time())
