"""Translated messages, and packages of them made here."""

import struct
import tarfile
import zipfile
from io import BytesIO

from tools.langid.packages import Package, Taken

GERMAN = "Die Datei konnte nicht gefunden werden."
DUTCH = "Het bestand kon niet worden gevonden."
ENGLISH = "The file could not be found."


def catalog(pairs):
    """Return a `.mo` file; the header is the translation of the empty message."""
    pairs = {"": "Content-Type: text/plain; charset=UTF-8\n"} | pairs
    entries = [(source.encode(), pairs[source].encode()) for source in sorted(pairs)]
    start = 28 + 16 * len(entries)
    blob, tables = b"", ([], [])
    for side in (0, 1):
        for entry in entries:
            tables[side].append((len(entry[side]), start + len(blob)))
            blob += entry[side] + b"\0"
    index = b"".join(struct.pack("<2I", *pair) for table in tables for pair in table)
    return struct.pack("<7I", 0x950412DE, 0, len(entries), 28, 28 + 8 * len(entries), 0, 0) + index + blob


def packed(path, files):
    """Write a wheel or a tarball of `files` (name → text or bytes)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    contents = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
    if path.suffix == ".whl":
        with zipfile.ZipFile(path, "w") as wheel:
            for name, content in contents.items():
                wheel.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz") as archive:
            for name, content in contents.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, BytesIO(content))
    return path


def taken(path, name="made-up"):
    return Taken(Package("npm", name, "CC0-1.0", "1"), path, "1")
