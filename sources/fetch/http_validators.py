"""What a server says of a file: enough to tell whether it is still the same, and whether two parts belong together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True)
class Version:
    """A version of a file.

    Attributes:
        etag: the server's name for it, quotes and all.
        modified: since when it has been there.
        size: bytes.

    """

    etag: str | None
    modified: str | None
    size: int | None

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Version:
        """Read the headers of an answer, of the whole file or of a part."""
        part = _RANGE.fullmatch(headers.get("content-range", ""))
        size = part[2] if part else headers.get("content-length", "")
        return cls(headers.get("etag"), headers.get("last-modified"), int(size) if size.isdigit() else None)

    @property
    def tells(self) -> bool:
        """Whether there is anything to know the version by."""
        return self != Version(None, None, None)

    @property
    def key(self) -> str | None:
        """A name for it that a file system takes; null where there is nothing to know it by."""
        said = f"{self.etag}\n{self.modified}\n{self.size}"
        return hashlib.sha256(said.encode()).hexdigest()[:16] if self.tells else None

    @property
    def validator(self) -> str | None:
        """What to put into If-Range: a strong ETag, else the date; null: parts of it cannot be told apart."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    def conditions(self) -> dict[str, str]:
        """Return the headers of a request that wants the file only where it is another version."""
        wanted = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in wanted.items() if value is not None}

    def goes_on(self, other: Version, headers: Mapping[str, str], have: int) -> bool:
        """Tell whether a part with these headers continues the first `have` bytes of this version.

        (Servers may leave out of a later part what they said of the first.)
        """
        part = _RANGE.fullmatch(headers.get("content-range", ""))
        pairs = ((self.etag, other.etag), (self.modified, other.modified), (self.size, other.size))
        same = all(mine == theirs or None in (mine, theirs) for mine, theirs in pairs)
        return same and part is not None and int(part[1]) == have
