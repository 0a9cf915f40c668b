"""The inputs of step `decontaminate`: hashes of its evaluation sets' definitions and of their current files."""

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
    """Return the hashes of each evaluation set's definition and files, in the order of the sets.

    Args:
        build: the build, with the folders that the command line named.
        hashes: hash cache of files that are read in place.
        then: the same facts from when the step ran; the hash of downloaded files is taken from there.
        away: allow files that are read in place to be missing.

    """
    options = replace(fetch_options(build), lock=None, files_per_table=None, hashes=hashes)
    facts: dict[str, dict[str, str | None]] = {}
    for evaluation_set in chosen_sets(build.profile.decontaminate, build.root):
        before = then.get(evaluation_set.name, {}).get("files")
        files = _in_place(evaluation_set, options)
        if files is None or (files == [] and away):
            facts[evaluation_set.name] = {"said": _definition_hash(evaluation_set), "files": before}
        else:
            facts[evaluation_set.name] = {"said": _definition_hash(evaluation_set), "files": files_fact(files)}
    return facts


def files_fact(files: Iterable[RawFile]) -> str:
    """Return a hash of the names and contents of a set's files."""
    return digest([[file.table, file.name, file.identity] for file in files])


def _definition_hash(one: EvaluationSet) -> str:
    """Return a hash of a set's definition, without its files; the location of a folder is not part of it."""
    if isinstance(one.definition, EvaluationTask):
        form = task_types()[one.definition.type]
        content: object = [one.definition.model_dump(mode="json", exclude={"benchmarks"}), form.model_dump(mode="json")]
    elif isinstance(one.definition, Manifest):
        content = one.definition.model_dump(mode="json")
    else:
        content = one.definition[1]
    return digest([one.kind, content])


def _in_place(one: EvaluationSet, options: FetchOptions) -> list[RawFile] | None:
    """Return the files that are read in place, or None for a set whose files are downloaded."""
    try:
        if isinstance(one.definition, Manifest):
            manifest = one.definition
            listed = {subset: in_place(manifest, subset, options) for subset in manifest.subsets}
            files = [
                replace(file, table=f"{file.table}/{subset}/")
                for subset, of_subset in listed.items()
                for file in of_subset or ()
            ]
            return files or None
        if isinstance(one.definition, EvaluationTask):
            local = Path(options.local_root or "") / one.definition.repo
            if options.local_root is None or not names_below(local):
                return None
            options = replace(options, offline=True)
        return list(fetch_set(one, options).files)
    except CorpusError:  # the folder is missing, or has no files of this set
        return []
