"""What the result of each step depends on, as facts that have names: the one place that says what makes one stale.

The facts of a step are its own settings, the versions of its operations, what of the manifests matters to it, the files
that it reads where they lie, and the identities of the step results it reads. A step's file keeps the facts it was
made from; whoever reads the file has them made again from what there is now and compares (`curation.checking`).

Facts hold no time, no absolute path and nothing of the machine: step files are equal in every checkout. Everything
heavy is imported where it is used: a command that asks nothing loads nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curation.settings import Profile
from curation.steps import STEPS, Build, StepResult
from curation.store import digest
from sources import registry
from sources.errors import CorpusError
from sources.hashing import FileHashes
from sources.manifest import Manifest

Facts = dict[str, Any]
RESULT_OF = {"normalise": "rows", "dedup": "clusters", "identify": "verdicts", "mine": "negatives"}
"""Step → what its result is called among the facts of the steps that read it."""


@dataclass(frozen=True)
class Context:
    """What facts are made from.

    Attributes:
        build: the profile as the step was run: with what the command line said.
        inputs: the results of the steps that it reads, by name.
        then: facts that the step's file keeps; empty for a step that is about to run.
        hashes: of files that are read where they lie.
        away: whether those files may be missing: another machine, where nobody reads them, has no need of them.

    """

    build: Build
    inputs: Mapping[str, StepResult]
    then: Facts
    hashes: FileHashes
    away: bool = False

    def settings(self, *sections: str) -> dict[str, Any]:
        """Return sections of the profile."""
        profile = self.build.profile
        return {name: getattr(profile, name).model_dump(mode="json") for name in sections}

    def row_sources(self) -> list[str]:
        """Return the names of the sources that have rows, sorted."""
        return sorted({shard.source for shard in self.inputs["normalise"].shards})


def open_hashes(build: Build) -> FileHashes:
    """Open what is remembered of files that steps read where they lie."""
    return FileHashes(build.root / "work" / "hashes.json")


def names_sets(profile: Profile) -> bool:
    """Tell whether a profile names evaluation sets."""
    settings = profile.decontaminate
    return bool(settings.sets or settings.mteb.tasks or settings.mteb.benchmarks)


def overridden(build: Build, step: str, overrides: Mapping[str, Any]) -> Build:
    """Return the build as a step was run whose command line said more than the profile."""
    if not overrides:
        return build
    profile = build.profile
    if "evaluation" in overrides:
        sets = [*profile.decontaminate.sets, *map(slashed, overrides["evaluation"])]
        changed = profile.decontaminate.model_copy(update={"sets": sets})
        profile = profile.model_copy(update={"decontaminate": changed})
    if "teacher" in overrides:
        from curation.mining.teachers.loading import placed

        teacher = profile.mining.teacher.model_copy(update={"model": placed(overrides["teacher"], build.root)})
        profile = profile.model_copy(update={"mining": profile.mining.model_copy(update={"teacher": teacher})})
    return replace(build, profile=profile, overrides={**build.overrides, step: dict(overrides)})


def slashed(folder: str) -> str:
    """Write a folder so that nobody takes it for the name of a set: with a slash in it."""
    return folder if "/" in folder else f"./{folder}"


def from_root(build: Build, path: Path) -> str:
    """Return a path as seen from the folder of the settings file: the same in every checkout."""
    return Path(os.path.relpath(path.resolve(), build.root.resolve())).as_posix()


_NEEDS: dict[str, tuple[str, ...]] = {
    "fetch": (), "normalise": ("fetch",), "identify": ("normalise",), "dedup": ("normalise",)
}  # fmt: skip


def needs(step: str, build: Build, known: Callable[[str], StepResult | None]) -> tuple[str, ...]:
    """Return the steps whose results a step reads, in the order they run.

    Args:
        step: its name; `mix-<name>` for a mix, `report`.
        build: the profile.
        known: gives the result that a step left, if it left one.

    """
    if step in _NEEDS:
        return _NEEDS[step]
    if step == "decontaminate":
        return ("normalise",) if names_sets(build.profile) else ()
    if step == "report":
        from curation.mix.recipe import built_mixes

        steps = (*STEPS[2:], *(f"mix-{name}" for name in built_mixes(build.profile, build.root)))
        return ("normalise", *(name for name in steps if known(name) is not None))
    tested = ("decontaminate",) if names_sets(build.profile) or known("decontaminate") is not None else ()
    if step == "mine":
        return ("normalise", "dedup", *tested)
    rows = known("normalise")
    judged = ("identify",) if rows is not None and judged_sources(step, build, rows) else ()
    return ("normalise", *judged, "dedup", *tested, "mine")


def judged_sources(step: str, build: Build, rows: StepResult) -> set[str]:
    """Return the sources of a mix whose language verdicts change what it takes: whose word is not just trusted."""
    from curation.mix.recipe import load_recipe

    recipe, trust = load_recipe(step.removeprefix("mix-"), build.root), build.profile.languages.trust
    sources = {shard.source for shard in rows.shards if recipe.holds(shard.source)}
    return {name for name in sources if trust.of(name).policy != "trust-declared"}


def facts_of(step: str, context: Context) -> Facts:
    """Return what the result of a step would be made from now.

    Raises:
        CorpusError: a manifest, a mix file or a setting cannot be read.

    """
    kind = "mix" if step.startswith("mix-") else step
    made: Facts = _FACTS[kind](context, step)
    return made | {"operations": versions_of(kind)}


def _fetch(context: Context, _step: str) -> Facts:
    build, chosen = context.build, context.build.profile.sources
    manifests = build.manifests()
    hub = [m for m in manifests if m.origin.kind == "hub" and m.access.kind != "dead"]
    settings = {"files_per_table": chosen.files_per_table} | ({"endpoint": chosen.endpoint} if hub else {})
    return {
        "settings": {"sources": settings},
        "sources": {m.name: _origin(m) for m in manifests},
        "lock": _locked(hub),
        "raw": raw_facts(context, manifests),
    }


def _origin(manifest: Manifest) -> str:
    """Hash what of a manifest decides which files are fetched."""
    tables = [[key, table.files, table.repo] for key, table in manifest.tables.items()]
    subsets = [[name, subset.vars] for name, subset in manifest.subsets.items()]
    access = manifest.access.model_dump(mode="json") if manifest.access.kind == "dead" else None
    return digest([manifest.origin.model_dump(mode="json"), tables, subsets, access])


def _locked(manifests: list[Manifest]) -> dict[str, str | None] | None:
    """Return what the lock says of each revision that these sources may come from; null where there is no lock."""
    from curation.locking import lock_path
    from sources.fetch.hub import revisions_of
    from sources.lock import read_lock

    lock = read_lock(lock_path()) if manifests else None
    if lock is None:
        return None
    found = {f"{repo} at {ref}": lock.revisions.get((repo, ref)) for m in manifests for repo, ref in revisions_of(m)}
    return {
        name: digest([one.commit, {file: list(said) for file, said in one.files.items()}]) if one else None
        for name, one in found.items()
    }


def raw_facts(context: Context, manifests: list[Manifest]) -> dict[str, dict[str, str]]:
    """Return the raw files that are read where they lie: source → path below `local_root` → identity."""
    from curation.fetching import fetch_options
    from sources.fetch import in_place

    options = replace(fetch_options(context.build), lock=None, hashes=context.hashes)
    then: dict[str, dict[str, str]] = context.then.get("raw", {})
    found: dict[str, dict[str, str]] = {}
    for manifest in manifests:
        if manifest.access.kind == "dead":
            continue
        try:
            listed = [in_place(manifest, subset, options) for subset in manifest.subsets]
        except CorpusError as error:  # there are files, and none of them is what a table asks for
            found[manifest.name] = {"": error.what}
            continue
        if any(listed):
            place = Path(options.local_root or "")
            found[manifest.name] = {
                Path(file.path).relative_to(place).as_posix(): file.identity for files in listed for file in files or ()
            }
        elif context.away and manifest.name in then:
            found[manifest.name] = then[manifest.name]
    return found


def _normalise(context: Context, _step: str) -> Facts:
    from curation.fetching import listed_files
    from curation.normalising import identity_of

    fetched = context.inputs["fetch"]
    taken = [m for m in context.build.manifests() if m.name not in fetched.skipped]
    return {
        "settings": context.settings("normalise"),
        "sources": {m.name: digest([identity_of(m), list(m.tables), list(m.subsets)]) for m in taken},
        "files": {name: digest(subsets) for name, subsets in listed_files(fetched).items()},
        "skipped": dict(fetched.skipped),
    }


def _identify(context: Context, _step: str) -> Facts:
    profile, trust = context.build.profile, context.build.profile.languages.trust
    settings = profile.languages.model_dump(mode="json", exclude={"trust", "model"})
    settings["trust"] = {name: trust.of(name).model_dump(mode="json") for name in context.row_sources()}
    return {
        "settings": {"languages": settings},
        "models": {"languages.model": _language_model(context)},
        "rows": context.inputs["normalise"].identity,
    }


def _language_model(context: Context) -> str:
    from curation.langid.interface import identity

    settings = context.build.profile.languages
    if settings.model is None or settings.backend not in ("bundled", "fasttext"):
        return identity(settings)
    path = Path(settings.model)
    if path.is_file():
        return context.hashes.of(path)
    gone = ":" not in settings.model  # with one it is a file of the Hub, by its name
    return str(context.then.get("models", {}).get("languages.model", settings.model)) if gone else settings.model


def _dedup(context: Context, _step: str) -> Facts:
    manifests = map(registry.load, context.row_sources())
    return {
        "settings": context.settings("dedup"),
        "sources": {m.name: {"family": m.family, "priority": m.priority} for m in manifests},
        "rows": context.inputs["normalise"].identity,
    }


def _decontaminate(context: Context, _step: str) -> Facts:
    settings = context.settings("decontaminate")
    for name in ("sets", "mteb"):  # they say which sets; what follows from it is below
        del settings["decontaminate"][name]
    if not names_sets(context.build.profile):
        return {"settings": {}, "evaluation": {}, "order": []}
    from curation.decontaminate.facts import evaluation_facts

    chosen = evaluation_facts(context.build, context.hashes, context.then.get("evaluation", {}), away=context.away)
    return {
        "settings": settings,
        "evaluation": chosen,
        "order": list(chosen),
        "rows": context.inputs["normalise"].identity,
    }


def _mine(context: Context, _step: str) -> Facts:
    from curation.mining.teachers.loading import model_fact

    settings = context.settings("mining")
    mining, models = context.build.profile.mining, {}
    then = context.then.get("models", {})
    for name, reference in (("teacher", mining.teacher.model), ("second_opinion", mining.second_opinion)):
        kind, models[name] = model_fact(reference, context.hashes, then.get(name))
        settings["mining"][name] = {**settings["mining"]["teacher"], "model": kind} if name == "teacher" else kind
    return {
        "settings": settings,
        "models": models,
        "sources": {name: {"family": registry.load(name).family} for name in context.row_sources()},
        "rows": context.inputs["normalise"].identity,
        "clusters": context.inputs["dedup"].identity,
        "contamination": _contamination(context),
    }


def _contamination(context: Context) -> str | None:
    """Return the identity of the verdicts that were made; null where the step has not been run, or on no set."""
    tested = context.inputs.get("decontaminate")
    return tested.identity if tested is not None and tested.shards else None


def _mix(context: Context, step: str) -> Facts:
    from curation.mix.recipe import load_recipe
    from curation.settings import MixSettings

    name = step.removeprefix("mix-")
    recipe, profile = load_recipe(name, context.build.root), context.build.profile
    settings: dict[str, Any] = {}
    settings["mixes"] = {name: profile.mixes.get(name, MixSettings()).model_dump(mode="json")}
    settings["mining"] = profile.mining.model_dump(mode="json", include={"keep", "pools"})
    kept = {"title", "task", "family", "symmetric", "licence", "citation", "instruction"}
    sources: dict[str, Any] = {}
    for source in context.row_sources():  # of the others, licences of duplicates
        fields = kept if recipe.holds(source) else {"licence"}
        sources[source] = registry.load(source).model_dump(mode="json", include=fields)
    verdicts = context.inputs.get("identify")
    return {
        "settings": settings,
        "recipe": recipe.model_dump(mode="json"),
        "sources": sources,
        "rows": context.inputs["normalise"].identity,
        "verdicts": verdicts.identity if verdicts else None,
        "clusters": context.inputs["dedup"].identity,
        "contamination": _contamination(context),
        "negatives": context.inputs["mine"].identity,
    }


def _report(context: Context, _step: str) -> Facts:
    from curation.evaluation import evaluation_of
    from curation.mix.recipe import load_recipe

    mixes = [step.removeprefix("mix-") for step in context.inputs if step.startswith("mix-")]
    rows = context.inputs["normalise"]
    settings = context.settings("dedup")
    settings["mining"] = context.build.profile.mining.model_dump(mode="json", include={"pools"})
    evaluation = evaluation_of(context.build)
    return {
        "settings": settings,
        "recipes": {name: load_recipe(name, context.build.root).title for name in mixes},
        "sources": {
            name: digest(registry.load(name).model_dump(mode="json"))
            for name in sorted({*rows.stats["sources"], *rows.skipped})
        },
        "results": {step: digest([r.identity, r.stats, r.skipped]) for step, r in context.inputs.items()},
        "evaluation.json": None if evaluation is None else digest(evaluation),
    }


_FACTS: dict[str, Callable[[Context, str], Facts]] = {
    "fetch": _fetch, "normalise": _normalise, "identify": _identify, "dedup": _dedup, "decontaminate": _decontaminate,
    "mine": _mine, "mix": _mix, "report": _report,
}  # fmt: skip


def versions_of(kind: str) -> dict[str, int]:
    """Return the version of every operation of a step, and of what it does beside them."""
    return {operation.__name__.strip("_"): operation.version for operation in operations_of(kind)}


def operations_of(kind: str) -> tuple[Any, ...]:
    """Return the operations of a kind of step: classes with `name` and `version`.

    >>> [operation.name for operation in operations_of("normalise")]
    ['rows']

    """
    if kind == "normalise":
        from curation.normalising import Normalise

        return (Normalise,)
    if kind == "identify":
        from curation.langid.step import Identify
        from curation.langid.verdicts import Judge

        return (Identify, Judge)
    if kind == "dedup":
        from curation.dedup.candidates import Candidates, Fold, Pairs
        from curation.dedup.clustering import Cluster
        from curation.dedup.components import Components
        from curation.dedup.matching import Match
        from curation.dedup.merging import Merge
        from curation.dedup.ordering import Order
        from curation.dedup.shingling import Shingle
        from curation.dedup.signing import Sign

        return (Sign, Order, Fold, Candidates, Pairs, Shingle, Components, Match, Cluster, Merge)
    if kind == "decontaminate":
        from curation.decontaminate.index import BuildIndex
        from curation.decontaminate.rows import Contaminate
        from curation.decontaminate.texts import Gather

        return (Gather, BuildIndex, Contaminate)
    if kind == "mine":
        from curation.mining.aligning import Align, DrawClasses
        from curation.mining.answers import Answers
        from curation.mining.embeddings import Embed
        from curation.mining.pools import Collect
        from curation.mining.searching import Search

        return (Answers, Collect, Embed, Search, Align, DrawClasses)
    return {"fetch": (_Fetching,), "mix": (_Mixing,), "report": (_Reporting,)}[kind]


class _Fetching:
    """No operation, but its results may change as those of one do; so the next two."""

    name = "fetch"
    version = 1


class _Mixing:
    name = "mix"
    version = 1


class _Reporting:
    name = "report"
    version = 1
