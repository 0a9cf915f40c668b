"""What huggingface-hub raises, as errors of ours: what went wrong, whether it may pass, and the remedy.

Its own messages are not passed on: they can hold signed addresses.
"""

from __future__ import annotations

import re

from open_ml_embed.core.errors import CorpusError, FetchError, TransientError
from sources.fetch.file_selection import CONVERTED
from sources.fetch.retry import chain


def explained(error: BaseException, where: str, repo: str, ref: str) -> CorpusError | None:
    """Translate an exception of the client, or return null for one that is not about fetching (a full disk).

    Args:
        error: as caught.
        where: what was asked for.
        repo: owner/name.
        ref: the branch, tag or commit that was asked for.

    """
    from huggingface_hub import errors as hub

    card = f"https://huggingface.co/datasets/{repo}"
    by_hand = f"or put its files into <local_root>/{repo}"
    # In this order, for the client derives some of these from others.
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
        if any(isinstance(found, kind) for found in causes):
            return FetchError(what, where=where, remedy=remedy)
    for found in causes:
        status = getattr(getattr(found, "response", None), "status_code", None)
        if status is not None:
            return _by_status(int(status), where, by_hand)
    if type(error) in (OSError, PermissionError):  # the disk's, not the client's
        return None
    if isinstance(error, OSError) or type(error).__module__.startswith("httpx"):
        return TransientError(f"the connection failed ({type(error).__name__})", where=where, remedy="try again")
    return None


def _no_revision(ref: str, card: str, folder: str) -> tuple[str, str]:
    """Say what is missing, and the remedy: branches of conversions come and go without the publisher."""
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
