"""`curate init`: a folder with all that a project of one's own needs, ready to run."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.files import write_whole

TEMPLATE = files("curation.pipeline") / "template"
_NAMED = {"gitignore": ".gitignore"}
"""What a file of the template is called in a project, where that is not its name."""
PIPELINES = ("dvc.yaml", "pipelines/example/dvc.yaml")
"""What `curate dvc` writes for the template's profile."""


def template_files() -> dict[str, bytes]:
    """Return the files of a new project, by path below its folder, sorted; the pipelines are not among them."""
    with as_file(TEMPLATE) as folder:
        found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {_NAMED.get(name, name): found[name] for name in sorted(found)}


def write_project(folder: Path, *, dry_run: bool = False) -> list[str]:
    """Write settings, a mix, an example source with its raw file, and what Git leaves out.

    Args:
        folder: of the project; made if it is not there.
        dry_run: only say what would be written.

    Returns:
        The paths below the folder.

    Raises:
        SettingsError: the folder is a file, or has one of the files already; then none is written.

    """
    if folder.exists() and not folder.is_dir():
        raise SettingsError("is a file", where=str(folder), remedy="name a folder")
    made = template_files()
    for name in (*made, *PIPELINES):
        if (folder / name).exists():
            raise SettingsError(
                "is there already", where=str(folder / name), remedy="name another folder, or move the file away"
            )
    if not dry_run:
        for name, content in made.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_whole(folder / name, content)
    return list(made)
