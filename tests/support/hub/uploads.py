"""The part of a Hub that takes uploads: repositories, LFS contents in one piece, commits, and the check of cards."""

import base64
import hashlib
import json
import re
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import yaml

from tests.support.hub.server import Hub, HubHandler, running

KNOWN = ("pretty_name", "license", "license_name", "license_link", "language", "multilinguality", "size_categories",
         "task_categories", "tags", "configs", "base_model", "datasets", "library_name", "pipeline_tag",
         "model-index", "metrics")  # fmt: skip


@dataclass
class WritableHub(Hub):
    """A Hub with repositories that can be made and written to.

    Attributes:
        private: repository → whether it is.
        kinds: repository → dataset or model.
        contents: sha256 → content of large files.
        commits: repository → the commits, as the client sent them.
        received: every body that came in, in order.
        puts: sha256 → how often the content came in.

    """

    private: dict[str, bool] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    commits: dict[str, list[list[dict]]] = field(default_factory=dict)
    received: list[bytes] = field(default_factory=list)
    puts: dict[str, int] = field(default_factory=dict)
    token: str = "hf_local_writer"


@contextmanager
def writable(root, **switches):
    """Run a Hub that takes uploads over `root` on a free local port."""
    with running(WritableHub(root, **switches), UploadHandler) as hub:
        yield hub


@contextmanager
def publishing(root, monkeypatch, **switches):
    """Run such a Hub, and let this process publish on it: with its token, by LFS, and without long pauses."""
    with writable(root, **switches) as hub:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr("curation.publish.upload.PAUSE_S", 0.01)
        monkeypatch.setenv("HF_TOKEN", hub.token)
        yield hub


_REPO = r"(?P<repo>[^/]+/[^/]+)"
_API = r"/api/(?P<kind>datasets|models)/" + _REPO


def faults_of(card):
    """Return what is wrong with a card's YAML, as far as the Hub's rules are public."""
    parts = card.split("---\n", 2)
    if not card.startswith("---\n") or len(parts) < 3:
        return "no YAML"
    try:
        front = yaml.safe_load(parts[1])
    except yaml.YAMLError as error:
        return str(error)
    if unknown := sorted(set(front) - set(KNOWN)):
        return f"unknown: {unknown}"
    if front.get("license") == "other" and not {"license_name", "license_link"} <= set(front):
        return "license other needs license_name and license_link"
    if not re.fullmatch(r"[a-z0-9-.]+", front.get("license_name", "x")):
        return "license_name must be lower case, with - and ."
    for language in front.get("language", []):
        if not isinstance(language, str) or not re.fullmatch("[a-z]{2,3}|code|multilingual", language):
            return f"no language: {language}"
    if not isinstance(front.get("model-index", []), list):
        return "model-index is a list"
    return ""


