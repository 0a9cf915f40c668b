"""Facts: named values that the result of each step depends on. If one of them changes, the result is stale.

The facts of a step are its settings, the versions of its operations, the parts of the manifests that it uses, the files
that it reads in place, and the identities of the step results that it reads. A step's file holds the facts that its
result was made from. Before the result is used, the facts are computed again and compared
(`curation.pipeline.freshness`).

Facts contain no time, no absolute path and nothing about the machine, so step files are equal in every checkout. Heavy
modules are imported inside functions, so that commands that need no facts start fast.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import xxhash

from curation.build import STEPS, Build, Facts, StepResult
from curation.pipeline.operations import versions_of
from curation.settings import Profile
from open_ml_embed.core.errors import CorpusError
from open_ml_embed.core.hashing import FileHashes, digest
from open_ml_embed.core.json_text import loads
from sources.manifest import Manifest

RESULT_OF = {
    "normalize": "rows", "identify": "verdicts", "measure": "quality", "dedup": "clusters", "mine": "negatives"
}  # fmt: skip
"""Step → name of its result in the facts of the steps that read it."""


@dataclass(frozen=True)
class Context:
    """The inputs from which facts are computed.

    Attributes:
        build: the profile with the overrides of the command line that the step was run with.
        inputs: results of the steps that it reads, by name.
        then: facts in the step's file; empty for a step that is about to run.
        hashes: cache of hashes of files that are read in place.
        away: whether those files may be missing, as on a machine that only uses the results.

    """

    build: Build
    inputs: Mapping[str, StepResult]
    then: Facts
    hashes: FileHashes
    away: bool = False


def names_sets(profile: Profile) -> bool:
    """Tell whether a profile names evaluation sets."""
    settings = profile.decontaminate
    return bool(settings.sets or settings.mteb.tasks or settings.mteb.benchmarks)


_NEEDS: dict[str, tuple[str, ...]] = {
    "fetch": (),
    "normalize": ("fetch",),
    "identify": ("normalize",),
    "measure": ("normalize",),
    "dedup": ("normalize",),
}


def needs(step: str, build: Build, known: Callable[[str], StepResult | None]) -> tuple[str, ...]:
    """Return the steps whose results a step reads, in the order in which they run.

    Args:
        step: its name; `mix-<name>` for a mix.
        build: the profile.
        known: returns the result of a step; null if it has none.

    """
    if step in _NEEDS:
        return _NEEDS[step]
    if step == "decontaminate":
        return ("normalize",) if names_sets(build.profile) else ()
    if step == "report":
        from curation.mixing.recipe import built_mixes

        steps = (*STEPS[2:], *(f"mix-{name}" for name in built_mixes(build.profile, build.root)))
        return ("normalize", *(name for name in steps if known(name) is not None))
    decontaminate = ("decontaminate",) if names_sets(build.profile) or known("decontaminate") is not None else ()
    if step == "mine":
        return ("normalize", "dedup", *decontaminate)
    from curation.mixing.step.judged import reads_languages, reads_quality

    rows = known("normalize")
    identify = ("identify",) if rows is not None and reads_languages(step, build, rows) else ()
    measure = ("measure",) if rows is not None and reads_quality(step, build, rows) else ()
    return ("normalize", *identify, *measure, "dedup", *decontaminate, "mine")


def facts_of(step: str, context: Context) -> Facts:
    """Compute the current facts of a step: declared ones, and those measured from files and other results.

    Args:
        step: its name; `mix-<name>` for a mix.
        context: the inputs.

    Raises:
        CorpusError: a manifest, a mix file or a setting cannot be read.

    """
    kind = "mix" if step.startswith("mix-") else step
    stated = declared(step, context.build, _sources_of(kind, context))
    return stated | _MEASURED[kind](context, stated)


def declared(step: str, build: Build, sources: Iterable[Manifest]) -> Facts:
    """Return the facts of a step from settings, manifests and mix files, and the versions of its operations.

    They are known before any step has run, so DVC depends on them too (`curation.pipeline.dvc_inputs`).

    Args:
        step: its name; `mix-<name>` for a mix.
        build: the profile.
        sources: manifests of the sources that the step reads: all of the profile, or those that have rows.

    """
    kind = "mix" if step.startswith("mix-") else step
    stated: Facts = _DECLARED[kind](build, step, list(sources))
    return stated | {"operations": versions_of(kind)}


def _sources_of(kind: str, context: Context) -> list[Manifest]:
    """Return the manifests of the sources that the step's inputs hold, not of all sources in the profile."""
    if kind in ("fetch", "normalize"):
        skipped = context.inputs["fetch"].skipped if kind == "normalize" else {}
        return [manifest for manifest in context.build.manifests() if manifest.name not in skipped]
    if kind == "decontaminate":  # it reads all rows and no manifest
        return []
    rows = context.inputs["normalize"]
    names = {*rows.stats["sources"], *rows.skipped} if kind == "report" else set(rows.shards.column("source"))
    return [context.build.manifest(name) for name in sorted(names)]


