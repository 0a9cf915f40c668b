"""Three files on a server on this machine, the manifest that names them, and what was asked and placed."""

import hashlib
import os
from contextlib import contextmanager
from pathlib import Path

from sources.fetch import FetchOptions, fetch, url
from tests.support.hub.files import serving_files
from tests.support.hub_set import manifest as hub_manifest

LARGE = os.urandom(1 << 20)
PLAIN = b'{"a": "x"}\n'


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def serving_set(monkeypatch):
    """A file server on this machine with three files, which nobody has asked yet."""
    monkeypatch.setattr(url, "PAUSE_S", 0.001)
    monkeypatch.setattr(url, "_fresh", {})
    with serving_files() as running:
        running.files |= {"v1/data/large.bin": LARGE, "v1/a.jsonl": PLAIN, "v1/b c.jsonl": PLAIN * 2}
        yield running


def getting(server, tmp_path):
    """Return a fetch as a process of its own does it, that has asked nobody before."""

    def fetched(*files, sums=None, **options):
        url._fresh.clear()
        options = {"raw_root": str(tmp_path / "raw")} | options
        return fetch(manifest(server, files, sums), "en", FetchOptions(**options))

    return fetched


def manifest(server, files, sums=None):
    data = hub_manifest(files).model_dump()
    data["origin"] = {"kind": "url", "base": f"{server.endpoint}/v1", "sha256": sums or {}}
    return type(hub_manifest()).model_validate(data)


def content(files):
    return [Path(file.path).read_bytes() for file in files]


def ranges(server):
    """The ranges asked for, one entry a download."""
    return [r.headers.get("Range") or r.headers.get("range") for r in server.seen if r.method == "GET"]


def placed(tmp_path):
    root = tmp_path / "raw/url/example"
    return sorted(p.name for p in root.rglob("*") if p.is_file() and p.relative_to(root).parts[0][0] != ".")
