"""HTTP validators of a file (ETag, Last-Modified, size): detect changes, and whether two partial downloads fit."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

_NUMBER = re.compile("[0-9]{1,18}")
_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]+/([0-9]{1,18}|\*)")


@dataclass(frozen=True)
class Version:
    """A version of a file, as identified by the server's headers.

    Attributes:
        etag: the ETag header, including its quotes.
        modified: the Last-Modified header.
        size: in bytes.

    """

    etag: str | None
    modified: str | None
    size: int | None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Version:
        """Read the headers of a response, for the whole file or for a part of it."""
        part = _RANGE.fullmatch(headers.get("content-range", ""))
        size = part[2] if part else headers.get("content-length", "")
        return cls(headers.get("etag"), headers.get("last-modified"), int(size) if _NUMBER.fullmatch(size) else None)

    @property
    def tells(self) -> bool:
        """Whether the server sent any validator."""
        return self != Version(None, None, None)

    @property
    def key(self) -> str | None:
        """A hash of the validators, usable as a file name; None if the server sent no validator."""
        validators = f"{self.etag}\n{self.modified}\n{self.size}"
        return hashlib.sha256(validators.encode()).hexdigest()[:16] if self.tells else None

    @property
    def validator(self) -> str | None:
        """Value for If-Range: a strong ETag, else the date; None if there is neither, so that no resume is possible."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    def conditions(self) -> dict[str, str]:
        """Return the headers of a conditional request, which transfers the file only if it has changed."""
        wanted = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in wanted.items() if value is not None}

    def goes_on(self, other: Version, headers: Mapping[str, str], have: int) -> bool:
        """Tell whether a partial response continues the first `have` bytes of this version.

        A validator that one of the two responses lacks is not compared, since servers may omit it for later parts.

        Args:
            other: version of the partial response.
            headers: headers of the partial response.
            have: number of bytes that are already here.

        """
        part = _RANGE.fullmatch(headers.get("content-range", ""))
        pairs = ((self.etag, other.etag), (self.modified, other.modified), (self.size, other.size))
        same = all(mine == theirs or None in (mine, theirs) for mine, theirs in pairs)
        return same and part is not None and int(part[1]) == have
