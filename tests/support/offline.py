"""What the fixtures of the offline sources share: a finished private apt folder, as a fetch leaves it."""

import json
from pathlib import Path

from sources import registry
from sources.fetch import FetchOptions, fetch, packing
from sources.parts import RawFile

MAIN = "testing/main"


def paragraph(package: str, code: str, text: str) -> str:
    """One paragraph of a translation index; `text` is synopsis, newline, paragraphs separated by empty lines."""
    title, _, body = text.partition("\n")
    lines = "".join(f" {line or '.'}\n" for line in body.split("\n"))
    return f"Package: {package}\nDescription-md5: {md5(package)}\nDescription-{code}: {title}\n{lines}"


def md5(package: str) -> str:
    return f"{package:0<32}"


def debian(folder: Path, source: str, subset: str, files: dict[str, str]) -> list[RawFile]:
    """Write indexes (name below `testing/main` → text) and return what fetching a subset then finds."""
    home = folder / "apt"
    for name, text in files.items():
        path = home / "files" / MAIN / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    packing.save(home / "indexes.json", packing.enlist(home / "files", [f"{MAIN}/{name}" for name in files]))
    return fetch(registry.load(source), subset, FetchOptions(str(folder), offline=True))


def mediawiki(
    folder: Path, source: str, subset: str, messages: dict[str, dict[str, dict[str, str] | str]]
) -> list[RawFile]:
    """Write message files (code → component → messages, or raw text) and return what fetching a subset finds."""
    home = folder / "apt"
    for code, components in messages.items():
        members = {f"usr/share/mediawiki/{name}/i18n/{code}.json": content for name, content in components.items()}
        packing.pack(
            home / "files" / "mediawiki" / f"{code}.tar",
            ((name, _json(members[name])) for name in sorted(members)),
        )
    names = [f"mediawiki/{code}.tar" for code in messages]
    packing.save(home / "package-mediawiki.json", packing.enlist(home / "files", names))
    return fetch(registry.load(source), subset, FetchOptions(str(folder), offline=True))


def _json(content: dict[str, str] | str) -> bytes:
    if isinstance(content, str):
        return content.encode()
    return json.dumps({"@metadata": {"authors": ["Somebody"]}, **content}, ensure_ascii=False, indent="\t").encode()
