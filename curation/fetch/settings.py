"""Settings that choose the sources of a profile."""

from __future__ import annotations

from pydantic import Field

from open_ml_embed.core.section import Section
from sources.manifest import Collection


class SourceSettings(Section):
    """The sources of a profile, and the number of their raw files."""

    collection: Collection | None = None
    """Use all sources of this collection; null: only those in `include`."""
    include: list[str] = []
    """Names of additional sources."""
    exclude: list[str] = []
    """Names of sources that are left out."""
    languages: list[str] = []
    """Use only the subsets of which every text is in one of these languages; empty: all. Codes (`deu`, `de`,
    `srp-Cyrl`) and programming languages (`python`). A subset whose rows state their language counts with all the
    languages that its manifest lists. A source without such a subset is not part of the build."""
    files_per_table: int | None = Field(default=None, ge=1)
    """Use only this many files of each raw table, the first ones, for a pilot; null: all. Tables to which the records
    of others refer (queries and documents of judgements, translations) are used whole."""
    allow_missing: list[str] = []
    """Names of sources that the build goes on without if they cannot be fetched. `fetch` skips such a source with a
    message, and the report names it; without its name here, no later step uses what was fetched until it is mended or
    left out."""
    hub_connections: int = Field(default=8, ge=1)
    """Files that are fetched from the Hub at once."""
    url_connections: int = Field(default=2, ge=1)
    """Files that are fetched at once from each other host."""
    endpoint: str | None = None
    """Endpoint of the Hub; null: the default of huggingface-hub, including `HF_ENDPOINT`."""
    local_root: str | None = None
    """A folder with files `<repository>/<file>` that are used instead of downloads; relative to the settings file."""
