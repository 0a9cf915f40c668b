"""An export: samples chosen, written in a format, counted, and put into place whole."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from curation.export.exporters import EXPORTERS, Exporter
from curation.export.options import Options
from curation.export.readme import readme
from curation.export.rows import Rows
from curation.export.selection import LicenseOf, Selection, select
from curation.export.shards import Writer
from curation.mixing.files import MixFiles
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.files import whole_folder
from open_ml_embed.core.json_text import loads
from sources import registry
from sources.manifest import License

RECORD = ".export.json"
"""The file of an export that names its other files and has its counts; readers of data pass over hidden files."""
README = "README.md"
_SCRATCH = ".scratch"


@dataclass(frozen=True)
class Exported:
    """What an export took and wrote.

    Attributes:
        mix: its name.
        format: the name of the format.
        split: whose samples.
        total: samples of the split.
        samples: those that were taken.
        left_out: reason → samples that were not (`source`, `language`, `license`, `family`, `negatives`, `limit`); with
            `samples` they add up to `total`.
        repeated: samples that have some negative twice, for want of others.
        families: loss family → samples taken.
        sources: source → samples taken.
        files: file → rows; empty where nothing was written.
        notes: sentences on what the format's reader does with some of the files; empty where nothing was written.

    """

    mix: str
    format: str
    split: str
    total: int
    samples: int
    left_out: dict[str, int]
    repeated: int
    families: dict[str, int]
    sources: dict[str, int]
    files: dict[str, int]
    notes: list[str]


def export(
    mix: Path,
    format_name: str,
    to: Path,
    options: Options | None = None,
    *,
    license_of: LicenseOf | None = None,
    dry_run: bool = False,
) -> Exported:
    """Write a mix, or a part of it, in the format of another trainer.

    Args:
        mix: the folder of a mix.
        format_name: a name in `EXPORTERS`.
        to: the folder to write: new, empty, or one that holds an earlier export and nothing else.
        options: what to take, and how to write it.
        license_of: returns a source's license; null: that of the manifests.
        dry_run: count only.

    Returns:
        What was taken and written.

    Raises:
        UnknownNameError: a format, source or language that there is not; the message has the nearest.
        SettingsError: the folder has other files, nothing is left to write, or an option that cannot be.
        StageError: the mix lacks files or columns.

    """
    options = options or Options()
    exporter = EXPORTERS.get(format_name, where="--format")
    exporter.check(format_name, options)
    _check_target(to)
    files = MixFiles(mix)
    selection = select(
        files,
        options,
        split=options.split or exporter.split,
        least=exporter.fewest(options.negatives),
        same=exporter.same,
        license_of=license_of or licenses_beside(mix),
    )
    if dry_run:
        return _exported(mix, format_name, selection, {}, [])
    with whole_folder(to) as folder:
        writer = _written(files, exporter, selection, options, folder)
        done = _exported(mix, format_name, selection, dict(sorted(writer.files.items())), writer.notes)
        (folder / README).write_text(readme(exporter, done, writer.groups, options), "utf-8")
        (folder / RECORD).write_text(json.dumps(asdict(done), ensure_ascii=False, indent=1) + "\n", "utf-8")
    return done


def _written(files: MixFiles, exporter: Exporter, selection: Selection, options: Options, folder: Path) -> Writer:
    scratch = folder / _SCRATCH
    rows = Rows(files, selection, scratch, most=exporter.most(options.negatives), same=exporter.same)
    writer = Writer(folder, options, *exporter.kinds[:1])
    exporter.write(rows, writer)
    del rows
    shutil.rmtree(scratch)
    return writer


def _exported(mix: Path, format_name: str, selection: Selection, files: dict[str, int], notes: list[str]) -> Exported:
    return Exported(
        mix.resolve().name,
        format_name,
        selection.split,
        selection.total,
        len(selection.rows),
        selection.left_out,
        selection.repeated,
        selection.families,
        selection.sources,
        files,
        notes,
    )


def licenses_beside(mix: Path) -> LicenseOf:
    """Return what finds the license of a source: in the manifests, those of the mix's own project before others."""
    folder = mix.resolve()
    root = folder.parents[3] if folder.parent.name == "mixes" and len(folder.parents) > 3 else None

    def license_of(source: str) -> License:
        return registry.load(source, root).license

    return license_of


def _check_target(to: Path) -> None:
    """Refuse a folder with files that no earlier export wrote."""
    if to.is_file():
        raise SettingsError("is a file", where=str(to), remedy="name a folder that is new, or empty")
    if not to.is_dir():
        return
    there = {path.relative_to(to).as_posix() for path in to.rglob("*") if not path.is_dir()}
    if not there:
        return
    try:
        ours = {*loads((to / RECORD).read_text("utf-8"))["files"], RECORD, README}
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    if others := sorted(there - ours):
        raise SettingsError(
            f"the folder has files of something else: {', '.join(others[:3])}{' …' if len(others) > 3 else ''}",
            where=str(to),
            remedy="name a folder that is new, or empty",
        )
