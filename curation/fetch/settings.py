"""Settings of the sources: which, and how much of each."""

from __future__ import annotations

from pydantic import Field

from open_ml_embed.core.section import Section
from sources.manifest import Collection


class SourceSettings(Section):
    """Which sources, and how much of each."""

    collection: Collection | None = None
    """Null: only those in `include`."""
    include: list[str] = []
    exclude: list[str] = []
    files_per_table: int | None = Field(default=None, ge=1)
    """Take only the first files of each raw table (a pilot)."""
    endpoint: str | None = None
    """Another Hub endpoint; null: huggingface-hub's own default, `HF_ENDPOINT` included."""
    local_root: str | None = None
    """A folder with `<repository>/<file>` that is looked at before any network; relative to the settings file."""
