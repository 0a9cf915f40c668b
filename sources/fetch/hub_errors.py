"""Converts exceptions of huggingface-hub to this project's exceptions, with cause, transience and remedy.

The messages of the client are not passed on, since they can contain signed URLs.
"""

from __future__ import annotations

import re

from open_ml_embed.core.errors import CorpusError, FetchError, TransientError
from sources.fetch.file_selection import CONVERTED
from sources.fetch.retry import chain


def explained(error: BaseException, where: str, repo: str, ref: str) -> CorpusError | None:
    """Convert an exception of the client; return None for one that is not about fetching (such as a full disk).

    Args:
        error: as caught.
        where: location for the message.
        repo: owner/name.
        ref: the requested branch, tag or commit.

    """
    from huggingface_hub import errors as hub

    card = f"https://huggingface.co/datasets/{repo}"
    by_hand = f"or put its files into <local_root>/{repo}"
    # The order matters, since some of these classes are subclasses of others.
    terminal: list[tuple[type[BaseException], str, str]] = [
        (
            hub.GatedRepoError,
            "the repository is gated, and this account has no access",
            f"accept its terms at {card} and set HF_TOKEN, {by_hand}",
        ),
        (hub.DisabledRepoError, "access to the repository is disabled", f"name a mirror in the manifest, {by_hand}"),
        (hub.RevisionNotFoundError, *_no_revision(ref, card, f"<local_root>/{repo}")),
        (
            hub.RepositoryNotFoundError,
            "no such repository, or a private one",
            f"check {card}; set HF_TOKEN if it is private, name a mirror in the manifest, {by_hand}",
        ),
        (hub.OfflineModeIsEnabled, "HF_HUB_OFFLINE is set", f"unset it, {by_hand}"),
    ]
    causes = chain(error)
    for kind, what, remedy in terminal:
        if any(isinstance(cause, kind) for cause in causes):
            return FetchError(what, where=where, remedy=remedy)
    for cause in causes:
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if status is not None:
            return _by_status(int(status), where, by_hand)
    if type(error) in (OSError, PermissionError):  # an error of the disk, not of the client
        return None
    # the client closes the session of all threads when the connection of one fails
    closed = isinstance(error, RuntimeError) and "client has been closed" in str(error)
    if closed or isinstance(error, OSError) or type(error).__module__.startswith("httpx"):
        return TransientError(f"the connection failed ({type(error).__name__})", where=where, remedy="try again")
    return None


def _no_revision(ref: str, card: str, folder: str) -> tuple[str, str]:
    """Return (what, remedy) for a missing revision; the Hub may delete conversion branches at any time."""
    if ref == CONVERTED:
        return (
            f"the Hub has no Parquet conversion of it (no branch {CONVERTED})",
            f"where {card}/tree/main has data files, name those in the manifest without `ref`; or name a mirror that "
            f"is converted; or convert it yourself, as its loading script does, put the files into {folder}, "
            "and set `sources.local_root`",
        )
    if re.fullmatch("[0-9a-f]{40}", ref):
        return (
            "the repository has this commit no more",
            "run `curate lock` to lock what is there now; where the manifest pins the commit, correct its `ref`",
        )
    return "the repository has no such revision", f"see {card}/tree/main for its branches, and correct `ref`"


def _by_status(status: int, where: str, by_hand: str) -> CorpusError:
    if status == 429:
        return TransientError(
            "too many requests (HTTP 429)",
            where=where,
            remedy="wait five minutes; a token in HF_TOKEN raises the limit",
        )
    if status == 408 or status >= 500:
        return TransientError(f"the server failed (HTTP {status})", where=where, remedy="try again later")
    if status == 401:
        return FetchError(
            "the token in HF_TOKEN is not accepted (HTTP 401)",
            where=where,
            remedy="renew it, or unset it: open datasets need none",
        )
    if status == 403:
        return FetchError(f"access refused (HTTP {status})", where=where, remedy=f"set a valid HF_TOKEN, {by_hand}")
    return FetchError(f"refused (HTTP {status})", where=where, remedy=f"check repository and `ref`, {by_hand}")