def _sections(profile: Profile, *names: str) -> dict[str, Any]:
    return {name: getattr(profile, name).model_dump(mode="json") for name in names}


def _declared_fetch(build: Build, _step: str, manifests: list[Manifest]) -> Facts:
    chosen = build.profile.sources
    settings: dict[str, Any] = {"files_per_table": chosen.files_per_table} | (
        {"endpoint": chosen.endpoint} if _hub_sources(manifests) else {}
    )
    if chosen.allow_missing:
        settings["allow_missing"] = sorted(chosen.allow_missing)
    return {"settings": {"sources": settings}, "sources": {m.name: _origin(m) for m in manifests}}


def _declared_normalize(build: Build, _step: str, manifests: list[Manifest]) -> Facts:
    from curation.normalize.identity import identity_of

    sources = {m.name: digest([identity_of(m), list(m.tables), list(m.subsets)]) for m in manifests}
    return {"settings": _sections(build.profile, "normalize"), "sources": sources}


def _declared_identify(build: Build, _step: str, manifests: list[Manifest]) -> Facts:
    languages = build.profile.languages
    settings = languages.model_dump(mode="json", exclude={"trust", "model"})
    settings["trust"] = {m.name: languages.trust.of(m.name).model_dump(mode="json") for m in manifests}
    return {"settings": {"languages": settings}}


def _declared_measure(_build: Build, _step: str, manifests: list[Manifest]) -> Facts:
    return {"settings": {}, "sources": {m.name: {"task": m.task} for m in manifests}}


def _declared_dedup(build: Build, _step: str, manifests: list[Manifest]) -> Facts:
    sources = {m.name: {"family": m.family, "priority": m.priority} for m in manifests}
    return {"settings": _sections(build.profile, "dedup"), "sources": sources}


def _declared_decontaminate(build: Build, _step: str, _manifests: list[Manifest]) -> Facts:
    if not names_sets(build.profile):
        return {"settings": {}}
    # the names of the sets are not declared: the sets that they select are measured
    settings = build.profile.decontaminate.model_dump(mode="json", exclude={"sets", "mteb"})
    return {"settings": {"decontaminate": settings}}


def _declared_mine(build: Build, _step: str, manifests: list[Manifest]) -> Facts:
    return {
        "settings": _sections(build.profile, "mining"),
        "sources": {m.name: {"family": m.family, "task": m.task} for m in manifests},
    }


def _subset_instructions(manifest: Manifest) -> Facts:
    stated = {name: subset.instruction for name, subset in manifest.subsets.items() if subset.instruction}
    return {"subset_instructions": stated} if stated else {}


def _declared_mix(build: Build, step: str, manifests: list[Manifest]) -> Facts:
    from curation.mixing.capping import cap_group, group_name
    from curation.mixing.recipe import load_recipe
    from curation.mixing.settings import MixSettings

    name = step.removeprefix("mix-")
    recipe, profile = load_recipe(name, build.root), build.profile
    settings: dict[str, Any] = {}
    settings["mixes"] = {name: profile.mixes.get(name, MixSettings()).model_dump(mode="json")}
    settings["mining"] = profile.mining.model_dump(mode="json", include={"num_negatives", "pools"})
    thresholds = {m.name: profile.quality.of(m.name) for m in manifests if recipe.holds(m.name)}
    if any(thresholds.values()):
        settings["quality"] = {
            source: {figure: bounds.model_dump(mode="json") for figure, bounds in of.stated()}
            for source, of in thresholds.items()
            if of
        }
    kept = {"title", "task", "family", "symmetric", "license", "citation", "instruction"}
    sources = {  # for sources outside the mix only the license, which duplicates need
        m.name: m.model_dump(mode="json", include=kept if recipe.holds(m.name) else {"license"})
        | (_subset_instructions(m) if recipe.holds(m.name) else {})
        for m in manifests
    }
    facts = {"settings": settings, "recipe": recipe.model_dump(mode="json"), "sources": sources}
    if recipe.cap_of == "source":
        return facts
    held = [m for m in manifests if recipe.holds(m.name)]
    groups = {m.name: {subset: group_name(cap_group(recipe, m, subset)) for subset in m.subsets} for m in held}
    return facts | {"cap_groups": groups}


