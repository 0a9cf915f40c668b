"""`curate init`: create the folder of a new project, ready to run."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.files import write_whole

TEMPLATE = files("curation.pipeline") / "template"
_NAMED = {"gitignore": ".gitignore"}
"""File of the template → its name in a project, where the two differ."""
PIPELINES = ("dvc.yaml", "pipelines/example/dvc.yaml")
"""Files that `curate dvc` writes for the template's profile."""


def template_files() -> dict[str, bytes]:
    """Return the files of a new project without the pipelines: path below its folder → content, sorted."""
    with as_file(TEMPLATE) as folder:
        content = {
            path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
        }
    return {_NAMED.get(name, name): content[name] for name in sorted(content)}


def write_project(folder: Path, *, dry_run: bool = False) -> list[str]:
    """Write settings, a mix, an example source with its raw file, and a `.gitignore`.

    Args:
        folder: of the project; created if it does not exist.
        dry_run: write nothing.

    Returns:
        The paths of the files, below the folder.

    Raises:
        SettingsError: the folder is a file, or one of the files exists already; then no file is written.

    """
    if folder.exists() and not folder.is_dir():
        raise SettingsError("is a file", where=str(folder), remedy="name a folder")
    template = template_files()
    for name in (*template, *PIPELINES):
        if (folder / name).exists():
            raise SettingsError(
                "is there already", where=str(folder / name), remedy="name another folder, or move the file away"
            )
    if not dry_run:
        for name, content in template.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(folder / name, content)
    return list(template)
