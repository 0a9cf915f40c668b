"""Python files, one tar a distribution."""

from pathlib import Path

from sources import registry
from sources.fetch import packing
from sources.parts import RawFile

SUBSETS = ("python",)
BROKEN = ("trellis/broken.py", 0, "does-not-parse")

_VINES = '''\
"""Vines."""

import math


class Vine:
    """A vine."""

    @property
    def reach(self):
        """Return how far the vine
        reaches, in metres.

        Needs water.
        """
        # two to the years
        return 2 ** self.years

    def cut(self, at):
        "Cut the vine"; self.length = at

    def prune(self):
        """Must be given by subclasses, always."""
        raise NotImplementedError


def slope(rise, run):
    """
    Return the angle of a slope.
    :param rise: metres
    """

    def inner():
        """Divide rise by run."""
        return rise / run
    return math.atan(inner())
'''


def files(folder: Path, subset: str) -> list[RawFile]:
    members = [("trellis/broken.py", b"def f(:\n"), ("trellis/vines.py", _VINES.encode())]
    packing.pack(folder / "trellis-1.0.tar", members)
    listing = packing.enlist(folder, ["trellis-1.0.tar"])
    return list(packing.chosen(registry.load("python_docstrings").bound(subset), folder, listing))
