"""What the step `decontaminate` is made from: its evaluation sets, as described and as their files are now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from curation.build import Build
from curation.decontamination.evaluation_sets import EvaluationTask, task_types
from curation.decontamination.origins import EvaluationSet, chosen_sets, fetch_set
from curation.raw_files import fetch_options
from open_ml_embed.core.errors import CorpusError
from open_ml_embed.core.hashing import FileHashes, digest
from sources.fetch import FetchOptions, in_place
from sources.fetch.local import names_below
from sources.manifest import Manifest
from sources.parts import RawFile


def evaluation_facts(
    build: Build, hashes: FileHashes, then: Mapping[str, Any], *, away: bool = False
) -> dict[str, dict[str, str | None]]:
    """Return for each evaluation set, in their order, hashes of what is said of it and of its files.

    Args:
        build: the profile, with the folders that the command line named.
        hashes: of files that are read where they lie.
        then: the same facts as they were when the step was run; files that were downloaded are still those.
        away: whether files that are read where they lie may be missing.

    """
    options = replace(fetch_options(build), lock=None, files_per_table=None, hashes=hashes)
    found: dict[str, dict[str, str | None]] = {}
    for one in chosen_sets(build.profile.decontaminate, build.root):
        before = then.get(one.name, {}).get("files")
        files = _in_place(one, options)
        if files is None or (files == [] and away):
            found[one.name] = {"said": _said(one), "files": before}
        else:
            found[one.name] = {"said": _said(one), "files": files_fact(files)}
    return found


def files_fact(files: Iterable[RawFile]) -> str:
    """Hash which files a set has, and what is in them."""
    return digest([[file.table, file.name, file.identity] for file in files])


def _said(one: EvaluationSet) -> str:
    """Hash what is known of a set besides its files; where a folder lies does not matter."""
    if isinstance(one.said, EvaluationTask):
        form = task_types()[one.said.type]
        said: object = [one.said.model_dump(mode="json", exclude={"benchmarks"}), form.model_dump(mode="json")]
    elif isinstance(one.said, Manifest):
        said = one.said.model_dump(mode="json")
    else:
        said = one.said[1]
    return digest([one.kind, said])


def _in_place(one: EvaluationSet, options: FetchOptions) -> list[RawFile] | None:
    """List the files that are read where they lie; null for a set that comes from elsewhere."""
    try:
        if isinstance(one.said, Manifest):
            manifest = one.said
            listed = {subset: in_place(manifest, subset, options) for subset in manifest.subsets}
            files = [
                replace(file, table=f"{file.table}/{subset}/")
                for subset, of_subset in listed.items()
                for file in of_subset or ()
            ]
            return files or None
        if isinstance(one.said, EvaluationTask):
            local = Path(options.local_root or "") / one.said.repo
            if options.local_root is None or not names_below(local):
                return None
            options = replace(options, offline=True)
        return list(fetch_set(one, options).files)
    except CorpusError:  # the folder is gone, or holds nothing of what is looked for
        return []
