"""What must not leave this machine: its paths and tokens. Settings are published without paths, and every text is
looked through before it is uploaded.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from open_ml_embed.core.errors import PublishError

_OF_THIS_MACHINE = ("work", "train", "report")
"""Sections and settings of a profile that do not describe a mix."""


def publishable(settings: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """Return the settings of a build without those of this machine: paths become the names of their files.

    Args:
        settings: section → settings, as data for YAML.
        root: the folder that relative paths start from.

    """
    kept = {name: _plain(value, root) for name, value in settings.items() if name not in _OF_THIS_MACHINE}
    sources = dict(kept.get("sources") or {})
    for name in ("local_root", "endpoint"):
        sources.pop(name, None)
    return {name: value for name, value in (kept | {"sources": sources}).items() if value not in ({}, [], None)}


def _plain(value: Any, root: Path) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one, root) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, root) for one in value]
    if isinstance(value, str) and _is_path(value, root):
        return Path(value).name
    return value


def _is_path(value: str, root: Path) -> bool:
    if "\n" in value or len(value) > os.pathconf("/", "PC_PATH_MAX"):
        return False
    return value.startswith(("/", "~", ".")) or ("/" in value and (root / value).exists())


def check_texts(texts: Mapping[str, str], root: Path, where: str) -> None:
    """Check that texts hold no path of this machine and no token.

    Args:
        texts: name of the file → what is to be uploaded.
        root: the folder of the build.
        where: the repository, for the message.

    Raises:
        PublishError: one does; the message does not repeat a token.

    """
    private = _private(root)
    for name, text in texts.items():
        for what, word in private.items():
            if word in text:
                raise PublishError(
                    f"it holds {what}, which must not leave this machine",
                    where=f"{where}: {name}",
                    remedy="give the settings relative paths, and manifests no paths or tokens",
                )


def _private(root: Path) -> dict[str, str]:
    from huggingface_hub import get_token

    home, folder = str(Path.home()), str(root.resolve())
    found = {"the path of the build": folder if folder.count("/") > 1 else "", "the home folder": f"{home}/"}
    token = get_token()
    if token:
        found["the token of the Hub"] = token
    return {what: word for what, word in found.items() if len(word.strip("/")) > 3}
