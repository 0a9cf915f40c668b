"""Small JSON records that hold a digest of themselves, so that a damaged or misplaced one is never believed.

Markers of tasks, files of steps, indices and listings are sealed. A flipped bit in a number would leave valid JSON;
with the digest it is seen whenever the record is read. The name of the record is part of what is hashed, so a record
that lies in the place of another is seen too.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xxhash

from open_ml_embed.core.errors import StageError
from open_ml_embed.core.hashing import canonical_json
from open_ml_embed.core.json_text import loads

SEAL = "digest"
"""Key of the digest: xxh3-128 of the record's name, a NUL, and the file's bytes with zeros in place of the digest."""
_BLANK = "0" * 32
_STATED = re.compile(rb'^ "digest": "([0-9a-f]{32})"', re.MULTILINE)
"""The digest in canonical JSON: only keys of the whole record stand behind one space."""


class DamagedRecordError(StageError, ValueError):
    """A record is not what was written: it is not JSON, lacks its digest, or does not agree with it."""


def seal(record: Mapping[str, Any], name: str) -> bytes:
    """Return a record with its digest, as canonical JSON; equal records of a name give equal bytes.

    Args:
        record: what to keep.
        name: tells the record from others of its kind: its path in the store, or the name of its file.

    """
    assert SEAL not in record, "the key is taken by the digest"
    data = canonical_json({**record, SEAL: _BLANK})
    return _with_digest(data, _digest(data, name))


def _digest(data: bytes, name: str) -> str:
    return xxhash.xxh3_128_hexdigest(name.encode("utf-8", "surrogateescape") + b"\0" + data)


def _with_digest(data: bytes, value: str) -> bytes:
    return _STATED.sub(f' "{SEAL}": "{value}"'.encode(), data, count=1)


def unseal(data: bytes, name: str, *, where: str = "", remedy: str = "") -> dict[str, Any]:
    """Return the record that `seal` was given.

    Args:
        data: the bytes of a file.
        name: of the record, as `seal` was given it.
        where: path of the file, for the message.
        remedy: the command that makes the file again.

    Raises:
        DamagedRecordError: the bytes are not what `seal` returned for this name.

    >>> unseal(seal({"rows": 3}, "dedup.json"), "dedup.json")
    {'rows': 3}

    """
    stated = _STATED.search(data)
    if stated is None:
        what = "it has no digest of itself" if _is_json(data) else "it is not JSON"
        raise DamagedRecordError(f"the file is unreadable: {what}", where=where, remedy=remedy)
    if _digest(_with_digest(data, _BLANK), name) != stated[1].decode():
        what = f"the file is damaged, or another one's: it does not agree with the digest that it holds as {name}"
        raise DamagedRecordError(what, where=where, remedy=remedy)
    record: dict[str, Any] = loads(data)
    del record[SEAL]
    return record


def _is_json(data: bytes) -> bool:
    try:
        loads(data)
    except ValueError:
        return False
    return True


def read_sealed(path: Path, *, remedy: str = "") -> dict[str, Any] | None:
    """Return a record that was sealed with the name of its file; None if there is no such file.

    Raises:
        DamagedRecordError: the file is damaged.

    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in (errno.EISDIR, errno.ELOOP):
            raise
        raise DamagedRecordError("a folder or a link stands in its place", where=str(path), remedy=remedy) from None
    return unseal(data, path.name, where=str(path), remedy=remedy)


def read_record(path: Path, *, remedy: str = "") -> dict[str, Any] | None:
    """Return a JSON object that may lack a digest, as one that other programs wrote; None if there is no such file.

    Raises:
        DamagedRecordError: it is no JSON object, or holds a digest that it does not agree with.

    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    if f'"{SEAL}"'.encode() in data:
        return unseal(data, path.name, where=str(path), remedy=remedy)
    try:
        record = loads(data)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise DamagedRecordError("the file is unreadable: it is not a JSON object", where=str(path), remedy=remedy)
    return record


def undamaged(path: Path) -> dict[str, Any] | None:
    """Return what `read_sealed` does; None also if the record is damaged, so that it is made again."""
    try:
        return read_sealed(path)
    except DamagedRecordError:
        return None
