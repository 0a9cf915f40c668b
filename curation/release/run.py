"""`curate import-release`: a folder or repository in the layout of F2LLM-v2 becomes a project, and is audited."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.build import Build
from curation.pipeline.lock import alone
from curation.pipeline.opening import open_build
from curation.pipeline.run import run_step
from curation.raw_files import raw_files
from curation.release.look import Found, expected, look_at
from curation.release.project import PROFILE, Origin, manifests, settings, source_name, write_project
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.files import write_whole
from open_ml_embed.core.json_text import loads
from open_ml_embed.core.progress import Progress
from sources.fetch import FetchOptions, hub
from sources.fetch.local import names_below
from sources.released import Release, ReleasedRows, as_released, read_release, unknown_rows

RECORD = "import.json"
"""The file of a project that says what was imported, and what was found in each file."""
BESIDE = "release.tsv"
"""The table of a release that lies beside its files, as `curate export --format upstream` writes it."""
_REPOSITORY = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+?)(?:@(?P<ref>[\w./-]+))?")


@dataclass(frozen=True)
class Imported:
    """What an import found.

    Attributes:
        origin: folder, or repository at its commit.
        project: the folder that was written.
        found: rows of each source in each file, in order of file and row.
        absent: files of the table that the release does not have.

    """

    origin: str
    project: Path
    found: list[Found]
    absent: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return the content of `import.json`."""
        return {
            "origin": self.origin,
            "rows": sum(one.rows for one in self.found),
            "sources": len({one.line.source for one in self.found}),
            "absent": self.absent,
            "files": [
                {
                    "file": one.name,
                    "source": source_name(one),
                    "subset": one.line.subset,
                    "family": one.line.family,
                    "in_table": one.listed,
                    "first": one.line.first,
                    "end": one.line.end,
                    "rows": one.rows,
                    "negatives": one.negatives,
                    "language": "lang" if one.languages else one.line.query_language or "identified",
                    "instructed": one.instructed,
                    "instructions": dict(sorted(one.instructions.items(), key=lambda item: (-item[1], item[0]))[:20]),
                    "instruction": one.instruction,
                }
                for one in self.found
            ],
        }


def import_release(
    release: str,
    to: Path,
    *,
    table: Path | None = None,
    evaluations: Sequence[Path] = (),
    benchmarks: Sequence[str] = (),
    endpoint: str | None = None,
    workers: int = 0,
    dry_run: bool = False,
) -> tuple[Imported, Build | None]:
    """Write the project of a release; the files of a repository are fetched into it.

    Args:
        release: a folder, or `owner/name` of the Hub, with `@REVISION` or at the head of `main`.
        to: the folder of the project: new, empty, or an earlier import of the same release.
        table: which file has which rows; null: `release.tsv` beside the files, or that of F2LLM-v2.
        evaluations: evaluation sets, folders in BEIR's layout, to compare with.
        benchmarks: benchmarks of MTEB to compare with.
        endpoint: of the Hub; null: its own.
        workers: tasks at once; 0: one per core.
        dry_run: write nothing; the files of a repository are only listed.

    Returns:
        What was found, and the build; null after a dry run.

    Raises:
        SettingsError: there is no such folder, or the project's folder has something else.
        FetchError: the repository cannot be read, or has no parquet file.
        SchemaError: a file lacks columns of the layout.
        CorpusError: see `read_release`, `open_build` and the step `fetch`.

    """
    folder = Path(release).expanduser()
    origin, names = _of_folder(folder) if folder.is_dir() else _of_repository(release, to, endpoint)
    if table is None and folder.is_dir() and (folder / BESIDE).is_file():
        table = folder / BESIDE
    known = read_release(table)
    lines = {name: _lines(known, name) for name in names}
    absent = sorted(known.by_file.keys() - {line.file for found, _ in lines.values() for line in found})
    _check_project(to, origin)
    if folder.is_dir():
        found = [one for name in names for one in _look(folder / name, name, lines[name])]
    else:
        found = [
            expected(name, line, listed=listed)
            for name in names
            for line in lines[name][0]
            for listed in [lines[name][1]]
        ]
    if dry_run:
        return Imported(origin.where, to, found, absent), None

    def written(found: list[Found]) -> Build:
        made = manifests(found, origin)
        stated = settings(made, origin, evaluations=list(evaluations), benchmarks=list(benchmarks), endpoint=endpoint)
        to.mkdir(parents=True, exist_ok=True)
        write_whole(to / RECORD, json.dumps(Imported(origin.where, to, found, absent).as_json(), indent=1) + "\n")
        write_project(to, made, stated)
        return open_build(PROFILE, to / "params.yaml", workers)

    build = written(found)
    if not folder.is_dir():
        paths = _fetched(build, found)
        found = [one for name in names for one in _look(paths[name], name, lines[name])]
        build = written(found)
    return Imported(origin.where, to, found, absent), build