SHOWN_NOWHERE: dict[str, Any] = {
    "train": True, "work": True, "sources": {"local_root", "hub_connections", "url_connections"}
}  # fmt: skip
"""Settings that the report does not show: those of training, where shards lie, and how this machine gets raw files."""
_PATHS: dict[str, Any] = {"languages": {"model"}, "mining": {"teacher": {"model"}, "second_opinion": True}}
"""Settings that may hold a path, relative to the current directory; the results of their steps tell of a change."""


def _declared_report(build: Build, _step: str, manifests: list[Manifest]) -> Facts:
    from curation.mixing.recipe import built_mixes, load_recipe

    mixes = built_mixes(build.profile, build.root)
    return {
        "settings": build.profile.model_dump(mode="json", exclude=SHOWN_NOWHERE | _PATHS),
        "recipes": {name: load_recipe(name, build.root).model_dump(mode="json") for name in mixes},
        "sources": {m.name: digest(m.model_dump(mode="json")) for m in manifests},
    }


_DECLARED: dict[str, Callable[[Build, str, list[Manifest]], Facts]] = {
    "fetch": _declared_fetch,
    "normalize": _declared_normalize,
    "identify": _declared_identify,
    "measure": _declared_measure,
    "dedup": _declared_dedup,
    "decontaminate": _declared_decontaminate,
    "mine": _declared_mine,
    "mix": _declared_mix,
    "report": _declared_report,
}


def _hub_sources(manifests: Iterable[Manifest]) -> list[Manifest]:
    return [m for m in manifests if m.origin.kind == "hub" and m.access.kind != "dead"]


def _fetch(context: Context, _stated: Facts) -> Facts:
    manifests = context.build.manifests()
    return {"lock": _locked(context.build, _hub_sources(manifests)), "raw": raw_facts(context, manifests)}


def _origin(manifest: Manifest) -> str:
    """Hash the parts of a manifest that determine which files are fetched."""
    tables = [[key, table.files, table.repo] for key, table in manifest.tables.items()]
    subsets = [[name, subset.vars] for name, subset in manifest.subsets.items()]
    access = manifest.access.model_dump(mode="json") if manifest.access.kind == "dead" else None
    return digest([manifest.origin.model_dump(mode="json"), tables, subsets, access])


def _locked(build: Build, manifests: list[Manifest]) -> dict[str, str | None] | None:
    """Return revision → hash of its entry in the lock, for all revisions of these sources; null without a lock."""
    from curation.raw_files import lock_path
    from sources.fetch.hub import revisions_of
    from sources.lock import read_lock

    lock = read_lock(lock_path(build)) if manifests else None
    if lock is None:
        return None
    locked_revisions = {
        f"{repo} at {ref}": lock.revisions.get((repo, ref)) for m in manifests for repo, ref in revisions_of(m)
    }
    return {
        name: digest([revision.commit, {file: list(file_facts) for file, file_facts in revision.files.items()}])
        if revision
        else None
        for name, revision in locked_revisions.items()
    }


def raw_facts(context: Context, manifests: list[Manifest]) -> dict[str, dict[str, str]]:
    """Return the raw files that are read in place: source → path below `local_root` → identity."""
    from curation.raw_files import fetch_options
    from sources.fetch import in_place

    options = replace(fetch_options(context.build), lock=None, hashes=context.hashes)
    earlier: dict[str, dict[str, str]] = context.then.get("raw", {})
    facts: dict[str, dict[str, str]] = {}
    for manifest in manifests:
        if manifest.access.kind == "dead":
            continue
        try:
            files_of_subsets = [in_place(manifest, subset, options) for subset in manifest.subsets]
        except CorpusError as error:  # the folder has files, but none matches a table
            facts[manifest.name] = {"": error.what}
            continue
        if any(files_of_subsets):
            root = Path(options.local_root or "")
            facts[manifest.name] = {
                Path(file.path).relative_to(root).as_posix(): file.identity
                for files in files_of_subsets
                for file in files or ()
            }
        elif context.away and manifest.name in earlier:
            facts[manifest.name] = earlier[manifest.name]
    return facts


