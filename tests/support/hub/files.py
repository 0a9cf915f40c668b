"""A plain file server on this machine, as well or as badly behaved as publishers' servers are."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from tests.support.hub.server import Hub, HubHandler, running


@dataclass
class Files(Hub):
    """A running server, its files, and what it knows of HTTP."""

    root: Path = Path()
    files: dict[str, bytes] = field(default_factory=dict)
    tags: bool = True
    dates: bool = False
    ranges: bool = True
    heeds_if_range: bool = True
    heeds_conditions: bool = True

    def headers(self, data: bytes) -> dict[str, str]:
        digest = hashlib.sha256(data).hexdigest()
        said = {"ETag": f'"{digest[:12]}"'} if self.tags else {}
        if self.dates:
            said["Last-Modified"] = f"Mon, 01 Jan 2024 00:00:{int(digest[:4], 16) % 60:02d} GMT"
        return said


@contextmanager
def serving_files(**switches):
    """Serve `files` on a free local port."""
    with running(Files(**switches), _FilesHandler) as server:
        yield server


class _FilesHandler(HubHandler):
    def routed(self, url):
        server = self.hub
        data = server.files.get(unquote(url.path.removeprefix("/")))
        if data is None:
            return self._send(404, b"<h1>Not here</h1>", {})
        said = server.headers(data)
        asked = [self.headers.get(name) for name in ("If-None-Match", "If-Modified-Since")]
        if server.heeds_conditions and any(asked) and set(filter(None, asked)) <= set(said.values()):
            return self._send(304, b"", said)
        changed = server.heeds_if_range and self.headers.get("If-Range") not in (None, *said.values())
        if not server.ranges or changed:
            return self._send(200, data, said)
        return self._send_range(data, said)
