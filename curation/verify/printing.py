"""Prints what `curate verify` found."""

from __future__ import annotations

from curation.verify.findings import Checked
from open_ml_embed.core.fitting_table import Table
from open_ml_embed.core.printing import print_json, print_text
from open_ml_embed.core.terminal import Terminal

MOST_LINES = 50
"""Most files in the table; JSON has all."""


def print_verified(profile: str, found: Checked, left: Checked | None, *, deep: bool, as_json: bool) -> None:
    """Print the findings.

    Args:
        profile: its name.
        found: what was found first.
        left: what is found after a repair; None without one.
        deep: whether hashes were compared.
        as_json: print one JSON object.

    """
    if as_json:
        data = {
            "profile": profile,
            "deep": deep,
            "files": found.files,
            "bytes": found.bytes,
            "findings": [finding.as_json() for finding in found.findings],
            "left": None if left is None else [finding.as_json() for finding in left.findings],
        }
        print_json(data)
        return
    how = "sizes and hashes" if deep else "sizes and records; --deep compares hashes too"
    print_text(f"profile {profile}: {found.files:,} files, {found.bytes:,} bytes ({how})")
    faults = found.faults
    if faults:
        table = Table(box=None, pad_edge=False)
        for title in ("file", "what is wrong", "made again by"):
            table.add_column(title, overflow="fold")
        for finding in faults[:MOST_LINES]:
            table.add_row(finding.path, finding.what, finding.step or finding.remedy)
        if len(faults) > MOST_LINES:
            table.add_row(f"{len(faults) - MOST_LINES} more: see --json", "", "")
        Terminal().print(table)
    unknown = len(found.findings) - len(faults)
    if unknown:
        print_text(f"{unknown:,} files that no record describes: leftovers of runs that were stopped, or of others")
    if left is not None:
        print_text(f"{len(faults) - len(left.faults)} of {len(faults)} were made again")