def _of_folder(folder: Path) -> tuple[Origin, list[str]]:
    folder = folder.resolve()
    names = [name for name in names_below(folder) if name.endswith(".parquet")]
    if not names:
        raise SettingsError("has no parquet file", where=str(folder), remedy="name the folder of the released files")
    section = {"kind": "manual", "url": folder.as_uri(), "folder": folder.name}
    return Origin(section, str(folder.parent), str(folder)), names


def _of_repository(release: str, to: Path, endpoint: str | None) -> tuple[Origin, list[str]]:
    match = _REPOSITORY.fullmatch(release)
    if match is None:
        raise SettingsError(
            "no such folder, and no repository",
            where=release,
            remedy="name a folder with parquet files, or owner/name of the Hub, with @REVISION if not the newest",
        )
    repo, ref = match["repo"], match["ref"] or "main"
    options = FetchOptions(str(to / "work" / "raw"), endpoint=endpoint)
    commit = hub.commit_of(repo, ref, options)
    names = hub.names_at((repo, commit), ["**/*.parquet"], options, repo)[1]
    return Origin({"kind": "hub", "repo": repo, "ref": commit}, None, f"{repo}@{commit}"), names


def _lines(release: Release, name: str) -> tuple[list[ReleasedRows], bool]:
    """Return the lines of a file, and whether the table has them; else one that is made up."""
    stem = as_released(name.rpartition("/")[2].removesuffix(".parquet"))
    lines = release.by_file.get(stem)
    return (lines, True) if lines else ([unknown_rows(stem, stem, "retrieval")], False)


def _look(path: Path, name: str, lines: tuple[list[ReleasedRows], bool]) -> list[Found]:
    """Look at a file; one that the table does not have is two-way classification if it has one negative."""
    found = look_at(path, name, lines[0], listed=lines[1])
    if lines[1] or not found or found[0].negatives > 1:
        return found
    line = unknown_rows(lines[0][0].file, lines[0][0].source, "classification")
    return look_at(path, name, [line], listed=False)


def _fetched(build: Build, found: list[Found]) -> dict[str, Path]:
    """Fetch all files; name → where it lies."""
    with alone(build):
        result = run_step(build, "fetch")
    paths = {}
    with Progress("look", total=len(found)) as progress:
        for one in found:
            (file,) = raw_files(build, result, source_name(one), one.line.subset)
            paths[one.name] = Path(file.path)
            progress.advance(one.name)
    return paths


def _check_project(to: Path, origin: Origin) -> None:
    """Refuse a folder that has something else than an earlier import of the same release.

    Raises:
        SettingsError: it has.

    """
    if to.is_file():
        raise SettingsError("is a file", where=str(to), remedy="name a folder that is new, or empty")
    there = sorted(path.name for path in to.iterdir()) if to.is_dir() else []
    if not set(there) - {"work"}:
        return
    try:
        earlier = loads((to / RECORD).read_text("utf-8"))["origin"]
    except (OSError, ValueError, KeyError, TypeError):
        earlier = None
    if earlier != origin.where:
        what = f"has an import of {earlier}" if earlier else f"has other files: {', '.join(there[:3])}"
        raise SettingsError(what, where=str(to), remedy="name a folder that is new, or empty")
