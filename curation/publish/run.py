"""Publishes a mix: files, card, licenses and statistics, without sources whose licenses do not allow it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from curation.build import Build
from curation.mixing.files import LOCATIONS, SPLITS, MixFiles
from curation.publish.card import LICENSES, Facts, licenses, published_card
from curation.publish.left_out import LeftOut, write_without
from curation.publish.private import check_texts, publishable
from curation.publish.upload import CARD, File, Published, Repository, content_of, publish, sizes_of
from open_ml_embed.core.errors import PublishError, StageError, UnknownNameError
from open_ml_embed.core.optional import check_installed
from open_ml_embed.core.scratch import scratch_folder
from open_ml_embed.core.sealed import undamaged
from sources.documents import is_corpus
from sources.manifest import Manifest

FOLDERS = ("samples/", "documents/", "statistics/")


@dataclass(frozen=True)
class PublishedMix:
    """What was published of a mix.

    Attributes:
        published: repository, files and commit.
        without: what was left out; null where nothing was.

    """

    published: Published
    without: LeftOut | None


def publish_mix(
    mix: Path,
    to: Repository,
    *,
    manifest_of: Callable[[str], Manifest],
    build: Build | None = None,
    without: Sequence[str] = (),
    dry_run: bool = False,
) -> PublishedMix:
    """Publish a mix.

    Args:
        mix: its folder.
        to: the repository, which is made if it is not there.
        manifest_of: returns the manifest of a source.
        build: that made the mix, for its settings and evaluation sets; null: they are not known.
        without: sources to leave out.
        dry_run: return what would be uploaded; nothing is sent or asked.

    Raises:
        UnknownNameError: a source to leave out is not in the mix.
        PublishError: the license of a source does not allow to publish it; or see `upload.publish`.
        TransientError: the Hub may answer later.
        StageError: the mix is damaged.

    """
    check_installed("huggingface_hub", what="publishing", where=to.where)
    files = MixFiles(mix)
    sources = _sources(files)
    for source in without:
        if source not in sources:
            raise UnknownNameError("source", source, sorted(sources), where="--without")
    _check_licenses(sorted(sources - set(without)), manifest_of, to)
    with ExitStack() as stack:
        left = None
        if without:
            folder = stack.enter_context(scratch_folder("published", mix.resolve().parent.parent))
            left = write_without(files, set(without), folder)
            files = MixFiles(folder)
            sources = _sources(files)  # those too that only had samples of others
        stats = _statistics(files)
        manifests = [manifest_of(source) for source in sorted(stats["sources"])]
        facts = _facts(mix, stats, manifests, build)
        corpora = [m for m in map(manifest_of, sorted(sources)) if is_corpus(m)]
        facts = replace(facts, left_out=sorted(without), corpora=corpora)
        content = _content(files, facts, to.name)
        content[LICENSES] = licenses([manifest_of(source) for source in sorted(sources)]).encode()
        texts = {name: content_of(data) for name, data in content.items() if isinstance(data, bytes)}
        check_texts(texts, build.root if build else mix.parent, to.where)
        if dry_run:
            return PublishedMix(Published(to.name, sizes_of(content)), left)
        message = f"Mix {mix.resolve().name}: {stats['counts']['samples']:,} samples"
        return PublishedMix(publish(to, content, message=message, folders=FOLDERS), left)


def _sources(files: MixFiles) -> set[str]:
    """Return the sources of all samples, those included that have them too, and of all documents."""
    found: set[str] = set()
    for split in SPLITS:
        for batch in files.read(split, ["source", "provenance"]):
            found |= set(batch["source"].unique().to_pylist())
            found |= {name.partition("/")[0] for name in batch["provenance"].flatten().unique().to_pylist()}
    for batch in files.read("documents", ["source"]):
        found |= set(batch["source"].unique().to_pylist())
    return found


def _check_licenses(sources: Sequence[str], manifest_of: Callable[[str], Manifest], to: Repository) -> None:
    refused = [name for name in sources if not manifest_of(name).license.redistribution]
    if refused:
        named = ", ".join(f"{name} ({manifest_of(name).license.id})" for name in refused)
        raise PublishError(
            f"licenses that do not allow to publish: {named}",
            where=to.where,
            remedy=f"leave them out: {' '.join(f'--without {name}' for name in refused)}",
        )


def _statistics(files: MixFiles) -> dict[str, Any]:
    """Return what the card says, counted in the files: those of the build do not know what is left out."""
    counts: Counter[str] = Counter(documents=files.rows("documents"))
    languages: Counter[str] = Counter()
    sources: dict[str, Counter[str]] = {}
    for split in SPLITS:
        for batch in files.read(split, ["source", "language", "positive_language"]):
            counts[split] += batch.num_rows
            for entry in batch["source"].value_counts().to_pylist():
                sources.setdefault(entry["values"], Counter(train=0, validation=0))[split] += entry["counts"]
            same = pc.equal(batch["language"], batch["positive_language"])
            for column in (batch["language"], batch["positive_language"].filter(pc.invert(same))):
                languages.update({entry["values"]: entry["counts"] for entry in column.value_counts().to_pylist()})
    counts["samples"] = counts["train"] + counts["validation"]
    return {"counts": counts, "languages": dict(sorted(languages.items())), "sources": sources}


def _facts(mix: Path, stats: dict[str, Any], manifests: list[Manifest], build: Build | None) -> Facts:
    title = mix.resolve().name
    if build is None:
        return Facts(title, stats, manifests)
    from curation.mixing.recipe import load_recipe

    recipe = load_recipe(mix.resolve().name, build.root)
    settings = publishable(build.profile.model_dump(mode="json", exclude_defaults=True), build.root)
    found = _contamination(build, set(stats["sources"]))
    return Facts(recipe.title, stats, manifests, settings, found, selection=list(recipe.lines()))


def _contamination(build: Build, sources: set[str]) -> dict[str, dict[str, int]] | None:
    """Return evaluation set → source → rows with a text of it; null if the step has not run."""
    record = undamaged(build.out / "steps" / "decontaminate.json")
    if record is None:
        return None
    stats = record["stats"]
    found: dict[str, dict[str, int]] = {name: {} for name in stats["tasks"]}
    for source, of in stats["sources"].items():
        for task, counts in of["tasks"].items():
            if source in sources:
                rows = sum(number for side in counts["rows"].values() for number in side.values())
                found.setdefault(task, {})[source] = rows
    return found


def _content(files: MixFiles, facts: Facts, repository: str) -> dict[str, File]:
    content: dict[str, File] = {
        f"{LOCATIONS[kind][0]}/{path.name}": path for kind in (*SPLITS, "documents") for path in files.files(kind)
    }
    for name, rows in _tables(facts).items():
        lines = ["\t".join(map(str, row)) for row in rows]
        content[f"statistics/{name}.tsv"] = ("\n".join(lines) + "\n").encode()
    content[CARD] = published_card(facts, repository).encode()
    return content


def _tables(facts: Facts) -> dict[str, list[Sequence[object]]]:
    sources: Mapping[str, Mapping[str, int]] = facts.stats["sources"]
    tables: dict[str, list[Sequence[object]]] = {
        "languages": [("language", "samples"), *facts.stats["languages"].items()],
        "sources": [
            ("source", "train", "validation", "license"),
            *((m.name, sources[m.name]["train"], sources[m.name]["validation"], m.license.id) for m in facts.manifests),
        ],
    }
    if facts.contamination is not None:
        rows = [(name, *item) for name, of in sorted(facts.contamination.items()) for item in sorted(of.items())]
        tables["contamination"] = [("evaluation_set", "source", "rows_left_out"), *rows]
    return tables


def manifest_finder(mix: Path, build: Build | None) -> Callable[[str], Manifest]:
    """Return what finds the manifest of a source: of the build's project before others."""
    from sources import registry

    def manifest_of(source: str) -> Manifest:
        try:
            return build.manifest(source) if build else registry.load(source)
        except UnknownNameError as error:
            raise StageError(
                f"the source {source} of this mix has no manifest: {error.remedy}",
                where=str(mix),
                remedy=f"put manifests/sources/{source}.yaml beside params.yaml, or leave it out: --without {source}",
            ) from None

    return manifest_of
