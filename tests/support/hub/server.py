"""A Hub on this machine: serves folders as dataset repositories, in the protocol that huggingface-hub speaks.

Layout: `<root>/<owner>/<name>/<branch>/<files>`; a branch name may be quoted (`refs%2Fconvert%2Fparquet`). A branch's
commit is a hash of its content, so changing a file makes a new commit. Files of `lfs_from` bytes and more are listed
with a sha256 and served through a redirect, as Git LFS does it.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

_PIECE = 1 << 16
Fault = Callable[["Request"], bool]


@dataclass(frozen=True)
class Request:
    """What a fault gets to see. `count`: how often this method and path were asked for, this time included."""

    method: str
    path: str
    headers: dict[str, str]
    count: int


@dataclass
class Failure:
    """Answer `times` matching requests with `status` (or cut the body after `cut_after` bytes), then behave."""

    path: str
    status: int = 200
    times: int = 1
    cut_after: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    method: str | None = None

    def meets(self, request: Request) -> bool:
        wanted = self.method in (None, request.method)
        if self.times > 0 and wanted and re.search(self.path, request.path):
            self.times -= 1
            return True
        return False


@dataclass
class Hub:
    """A running server and its switches."""

    root: Path
    lfs_from: int = 4096
    page: int = 7
    gated: set[str] = field(default_factory=set)
    expired: set[str] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    seen: list[Request] = field(default_factory=list)
    endpoint: str = ""
    aliases: dict[str, str] = field(default_factory=dict)
    """Old commit → branch: a Hub still has what was there before."""
    sent: int = 0
    """Bytes of content that went out, those that nobody took from the connection included."""
    delay_s: float = 0.0
    """Seconds before each answer, so that requests overlap if a client makes several at once."""
    hold: Callable[[int], None] = lambda _sent: None
    """Called with `sent` before each piece of content; may wait."""
    busy: int = 0
    most_busy: int = 0
    """Most requests that were answered at once."""
    times: list[tuple[float, str, str]] = field(default_factory=list)
    """When each request began, its method and its path."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, repo: str, name: str, data: bytes, ref: str = "main") -> Path:
        """Put a file into a repository."""
        path = self.root / repo / quote(ref, safe="") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def files(self, repo: str, ref: str) -> dict[str, Path]:
        folder = self.root / repo / quote(ref, safe="")
        return {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}

    def branches(self, repo: str) -> list[str]:
        folder = self.root / repo
        return sorted(unquote(p.name) for p in folder.iterdir()) if folder.is_dir() else []

    def commit(self, repo: str, ref: str) -> str:
        digest = hashlib.sha1(repo.encode())
        for name, path in self.files(repo, ref).items():
            digest.update(f"{name}:{path.stat().st_size}:{git_oid(path.read_bytes())}\n".encode())
        return digest.hexdigest()

    def branch(self, repo: str, revision: str) -> str | None:
        """Return the branch of a revision: its own name, or a commit's."""
        revision = self.aliases.get(revision, revision)
        for ref in self.branches(repo):
            if revision in (ref, self.commit(repo, ref)):
                return ref
        return None

    def requests(self, pattern: str, method: str | None = None) -> int:
        """Count the requests whose path matches."""
        return sum(n for (verb, path), n in self.asked.items() if re.search(pattern, path) and method in (None, verb))


def git_oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@contextmanager
def serving(root: Path, **switches):
    """Run a Hub over `root` on a free local port."""
    with running(Hub(root, **switches), HubHandler) as hub:
        yield hub


