"""Writes docs/settings.md from the models of `params.yaml`: `python -m tools.settings_reference`."""

from __future__ import annotations

from pathlib import Path

from curation.settings import Profile
from tools.model_tables import sections
from train.config import TrainSettings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"
HEAD = """# Settings: params.yaml

Written from the models by `python -m tools.settings_reference`; a test holds it to them.

`params.yaml` has `profile: NAME`, the profile that commands use without `--profile`, and a section for each profile.
Every setting of a profile is below; those that are left out have their defaults, and a name that is not below is an
error that tells the nearest. A path is relative to `params.yaml`. A step's results depend on its own section only:
change `dedup`, and fetched files, rows and languages stay. `--set section.name=value` of `train3d` replaces a value
under `train` for one run.
"""


def page() -> str:
    """Return the page."""
    profile = [part.replace("## ``", "## A profile", 1) for part in sections(Profile, "")]
    return "\n".join([HEAD, *profile, *sections(TrainSettings, "train")]).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
