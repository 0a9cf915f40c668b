"""The project that a release becomes: manifests of its sources, two mixes, settings, and what was found."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from curation.release.look import LANG, UNDETERMINED, Found, most_frequent
from open_ml_embed.core.errors import ManifestError, UnknownNameError
from open_ml_embed.core.files import write_whole
from open_ml_embed.core.validation_errors import refusal
from sources import registry
from sources.manifest import Manifest
from sources.manifest_checks import check_manifest
from sources.released import PREFIX

PROFILE = "release"
MIXES = {"released": False, "released_instructed": True}
"""Mix → whether its queries carry instructions."""
GENERAL = "Given a query, find the text that answers it."
_SHORTEST = 10


@dataclass(frozen=True)
class Origin:
    """Where the files of a release are.

    Attributes:
        section: `origin` of the manifests.
        local_root: of the settings; null: none is needed.
        where: folder, or repository at its commit, for people.

    """

    section: dict[str, Any]
    local_root: str | None
    where: str


def source_name(found: Found) -> str:
    """Return the name of the imported source that some rows are of."""
    return PREFIX + re.sub(r"[^a-z0-9_]+", "_", found.line.source.lower())


def manifests(found: list[Found], origin: Origin) -> list[Manifest]:
    """Return a manifest for each source, in order of name.

    Raises:
        ManifestError: two files are of one name, or a value cannot be in a manifest.

    """
    by_source: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        by_source[source_name(one)].append(one)
    return [_manifest(name, by_source[name], origin) for name in sorted(by_source)]


def _manifest(name: str, found: list[Found], origin: Origin) -> Manifest:
    line, known = found[0].line, _known(found[0])
    most = max(one.negatives for one in found)
    negatives = [f"negative_{i + 1}" for i in range(most)]
    subsets: dict[str, Any] = {}
    for one in sorted(found, key=lambda one: one.name):
        if one.line.subset in subsets:
            where = f"{subsets[one.line.subset]['vars']['file']} and {one.name}"
            raise ManifestError(f"both are {one.line.file}", where=where, remedy="leave one of the files out")
        subsets[one.line.subset] = _subset(one)
    told = sum((one.instructions for one in found), Counter[str]())
    instruction = most_frequent(told) or ""
    rows = sum(one.rows for one in found)
    data = {
        "name": name,
        "title": f"{line.title}, as released",
        "collection": "community",
        "task": line.task,
        "family": line.family,
        "origin": origin.section,
        "tables": {
            "records": {
                "files": ["{file}"],
                "format": "parquet",
                "fields": dict.fromkeys(["query", "passage", *negatives, LANG], "string"),
                "optional": [*negatives[1:], LANG],
            }
        },
        "shape": {
            "kind": "released",
            "args": {key: f"{{{key}}}" for key in ("negatives", "first", "end", "instruction")},
        },
        "subsets": subsets,
        "license": _license(known),
        "citation": known.citation if known else f"Unknown; rows of {origin.where}",
        "samples": rows,
        "instruction": next(
            text for text in (instruction, known.instruction if known else "", GENERAL) if len(text) >= _SHORTEST
        ),
        "notes": f"Imported by `curate import-release` from {origin.where}.",
    }
    try:
        manifest = Manifest.model_validate(data)
    except ValidationError as error:
        remedy = "leave the file out, or write its manifest by hand"
        raise refusal(error, Manifest, ManifestError, where=found[0].name, remedy=remedy) from None
    check_manifest(manifest)
    return manifest


def _subset(found: Found) -> dict[str, Any]:
    line = found.line
    # A glob has marks that a name may have too; a name is no glob, so they are put in brackets.
    file = re.sub(r"[*?\[]", lambda mark: f"[{mark[0]}]", found.name)
    subset: dict[str, Any] = {"query_lang": _language(found, line.query_language)}
    positive = _language(found, line.positive_language)
    if positive != subset["query_lang"]:
        subset["positive_lang"] = positive
    if found.looked:
        subset["samples"] = found.rows
    if found.instruction:
        subset["instruction"] = found.instruction
    subset["vars"] = {
        "file": file,
        "negatives": str(found.negatives),
        "first": str(line.first),
        "end": "" if line.end is None else str(line.end),
        "instruction": found.instruction or "",
    }
    return subset


def _language(found: Found, stated: str) -> object:
    if stated:
        return stated
    if not found.languages:
        return UNDETERMINED
    odd = {value: tag for value, tag in found.languages.items() if tag == UNDETERMINED}
    return {"column": LANG, "languages": sorted(set(found.languages.values()))} | ({"map": odd} if odd else {})


def _known(found: Found) -> Manifest | None:
    """Return the manifest of the same data from its own origin, if there is one."""
    try:
        return registry.load(found.line.source)
    except UnknownNameError:
        return None


def _license(known: Manifest | None) -> dict[str, Any]:
    if known is None:
        note = "The release states one license for the whole, and none of this source."
        return {"id": "LicenseRef-unspecified", "commercial": False, "redistribution": False, "note": note}
    return known.license.model_dump(mode="json")


def settings(
    made: list[Manifest], origin: Origin, *, evaluations: list[Path], benchmarks: list[str], endpoint: str | None
) -> dict[str, Any]:
    """Return the content of params.yaml."""
    chosen: dict[str, Any] = {"include": [manifest.name for manifest in made]}
    if origin.local_root is not None:
        chosen["local_root"] = origin.local_root
    if endpoint is not None:
        chosen["endpoint"] = endpoint
    undetermined = sorted({m.name for m in made if UNDETERMINED in m.languages()})
    identified = {"policy": "trust-identified", "confidence": 0.5}
    compared: dict[str, Any] = {}
    if evaluations:
        compared["sets"] = [str(path.resolve()) for path in evaluations]
    if benchmarks:
        compared["mteb"] = {"benchmarks": benchmarks}
    profile: dict[str, Any] = {"sources": chosen}
    if undetermined:
        profile["languages"] = {"trust": {"sources": dict.fromkeys(undetermined, identified)}}
    if compared:
        profile["decontaminate"] = compared
    most = max((int(s.vars["negatives"]) for m in made for s in m.subsets.values()), default=1)
    # a release's own negatives may be in any language, so they stay
    mining = {"teacher": "bm25", "language": "any", "num_negatives": most}
    profile |= {"mining": mining, "mixes": {name: {} for name in MIXES}}
    return {"profile": PROFILE, PROFILE: profile}


def write_project(folder: Path, made: list[Manifest], params: dict[str, Any]) -> None:
    """Write settings, manifests and mixes; manifests of an earlier import that are not there any more go."""
    places = folder / registry.FOLDER / "sources"
    for old in places.glob(f"{PREFIX}*.yaml"):
        if old.stem not in {manifest.name for manifest in made}:
            old.unlink()
    for manifest in made:
        write_whole(places / f"{manifest.name}.yaml", _yaml(manifest.model_dump(mode="json", exclude_unset=True)))
    for name, instructions in MIXES.items():
        title = "The released corpus, " + (
            "queries with their instructions" if instructions else "without instructions"
        )
        mix = {"name": name, "title": title, "sources": "all", "cap": None, "instructions": instructions}
        write_whole(folder / "mixes" / f"{name}.yaml", _yaml(mix))
    write_whole(folder / "params.yaml", _yaml(params))
    write_whole(folder / ".gitignore", "work/\nout/\n")


def _yaml(data: dict[str, Any]) -> str:
    return str(yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=110))
