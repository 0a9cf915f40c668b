"""Trying again what may pass: after growing pauses, or after the one that the server asks for."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TypeVar

from open_ml_embed.core.errors import CorpusError, TransientError

LONGEST_S = 300.0
"""A server that asks for a longer pause is left for another run."""
_EPOCH = 1e9
"""Servers differ in whether a reset is seconds from now or since 1970; no pause is this long."""
_Result = TypeVar("_Result")


def tried(
    call: Callable[[], _Result],
    explain: Callable[[Exception], CorpusError | None],
    *,
    tries: int,
    pause_s: float,
    progress: Callable[[], int] | None = None,
) -> _Result:
    """Call until it succeeds, fails for good, or has failed `tries` times.

    Args:
        call: what to do.
        explain: makes our error of an exception, or null of one that is not ours to explain.
        tries: calls in a row that may fail.
        pause_s: before the second call; doubled before each further one.
        progress: how far the calls have come; one that got further than any before counts as the first again.

    Raises:
        CorpusError: as `explain` says; a transient one after the last try, or where the server asks for a long pause.

    """
    failed, reached = 0, 0
    while True:
        try:
            return call()
        except Exception as error:
            ours = error if isinstance(error, CorpusError) else explain(error)
            if ours is None:
                raise
            if progress is not None and progress() > reached:
                failed, reached = 0, progress()
            failed += 1
            if not isinstance(ours, TransientError) or failed >= tries:
                raise ours from None
            asked = max(_asked(found) for found in chain(error))
            if asked > LONGEST_S:
                raise TransientError(
                    ours.what, where=ours.where, remedy=f"the server asks to wait {asked:.0f} s: run again then"
                ) from None
            time.sleep(max(asked, pause_s * 2 ** (failed - 1)))


def chain(error: BaseException) -> list[BaseException]:
    """Return an exception and its causes: clients wrap a refusal in errors of their own."""
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        current = current.__cause__ or current.__context__
    return found


def _asked(error: BaseException) -> float:
    response = getattr(error, "response", None)
    return asked_pause(response.headers) if response is not None and response.status_code in (429, 503) else 0.0


def asked_pause(headers: Mapping[str, str]) -> float:
    """Return the seconds that a refusal asks to wait, by Retry-After or a used-up RateLimit; zero where it is silent.

    >>> asked_pause({"retry-after": "7"}), asked_pause({"ratelimit": '"api";r=0;t=55, "files";r=20;t=90'})
    (7.0, 55.0)
    >>> asked_pause({"ratelimit-remaining": "0", "ratelimit-reset": "30"}), asked_pause({})
    (30.0, 0.0)
    """
    given = {name.lower(): value.strip() for name, value in headers.items()}
    pauses = [_seconds(given.get("retry-after", ""))]
    for policy in given.get("ratelimit", "").split(","):
        said = dict(re.findall(r";\s*([rt])=(\d+)", policy))
        if said.get("r") == "0":
            pauses.append(_seconds(said.get("t", "")))
    for prefix in ("", "x-"):
        if given.get(f"{prefix}ratelimit-remaining") == "0":
            pauses.append(_seconds(given.get(f"{prefix}ratelimit-reset", "")))
    return max(pauses)


def _seconds(text: str) -> float:
    """Read seconds from now, seconds since 1970, or a date; zero for anything else and for the past."""
    try:
        moment = float(text) if text.isdigit() else parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError):
        return 0.0
    return moment if moment < _EPOCH else max(0.0, moment - time.time())