def _normalize(context: Context, _stated: Facts) -> Facts:
    from curation.raw_files import listed_files

    fetched = context.inputs["fetch"]
    files = {name: digest(subsets) for name, subsets in listed_files(fetched).items()}
    return {"files": files, "skipped": dict(fetched.skipped)}


def _identify(context: Context, _stated: Facts) -> Facts:
    return {"models": {"languages.model": _language_model(context)}, "rows": context.inputs["normalize"].identity}


def _language_model(context: Context) -> str:
    from curation.langid.identity import identity

    settings = context.build.profile.languages
    if settings.model is None or settings.backend not in ("bundled", "fasttext"):
        return identity(settings)
    path = Path(settings.model)
    if path.is_file():
        return context.hashes.of(path)
    is_path = ":" not in settings.model  # a colon marks a file on the Hub, identified by its name
    return str(context.then.get("models", {}).get("languages.model", settings.model)) if is_path else settings.model


def _measure(context: Context, _stated: Facts) -> Facts:
    return {"rows": context.inputs["normalize"].identity}


def _dedup(context: Context, _stated: Facts) -> Facts:
    return {"rows": context.inputs["normalize"].identity}


def _decontaminate(context: Context, _stated: Facts) -> Facts:
    if not names_sets(context.build.profile):
        return {"evaluation": {}, "order": []}
    from curation.decontamination.step.dependencies import evaluation_facts

    chosen = evaluation_facts(context.build, context.hashes, context.then.get("evaluation", {}), away=context.away)
    return {"evaluation": chosen, "order": list(chosen), "rows": context.inputs["normalize"].identity}


def _mine(context: Context, stated: Facts) -> Facts:
    from curation.mining.teachers.loading import model_fact

    settings, models = stated["settings"], {}
    mining, earlier = context.build.profile.mining, context.then.get("models", {})
    for name, reference in (("teacher", mining.teacher.model), ("second_opinion", mining.second_opinion)):
        # a name of the model that does not depend on its path
        name_of_model, models[name] = model_fact(reference, context.hashes, earlier.get(name))
        settings["mining"][name] = (
            {**settings["mining"]["teacher"], "model": name_of_model} if name == "teacher" else name_of_model
        )
    return {
        "settings": settings,
        "models": models,
        "rows": context.inputs["normalize"].identity,
        "clusters": context.inputs["dedup"].identity,
        "contamination": _contamination(context),
    }


def _contamination(context: Context) -> str | None:
    """Return the identity of the contamination verdicts; null if the step has not been run, or ran without any set."""
    result = context.inputs.get("decontaminate")
    return result.identity if result is not None and result.shards else None


def _mix(context: Context, _stated: Facts) -> Facts:
    verdicts, measured = context.inputs.get("identify"), context.inputs.get("measure")
    quality = {"quality": measured.identity} if measured else {}
    return {
        "rows": context.inputs["normalize"].identity,
        "verdicts": verdicts.identity if verdicts else None,
        **quality,
        "clusters": context.inputs["dedup"].identity,
        "contamination": _contamination(context),
        "negatives": context.inputs["mine"].identity,
    }


def _report(context: Context, stated: Facts) -> Facts:
    made = [step.removeprefix("mix-") for step in context.inputs if step.startswith("mix-")]
    return {
        "recipes": {name: stated["recipes"][name] for name in made},
        "results": {step: digest([r.identity, r.stats, r.skipped]) for step, r in context.inputs.items()},
        "evaluation.json": _json_digest(context.build.out / "evaluation.json"),
        "tokenizer": _tokenizer_digest(context.build),
    }


def _tokenizer_digest(build: Build) -> str | None:
    """Hash the file of the tokenizer that the report uses; null if there is none."""
    named = build.profile.report.tokenizer
    path = build.root / named if named else None
    path = path / "tokenizer.json" if path and path.is_dir() else path
    return xxhash.xxh3_128_hexdigest(path.read_bytes()) if path and path.is_file() else None


def _json_digest(path: Path) -> str | None:
    """Hash the content of a JSON file; null if it is missing or unreadable."""
    try:
        return digest(loads(path.read_text("utf-8")))
    except (FileNotFoundError, ValueError):
        return None


_MEASURED: dict[str, Callable[[Context, Facts], Facts]] = {
    "fetch": _fetch,
    "normalize": _normalize,
    "identify": _identify,
    "measure": _measure,
    "dedup": _dedup,
    "decontaminate": _decontaminate,
    "mine": _mine,
    "mix": _mix,
    "report": _report,
}
