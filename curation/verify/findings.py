"""What `curate verify` finds: files that are damaged, missing, or that no record describes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["damaged", "missing", "unknown"]
"""`unknown`: no record says what the file should hold; a run that was stopped leaves such files, and so does a record
that was removed. It is no fault."""
Fault = tuple[Kind, str]
"""The kind of a finding, and what is wrong."""


@dataclass(frozen=True)
class Finding:
    """One file that is not as it was written.

    Attributes:
        path: relative to the folder of the settings file, or absolute for a raw file elsewhere.
        kind: damaged, missing or unknown.
        what: what is wrong, as the end of a sentence about the file.
        step: the step that makes the file again; empty if none does.
        remedy: what to do where no step makes it again.
        remove: the files, relative to the folder of the settings file, to delete before the step runs again.

    """

    path: str
    kind: Kind
    what: str
    step: str = ""
    remedy: str = ""
    remove: tuple[str, ...] = ()

    @property
    def is_fault(self) -> bool:
        """Tell whether bytes are lost."""
        return self.kind != "unknown"

    def as_json(self) -> dict[str, Any]:
        """Return what programs read."""
        return {"path": self.path, "kind": self.kind, "what": self.what, "step": self.step, "remedy": self.remedy}


@dataclass
class Checked:
    """Everything that was looked at.

    Attributes:
        files: number of files that a record describes.
        bytes: their sizes in bytes, added up, as they were recorded.
        findings: what is wrong.

    """

    files: int = 0
    bytes: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def faults(self) -> list[Finding]:
        """The findings by which bytes are lost."""
        return [finding for finding in self.findings if finding.is_fault]

    def count(self, size: int) -> None:
        """Count a file of a size in bytes."""
        self.files += 1
        self.bytes += size

    def add(self, findings: Iterable[Finding]) -> None:
        """Add findings."""
        self.findings += findings
