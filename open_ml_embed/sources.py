"""`sources`: the public datasets that a corpus is built from, by their manifests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from curation.pipeline.plan import entry
from curation.pipeline.source_filter import Filter
from curation.probe.drafting import draft_source
from open_ml_embed.core.words import counted
from sources import registry
from sources.draft.draft import Draft
from sources.fetch import FetchOptions
from sources.manifest import Manifest

__all__ = ["Draft", "SourceList", "draft", "list", "load"]


@dataclass(frozen=True, eq=False)
class SourceList:
    """Some sources, in name order; it has a length, and can be iterated over."""

    manifests: tuple[Manifest, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(manifest.name for manifest in self.manifests)

    @property
    def table(self) -> pa.Table:
        """A row for each: name, title, family, task, rows, subsets, languages, license, access, download (bytes) …"""
        return pa.Table.from_pylist([entry(manifest) for manifest in self.manifests])

    def __len__(self) -> int:
        return len(self.manifests)

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self.manifests)

    def __repr__(self) -> str:
        shown = ", ".join(self.names[:5])
        more = f" and {len(self) - 5} more" if len(self) > 5 else ""
        rows = sum(manifest.samples for manifest in self.manifests)
        return f"SourceList({counted(len(self), 'source')}, {counted(rows, 'row')}: {shown}{more})"


def load(name: str) -> Manifest:
    """Return everything that is known of one source: its manifest.

    Args:
        name: as `list` has it.

    Returns:
        The manifest: title, task, family, origin, license, subsets with their languages, samples, citation …

    Raises:
        ValueError: (a `CorpusError`) there is no such source; the message has the nearest names.

    >>> import open_ml_embed as ome
    >>> squad = ome.sources.load("squad")
    >>> squad.task, squad.license.id, squad.languages()
    ('question-answering', 'CC-BY-SA-4.0', ['eng-Latn'])

    """
    return registry.load(name)


def draft(dataset: str, *, name: str | None = None, endpoint: str | None = None) -> Draft:
    """Draft the manifest of a dataset from its file names, the head of one file and its card; writes nothing.

    Args:
        dataset: `owner/name` of the Hub, or the path of a file or folder.
        name: of the source; None: derived from the dataset's.
        endpoint: URL of another Hub; None: the default of huggingface-hub.

    Returns:
        The draft: `.manifest`, and `.yaml`, its file with a comment `# guessed: why` on each line that is a guess.

    Raises:
        CorpusError: the dataset cannot be reached or read, or no shape fits its columns.

    """
    return draft_source(dataset, FetchOptions("", endpoint=endpoint), name)


def list(  # noqa: A001 - read as `sources.list`
    *,
    language: str | None = None,
    family: str | None = None,
    task: str | None = None,
    license: str | None = None,
    access: str | None = None,
) -> SourceList:
    """Return the sources that have all that is asked for; all of them where nothing is.

    Args:
        language: a code, a tag or a programming language: `deu`, `srp-Cyrl`, `python`.
        family: loss family: `retrieval`, `clustering` or `classification`.
        task: task type, as `question-answering`.
        license: what a license must allow (`commercial`, `redistribution`), or its identifier.
        access: `open`, `gated`, `manual`, `dead`; several with commas.

    Raises:
        ValueError: (a `CorpusError`) a value that no source could have; the message has the nearest.

    """
    return SourceList(tuple(Filter(language, family, task, license, access).choose(registry.load_all())))
