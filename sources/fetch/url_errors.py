"""Converts exceptions of the HTTP client to this project's exceptions, with cause, transience and remedy."""

from __future__ import annotations

from open_ml_embed.core.errors import CorpusError, FetchError, TransientError


def explained(error: Exception, where: str, by_hand: str) -> CorpusError | None:
    """Convert an exception of the client; return None for one that is not about fetching (such as a full disk).

    Args:
        error: as caught.
        where: location for the message.
        by_hand: the manual alternative, for the remedy.

    """
    import httpx2

    if isinstance(error, httpx2.HTTPStatusError):
        return _by_status(error.response.status_code, where, by_hand)
    if isinstance(error, (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.TooManyRedirects)):
        return FetchError(
            f"the address leads nowhere ({type(error).__name__})",
            where=where,
            remedy=f"correct `base` or `files` in the manifest, or {by_hand}",
        )
    if isinstance(error, httpx2.RequestError):
        return TransientError(
            f"the connection failed ({type(error).__name__})", where=where, remedy=f"try again, or {by_hand}"
        )
    return None


def _by_status(status: int, where: str, by_hand: str) -> CorpusError:
    if status in (408, 425, 429) or status >= 500:
        what = "too many requests" if status == 429 else "the server failed"
        return TransientError(f"{what} (HTTP {status})", where=where, remedy=f"try again later, or {by_hand}")
    if status in (401, 403):
        return FetchError(
            f"access refused (HTTP {status})",
            where=where,
            remedy=f"see with a browser what the publisher asks for, then {by_hand}",
        )
    if status in (404, 410):
        return FetchError(
            f"no such file (HTTP {status})",
            where=where,
            remedy=f"see where the publisher has it now and correct `base` or `files` in the manifest, or {by_hand}",
        )
    return FetchError(f"refused (HTTP {status})", where=where, remedy=f"check the address, or {by_hand}")