class UploadHandler(HubHandler):
    hub: WritableHub

    def do_POST(self):
        self._answer()

    def do_PUT(self):
        self._answer()

    def _answered(self):
        self.body = b""
        if self.command in ("POST", "PUT"):
            self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.hub.received.append(self.body)
        super()._answered()

    def routed(self, url):
        is_open = self.command == "GET" or url.path.startswith(("/content/", "/api/validate-yaml", "/reset"))
        if not is_open and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return self._error(401, "", "no token that may write")
        routes = {
            ("POST", "/reset"): self._reset,
            ("POST", "/api/validate-yaml"): self._validate,
            ("POST", "/api/repos/create"): self._create,
            ("POST", rf"{_API}/branch/(?P<branch>[^/]+)"): self._branch,
            ("POST", rf"{_API}/preupload/(?P<revision>[^/]+)"): self._preupload,
            ("POST", r"/(?P<kind>datasets/|)" + _REPO + r"\.git/info/lfs/objects/batch"): self._batch,
            ("PUT", r"/content/(?P<oid>[0-9a-f]{64})"): self._put,
            ("POST", rf"{_API}/commit/(?P<revision>[^/]+)"): self._commit,
            ("GET", rf"{_API}"): self._info,
        }
        for (method, pattern), route in routes.items():
            match = re.fullmatch(pattern, url.path)
            if match and method == self.command:
                return route(**match.groupdict())
        # What is read is read as on a Hub of data sets.
        self.path = self.path.replace("/api/models/", "/api/datasets/", 1)
        if re.match(rf"/(?!datasets/|lfs/){_REPO}/resolve/", self.path):
            self.path = f"/datasets{self.path}"
        return super().routed(urlsplit(self.path))

    def _json(self, data):
        self._send(200, json.dumps(data).encode(), {"Content-Type": "application/json"})

    def _validate(self):
        asked = json.loads(self.body)
        fault = faults_of(asked["content"])
        said = {"errors": [{"message": fault}] if fault else [], "warnings": []}
        self._send(400 if fault else 200, json.dumps(said).encode(), {"Content-Type": "application/json"})

    def _reset(self):
        """Forget everything, also what is on the disk."""
        for kept in (self.hub.private, self.hub.kinds, self.hub.contents, self.hub.commits, self.hub.puts):
            kept.clear()
        self.hub.received.clear()
        shutil.rmtree(self.hub.root, ignore_errors=True)
        self._json({})

    def _create(self):
        asked = json.loads(self.body)
        repo = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else f"me/{asked['name']}"
        if repo in self.hub.private:
            return self._send(409, json.dumps({"url": f"{self.hub.endpoint}/{repo}", "error": "there"}).encode(), {})
        visibility = asked.get("visibility", "private" if asked.get("private") else "public")
        self.hub.private[repo] = visibility == "private"
        self.hub.kinds[repo] = asked.get("type", "model")
        (self.hub.root / repo / "main").mkdir(parents=True, exist_ok=True)
        return self._json({"url": f"{self.hub.endpoint}/{'datasets/' if asked.get('type') == 'dataset' else ''}{repo}"})

    def _branch(self, kind, repo, branch):
        folder = self.hub.root / repo / quote(unquote(branch), safe="")
        if folder.is_dir():
            return self._send(409, b'{"error": "there"}', {})
        shutil.copytree(self.hub.root / repo / "main", folder)
        return self._json({})

    def _info(self, kind, repo):
        if repo not in self.hub.private:
            return self._error(401, "RepoNotFound", "Repository not found")
        return self._json({"_id": "0", "id": repo, "sha": self.hub.commit(repo, "main"), "siblings": [], "tags": [],
                    "private": self.hub.private[repo], "disabled": False, "downloads": 0, "likes": 0})  # fmt: skip

    def _preupload(self, kind, repo, revision):
        if self.hub.branch(repo, unquote(revision)) is None:
            return self._error(404, "RevisionNotFound", "no such branch")
        files = json.loads(self.body)["files"]
        return self._json(
            {
                "files": [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs" if file["size"] >= self.hub.lfs_from else "regular",
                        "shouldIgnore": False,
                        "oid": None,
                    }
                    for file in files
                ]
            }
        )

    def _batch(self, kind, repo):
        objects = []
        for wanted in json.loads(self.body)["objects"]:
            entry = {"oid": wanted["oid"], "size": wanted["size"], "authenticated": True}
            if wanted["oid"] not in self.hub.contents:
                entry["actions"] = {"upload": {"href": f"{self.hub.endpoint}/content/{wanted['oid']}?signed=secret"}}
            objects.append(entry)
        self._json({"transfer": "basic", "objects": objects})

    def _put(self, oid):
        if hashlib.sha256(self.body).hexdigest() != oid:
            return self._send(400, b"another content", {})
        self.hub.contents[oid] = self.body
        self.hub.puts[oid] = self.hub.puts.get(oid, 0) + 1
        return self._send(200, b"", {})

    def _commit(self, kind, repo, revision):
        lines = [json.loads(line) for line in self.body.splitlines()]
        folder = self.hub.root / repo / quote(unquote(revision), safe="")
        for line in lines[1:]:
            value = line["value"]
            path = folder / value["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            if line["key"] == "file":
                path.write_bytes(base64.b64decode(value["content"]))
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.hub.contents:
                    return self._send(400, b'{"error": "a content is missing"}', {})
                path.write_bytes(self.hub.contents[value["oid"]])
            else:
                path.unlink()
        self.hub.commits.setdefault(repo, []).append(lines)
        commit = self.hub.commit(repo, unquote(revision))
        return self._json(
            {"success": True, "commitOid": commit, "commitUrl": f"{self.hub.endpoint}/{repo}/commit/{commit}"}
        )


if __name__ == "__main__":  # a server for programs that must not have threads of their own
    with writable(Path(sys.argv[1]), lfs_from=1500) as served:
        print(served.endpoint, flush=True)
        sys.stdin.read()