@contextmanager
def running(hub, handler):
    """Run a server with this state and handler on a free local port."""

    class Handler(handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


_API = re.compile(r"^/api/datasets/(?P<repo>[^/]+/[^/]+)(?:/(?P<what>revision|tree)/(?P<rest>.*))?$")
_RESOLVE = re.compile(r"^/(?P<kind>datasets|lfs)/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)$")


class HubHandler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every answer waits 40 ms for the client to confirm its head

    def log_message(self, *_args):
        pass

    def handle(self):
        with suppress(ConnectionError):  # a client may leave before the content
            super().handle()

    def do_HEAD(self):
        self._answer()

    def do_GET(self):
        self._answer()

    def _answer(self):
        with self.hub.lock:
            self.hub.busy += 1
            self.hub.most_busy = max(self.hub.most_busy, self.hub.busy)
            self.hub.times.append((time.monotonic(), self.command, self.path))
        try:
            if self.hub.delay_s:
                time.sleep(self.hub.delay_s)
            return self._answered()
        finally:
            with self.hub.lock:
                self.hub.busy -= 1

    def _answered(self):
        url = urlsplit(self.path)
        with self.hub.lock:
            self.hub.asked[self.command, url.path] += 1
            request = Request(self.command, url.path, dict(self.headers), self.hub.asked[self.command, url.path])
            self.hub.seen.append(request)
            failure = next((f for f in self.hub.failures if f.meets(request)), None)
        self.cut_after = failure.cut_after if failure else None
        if failure and failure.status != 200:
            return self._send(failure.status, b"{}", failure.headers)
        if self.headers.get("Authorization", "").removeprefix("Bearer ") in self.hub.expired:
            return self._send(401, b"{}", {"X-Error-Message": "Invalid credentials in Authorization header"})
        return self.routed(url)

    def routed(self, url):
        if match := _API.match(url.path):
            return self._api(match, parse_qs(url.query))
        if match := _RESOLVE.match(url.path):
            return self._resolve(match)
        return self._error(404, "EntryNotFound", "no such page")

    def _error(self, status, code, message):
        self._send(status, json.dumps({"error": message}).encode(), {"X-Error-Code": code, "X-Error-Message": message})

    def _ref(self, repo, revision):
        """Return the branch meant, or answer with the Hub's error and return null."""
        if not self.hub.branches(repo):
            # The Hub does not tell a missing repository from a private one.
            self._error(401, "RepoNotFound", "Repository not found")
            return None
        ref = self.hub.branch(repo, unquote(revision))
        if ref is None:
            self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return ref

    def _api(self, match, query):
        repo, rest = match["repo"], match["rest"] or "main"
        revision, _, folder = rest.partition("/")
        ref = self._ref(repo, revision)
        if ref is None:
            return
        if match["what"] != "tree":
            sha = revision if revision in self.hub.aliases else self.hub.commit(repo, ref)
            info = {"_id": "0", "id": repo, "sha": sha, "siblings": [], "tags": [],
                    "private": False, "gated": "auto" if repo in self.hub.gated else False, "disabled": False,
                    "downloads": 0, "likes": 0}  # fmt: skip
            self._send(200, json.dumps(info).encode(), {"Content-Type": "application/json"})
            return
        entries = self._entries(repo, ref, folder)
        start = int(query.get("cursor", ["0"])[0])
        headers = {"Content-Type": "application/json"}
        if start + self.hub.page < len(entries):
            following = f"{self.hub.endpoint}{urlsplit(self.path).path}?recursive=true&cursor={start + self.hub.page}"
            headers["Link"] = f'<{following}>; rel="next"'
        self._send(200, json.dumps(entries[start : start + self.hub.page]).encode(), headers)

    def _entries(self, repo, ref, folder):
        found = []
        folders = set()
        for name, path in self.hub.files(repo, ref).items():
            if folder and not name.startswith(f"{folder}/"):
                continue
            for depth in range(1, name.count("/") + 1):
                folders.add("/".join(name.split("/")[:depth]))
            data = path.read_bytes()
            entry = {"type": "file", "path": name, "size": len(data), "oid": git_oid(data)}
            if len(data) >= self.hub.lfs_from:
                entry["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
            found.append(entry)
        found += [{"type": "directory", "path": name, "size": 0, "oid": "0" * 40} for name in sorted(folders)]
        return sorted(found, key=lambda e: e["path"])

    def _resolve(self, match):
        repo, name = match["repo"], unquote(match["name"])
        ref = self._ref(repo, match["revision"])
        if ref is None:
            return
        if repo in self.hub.gated and "authorization" not in {k.lower() for k in self.headers}:
            self._error(401, "GatedRepo", f"Access to dataset {repo} is restricted")
            return
        path = self.hub.files(repo, ref).get(name)
        if path is None:
            self._error(404, "EntryNotFound", "Entry not found")
            return
        data = path.read_bytes()
        large = len(data) >= self.hub.lfs_from
        headers = {"X-Repo-Commit": self.hub.commit(repo, ref), "Accept-Ranges": "bytes"}
        if large and match["kind"] == "datasets":
            headers |= {"X-Linked-Size": str(len(data)), "X-Linked-ETag": f'"{hashlib.sha256(data).hexdigest()}"'}
            headers["Location"] = f"{self.hub.endpoint}/lfs{urlsplit(self.path).path.removeprefix('/datasets')}"
            self._send(302, b"", headers)
            return
        headers["ETag"] = f'"{hashlib.sha256(data).hexdigest() if large else git_oid(data)}"'
        self._send_range(data, headers)

    def _send_range(self, data, headers):
        wanted = re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range", ""))
        if not wanted:
            self._send(200, data, headers)
            return
        first, last = int(wanted[1]), int(wanted[2] or len(data) - 1)
        if first >= len(data):
            self._send(416, b"", headers | {"Content-Range": f"bytes */{len(data)}"})
            return
        headers["Content-Range"] = f"bytes {first}-{min(last, len(data) - 1)}/{len(data)}"
        self._send(206, data[first : last + 1], headers)

    def _send(self, status, body, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.cut_after is not None and len(body) > self.cut_after:
            self._write(body[: self.cut_after])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        for start in range(0, len(body), _PIECE):
            self._write(body[start : start + _PIECE])

    def _write(self, piece):
        self.hub.hold(self.hub.sent)
        self.wfile.write(piece)
        with self.hub.lock:
            self.hub.sent += len(piece)
