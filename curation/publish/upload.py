"""Uploads files to a repository of the Hub: first the contents, one by one, then one commit that names them all.

The repository therefore never shows a part of what is published. Contents that the Hub has, from a run that was stopped
or from an earlier commit, are not sent again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from open_ml_embed.core.errors import CorpusError, PublishError, TransientError
from open_ml_embed.core.progress import Progress
from sources.fetch.hub import settle_client
from sources.fetch.retry import chain, tried

if TYPE_CHECKING:
    from huggingface_hub import HfApi

TRIES = 5
"""Attempts for a request, or for the content of a file."""
PAUSE_S = 2.0
"""Seconds before the second attempt; doubled before each further one."""
CARD = "README.md"
Kind = Literal["dataset", "model"]
File = Path | bytes
"""A file on this machine, or the content of a small one."""
_Result = TypeVar("_Result")
_MAY_WRITE = "give HF_TOKEN a token that may write to it, or log in with `hf auth login`"


@dataclass(frozen=True)
class Repository:
    """Where to publish.

    Attributes:
        name: owner/name.
        kind: dataset or model.
        public: whether everybody may read it.
        branch: to commit to.
        endpoint: URL of another Hub endpoint; null: the default of huggingface-hub.

    """

    name: str
    kind: Kind
    public: bool = False
    branch: str = "main"
    endpoint: str | None = None

    @property
    def where(self) -> str:
        """Return its name for messages."""
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Published:
    """What a publication did, or would do.

    Attributes:
        repository: owner/name.
        files: path → bytes, everything that the repository has of it.
        removed: paths of an earlier publication that are no longer there.
        commit: of the repository; null where nothing was uploaded.
        url: of the commit; null where nothing was uploaded.

    """

    repository: str
    files: dict[str, int]
    removed: list[str] = field(default_factory=list)
    commit: str | None = None
    url: str | None = None


def publish(to: Repository, files: Mapping[str, File], *, message: str, folders: tuple[str, ...]) -> Published:
    """Upload files, and commit them together.

    Args:
        to: the repository; it is made if it is not there.
        files: path in the repository → the file. The Hub checks the card, `README.md`, first.
        message: of the commit.
        folders: folders of the repository whose other files are removed, since an earlier publication left them.

    Raises:
        PublishError: the Hub refuses, or the repository is open to everybody and `to.public` is not set.
        TransientError: the Hub may answer later; the same command goes on where this one stopped.

    """
    settle_client()
    from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi

    # Required, not implicit: `HF_HUB_DISABLE_IMPLICIT_TOKEN` is about reading.
    api = HfApi(endpoint=to.endpoint, token=True)
    _check_card(content_of(files[CARD]), to)
    _patiently(lambda: api.create_repo(to.name, repo_type=to.kind, private=not to.public, exist_ok=True), to, "")
    _check_privacy(api, to)
    if to.branch != "main":
        _patiently(lambda: api.create_branch(to.name, branch=to.branch, repo_type=to.kind, exist_ok=True), to, "")
    listed = _patiently(lambda: api.list_repo_files(to.name, repo_type=to.kind, revision=to.branch), to, "")
    sizes = sizes_of(files)
    additions = [CommitOperationAdd(name, path) for name, path in sorted(files.items())]
    with Progress("publish", total=len(additions)) as progress:
        for addition in additions:
            name = addition.path_in_repo
            _patiently(lambda one=addition: _send(api, to, one), to, name)  # type: ignore[misc]
            progress.advance(name, {"bytes": sizes[name]})
    removed = stale(listed, files, folders)
    operations: list[CommitOperationAdd | CommitOperationCopy | CommitOperationDelete] = [
        *additions,
        *(CommitOperationDelete(name) for name in removed),
    ]
    done = _patiently(
        lambda: api.create_commit(
            to.name, operations, commit_message=message, repo_type=to.kind, revision=to.branch, num_threads=1
        ),
        to,
        "the commit",
    )
    return Published(to.name, sizes, removed, done.oid, done.commit_url)


def sizes_of(files: Mapping[str, File]) -> dict[str, int]:
    """Return path → bytes."""
    return {name: path.stat().st_size if isinstance(path, Path) else len(path) for name, path in sorted(files.items())}


def content_of(file: File) -> str:
    """Return the text of a file."""
    return (file if isinstance(file, bytes) else file.read_bytes()).decode()


def stale(listed: list[str], files: Mapping[str, File], folders: tuple[str, ...]) -> list[str]:
    """Return the files of a repository, in some of its folders, that are no longer published."""
    return sorted(name for name in listed if name not in files and name.startswith(folders))


def _send(api: HfApi, to: Repository, addition: Any) -> None:
    api.preupload_lfs_files(
        to.name, [addition], repo_type=to.kind, revision=to.branch, num_threads=1, free_memory=False
    )


def _check_card(card: str, to: Repository) -> None:
    """Let the Hub check the card; it refuses the commit of one that it does not accept.

    Raises:
        PublishError: it does not; the message is the Hub's.

    """
    from huggingface_hub.utils._http import get_session, hf_raise_for_status

    endpoint = to.endpoint or _endpoint()

    def check() -> Any:
        answer = get_session().post(f"{endpoint}/api/validate-yaml", json={"repoType": to.kind, "content": card})
        if answer.status_code == 400:
            what = "; ".join(str(error.get("message")) for error in answer.json().get("errors", []))
            raise PublishError(
                f"the Hub does not accept the card: {what}",
                where=f"{to.where}: {CARD}",
                remedy="please report it with this line: the card is written by this program",
            )
        return hf_raise_for_status(answer)

    _patiently(check, to, CARD)


def _endpoint() -> str:
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def _check_privacy(api: HfApi, to: Repository) -> None:
    info = _patiently(lambda: api.repo_info(to.name, repo_type=to.kind), to, "")
    if not info.private and not to.public:
        raise PublishError(
            "everybody can read this repository",
            where=to.where,
            remedy="add --public if that is meant, or make it private in its settings",
        )


def _patiently(call: Callable[[], _Result], to: Repository, part: str) -> _Result:
    where = f"{to.where}: {part}" if part else to.where
    return tried(call, lambda error: explained(error, where), tries=TRIES, pause_s=PAUSE_S)


def explained(error: BaseException, where: str) -> CorpusError | None:
    """Convert an exception of the client; return null for one that is not about the Hub.

    The messages of the client are not passed on, since they can contain signed URLs.
    """
    causes = chain(error)
    for cause in causes:
        status = getattr(getattr(cause, "response", None), "status_code", None)
        if isinstance(cause, CorpusError):
            return cause
        if status is not None:
            return _by_status(int(status), where)
    return next((ours for cause in causes if (ours := _by_kind(cause, where)) is not None), None)


def _by_kind(cause: BaseException, where: str) -> CorpusError | None:
    from huggingface_hub import errors as hub

    if isinstance(cause, hub.LocalTokenNotFoundError):
        return PublishError("there is no token", where=where, remedy=_MAY_WRITE)
    if isinstance(cause, hub.HFValidationError):
        remedy = "name it owner/name: letters, digits, - _ ."
        return PublishError("this is no name of a repository", where=where, remedy=remedy)
    if isinstance(cause, json.JSONDecodeError):
        remedy = "see whether a proxy or a portal answers"
        return TransientError("the answer is not the Hub's: no JSON", where=where, remedy=remedy)
    if isinstance(cause, ConnectionError | TimeoutError) or type(cause).__module__.startswith("httpx"):
        what = f"the connection failed ({type(cause).__name__})"
        return TransientError(what, where=where, remedy="run the same command again")
    return None


def _by_status(status: int, where: str) -> CorpusError:
    again = "run the same command again: what the Hub has is not sent again"
    if status in (408, 409, 412, 429) or status >= 500:
        return TransientError(f"the Hub did not take it (HTTP {status})", where=where, remedy=again)
    if status in (401, 403):
        return PublishError(f"the Hub does not allow it (HTTP {status})", where=where, remedy=_MAY_WRITE)
    if status == 404:
        return PublishError("there is no such repository or branch (HTTP 404)", where=where, remedy=_MAY_WRITE)
    return PublishError(f"the Hub refuses (HTTP {status})", where=where, remedy="see its status page, and the name")
