"""`curate plan`: rows, download, hours and licenses of a build, computed from the manifests before any work.

The size of raw files comes from `curate probe` if it has probed a source with its current manifest, otherwise from the
manifest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curation.build import Build
from curation.langid.step.verdicts import NOT_NAMED
from curation.mixing.capping import expected_under_cap
from curation.mixing.recipe import Recipe, built_mixes, load_recipe
from curation.mixing.shares import quotas_of
from curation.pipeline.estimate import basis, basis_lines, hours, load_rates, size_of
from curation.pipeline.expected_rows import expected_rows, rows_passing
from curation.pipeline.source_filter import Filter
from curation.probe.run import Kept, kept_probe, locked_commits
from curation.raw_files import fetch_options
from curation.report import published
from open_ml_embed.core.fitting_table import Table
from open_ml_embed.core.terminal import Terminal
from sources.documents import is_corpus
from sources.manifest import Manifest


@dataclass(frozen=True)
class Download:
    """Size of a source's raw files.

    Attributes:
        bytes: of all files; null if unknown.
        basis: how the size was estimated, if it is only an order of magnitude.
        probed: whether the size comes from a probe.
        records: number of records from the footers of the files, if a probe found all of them.
        not_locked: revisions that were probed at another commit than that of the lock: (revision, probed, locked).

    """

    bytes: int | None
    basis: str = ""
    probed: bool = False
    records: int | None = None
    not_locked: tuple[tuple[str, str, str], ...] = ()


def downloads(build: Build, manifests: Sequence[Manifest]) -> dict[str, Download]:
    """Return source → size of its raw files, from a probe if there is one, otherwise from the manifest."""
    options = fetch_options(build)
    downloads = {}
    for manifest in manifests:
        kept = kept_probe(build, manifest)
        known = kept is not None and kept.found["size"]["bytes"] is not None
        downloads[manifest.name] = (
            _probed(kept, locked_commits(manifest, options)) if kept and known else stated(manifest)
        )
    return downloads


def stated(manifest: Manifest) -> Download:
    """Return the size of the raw files that a manifest states."""
    return Download(manifest.download, manifest.download_basis)


def _probed(kept: Kept, locked: Mapping[str, str | None]) -> Download:
    probed = {f"{read['repo']} at {read['ref']}": str(read["commit"]) for read in kept.found["revisions"]}
    compared = ((revision, commit, locked.get(revision)) for revision, commit in sorted(probed.items()))
    return Download(
        kept.found["size"]["bytes"],
        probed=True,
        records=kept.found["size"]["records"],
        not_locked=tuple(
            (revision, commit, locked_commit)
            for revision, commit, locked_commit in compared
            if locked_commit is not None and locked_commit != commit
        ),
    )


_PUBLISHED = ("ml-embed", "f2llm-v2")
"""Collections whose languages are those of the published corpus, so that the plan prints the comparison."""
LOSSES = {
    "license commercial": Filter(license="commercial"),
    "license redistribution": Filter(license="redistribution"),
    "no token (without gated)": Filter(access="open,manual"),
    "open access only (no gated or manual sources)": Filter(access="open"),
}
"""Restriction → filter of the sources that remain under it."""


def make_plan(build: Build, chosen: Filter | None = None, *, workers: int = 1) -> dict[str, Any]:
    """Return the plan of a profile as data for JSON.

    Row counts are those of the published corpus (measured for the offline sources), or what a pilot keeps of them
    (`curation.pipeline.expected_rows`). The corpus and each mix have the same sums; those of a mix are after its cap,
    except ``download``, because raw files are fetched whole. ``files_per_table`` repeats the profile's setting: with
    it, less is downloaded than stated.

    ``download`` adds up known sizes: of ``of_sources`` sources in all, of them ``probed`` from a probe and
    ``approximate`` as an order of magnitude; ``unknown`` sources have no size. ``not_locked`` lists revisions that were
    probed at another commit than that of the lock. ``languages`` counts the languages that manifests declare, and
    ``undeclared`` the sources whose raw records name the language. ``basis`` explains the estimate of ``hours``.

    Args:
        build: the profile.
        chosen: restricts the plan to some of its sources.
        workers: number of workers, for the hours.

    """
    everything = build.manifests()
    manifests = (chosen or Filter()).choose(everything)
    rows = {m.name: expected_rows(m, build.profile) for m in everything}
    rates = load_rates(build.root)
    size = size_of(rates, ((m.task, rows[m.name], len(m.subsets)) for m in manifests))
    raw = downloads(build, everything)
    natural, programming = _codes(manifests)
    code = _beside({tag.removesuffix("-Code") for tag in programming}, published.programming_languages())
    code["labels"] = published.labels()
    return {
        "profile": build.name,
        "collection": build.profile.sources.collection,
        "sources": len(manifests),
        "subsets": sum(len(m.subsets) for m in manifests),
        "corpus": _sums(manifests, rows, raw),
        "published": {"languages": _beside(natural, published.languages()), "programming_languages": code},
        "mixes": {name: _mix(build, name, manifests, rows, raw) for name in built_mixes(build.profile, build.root)},
        "not_locked": [
            {"source": m.name, "revision": at, "probed": probed, "locked": locked}
            for m in manifests
            for at, probed, locked in raw[m.name].not_locked
        ],
        "lost": {what: _lost(build, manifests, left.choose(everything), rows) for what, left in LOSSES.items()},
        "hours": hours(rates, size, workers),
        "basis": basis(rates, build.profile, size, workers),
        "files_per_table": build.profile.sources.files_per_table,
        "by_source": [entry(m, raw[m.name]) | {"rows": rows[m.name]} for m in manifests],
    }


def _sums(manifests: Sequence[Manifest], rows: Mapping[str, int], raw: Mapping[str, Download]) -> dict[str, Any]:
    """Add up sources.

    Args:
        manifests: of the sources.
        rows: source → number of rows.
        raw: source → size of its raw files.

    """

    def rows_by(key: Callable[[Manifest], str]) -> dict[str, int]:
        counts = Counter[str]()
        for manifest in manifests:
            counts[key(manifest)] += rows[manifest.name]
        return dict(sorted(counts.items()))

    natural, programming = _codes(manifests)
    return {
        "rows": sum(rows[m.name] for m in manifests),
        "families": rows_by(lambda m: m.family),
        "tasks": rows_by(lambda m: m.task),
        "licenses": rows_by(lambda m: m.license.id),
        "access": rows_by(lambda m: m.access.kind),
        "languages": len(natural),
        "programming_languages": len(programming),
        "undeclared": sum(bool(m.language_columns()) for m in manifests),
        "download": _download([raw[m.name] for m in manifests]),
    }


def _download(raw: Sequence[Download]) -> dict[str, int]:
    known = [download.bytes for download in raw if download.bytes is not None]
    return {
        "bytes": sum(known),
        "of_sources": len(known),
        "probed": sum(download.probed for download in raw),
        "approximate": sum(bool(download.basis) for download in raw),
        "unknown": len(raw) - len(known),
    }


def _codes(manifests: Sequence[Manifest]) -> tuple[set[str], set[str]]:
    tags = {tag for m in manifests for tag in m.languages()}
    programming = {tag for tag in tags if tag.endswith("-Code")}
    return {tag.rpartition("-")[0] for tag in tags - programming} - NOT_NAMED, programming


def _beside(declared: set[str], of_release: Iterable[str]) -> dict[str, Any]:
    """Compare declared languages with those of the published corpus."""
    known = set(of_release)
    return {
        "published": len(known),
        "declared": len(known & declared),
        "missing": sorted(known - declared),
        "more": sorted(declared - known),
    }


def _mix(
    build: Build,
    name: str,
    manifests: Sequence[Manifest],
    rows: Mapping[str, int],
    raw: Mapping[str, Download],
) -> dict[str, Any]:
    recipe, cap = _recipe(build, name)
    of_mix = _mix_rows(build, name, manifests, rows)
    return {
        **_sums([m for m in manifests if m.name in of_mix], of_mix, raw),
        "cap": cap,
        "cap_of": recipe.cap_of,
        "sources": of_mix,
        "selection": dict(recipe.lines()),
        "not_estimated": [
            setting
            for setting, _ in recipe.filters.lines()
            if setting not in ("families", "tasks", "allows", "licenses", "languages")
        ],
    }


def _recipe(build: Build, name: str) -> tuple[Recipe, int | None]:
    """Return a mix file, and the cap on a source that it has none of its own for."""
    recipe, settings = load_recipe(name, build.root), build.profile.mixes.get(name)
    return recipe, (settings.cap if settings else None) or recipe.cap


def _mix_rows(build: Build, name: str, manifests: Sequence[Manifest], rows: Mapping[str, int]) -> dict[str, int]:
    """Return source → rows of a mix after its filters and caps, and of those the ones that it draws."""
    recipe, _ = _recipe(build, name)
    settings = build.profile.mixes.get(name)
    held = [m for m in manifests if recipe.holds(m.name) and not is_corpus(m)]
    passing = {m.name: rows_passing(m, rows[m.name], recipe.filters) for m in held}
    left = expected_under_cap(recipe, settings.cap if settings else None, held, passing)
    if recipe.samples is None:
        return left
    quotas = quotas_of(left, recipe.samples, recipe.weights, recipe.temperature)
    return dict(zip(left, quotas.tolist(), strict=True))


def _lost(
    build: Build, manifests: Sequence[Manifest], left: Sequence[Manifest], rows: Mapping[str, int]
) -> dict[str, Any]:
    """Return what a restriction costs: the sources, rows and languages that are not among those left."""
    kept = [m for m in manifests if m in left]
    gone = [m for m in manifests if m not in left]
    mixes = {
        name: sum(_mix_rows(build, name, manifests, rows).values()) - sum(_mix_rows(build, name, kept, rows).values())
        for name in built_mixes(build.profile, build.root)
    }
    languages = _codes(manifests)[0] - _codes(kept)[0]
    return {
        "sources": [m.name for m in gone],
        "rows": sum(rows[m.name] for m in gone),
        "mixes": mixes,
        "languages": sorted(languages),
    }


def entry(manifest: Manifest, raw: Download | None = None) -> dict[str, Any]:
    """Return the entry of a source in a table of sources.

    Args:
        manifest: of the source.
        raw: size of its raw files; null: as the manifest states.

    """
    raw = raw or stated(manifest)
    return {
        "name": manifest.name,
        "title": manifest.title,
        "family": manifest.family,
        "task": manifest.task,
        "rows": manifest.samples,
        "subsets": len(manifest.subsets),
        "languages": manifest.language_count(),
        "license": manifest.license.id,
        "commercial": manifest.license.commercial,
        "redistribution": manifest.license.redistribution,
        "access": manifest.access.kind,
        "download": raw.bytes,
        "download_basis": raw.basis,
        "download_from": None if raw.bytes is None else "probe" if raw.probed else "manifest",
        "records": raw.records,
        "origin": manifest.origin.kind,
    }


def print_plan(plan: dict[str, Any]) -> None:
    """Print the plan as tables."""
    console = Terminal()
    corpus = plan["corpus"]
    console.print(source_table(f"profile {plan['profile']}", plan["by_source"]))
    console.print(
        f"{plan['sources']} sources, {plan['subsets']} subsets, {corpus['rows']:,} rows; declared: "
        f"{corpus['languages']} languages and {corpus['programming_languages']} programming languages, while "
        f"{corpus['undeclared']} sources tell theirs by row"
    )
    if plan["collection"] in _PUBLISHED:
        for kind, found in plan["published"].items():
            console.print(_beside_line(kind.replace("_", " "), found))
    download = corpus["download"]
    console.print(
        f"raw files: {size(download['bytes'])}, known of {download['of_sources']} of {plan['sources']} sources "
        f"(of {download['probed']} from `curate probe`, marked *, of {download['approximate']} roughly, marked ~); "
        f"unknown for the other {download['unknown']}"
    )
    if plan["files_per_table"] is not None:
        console.print(f"of these, at most {plan['files_per_table']} of each table's files, if no others refer to it")
    for skew in plan["not_locked"]:
        console.print(
            f"{skew['source']}: {skew['revision']} was probed at {skew['probed'][:12]}, and the lock has "
            f"{skew['locked'][:12]}; `curate probe {skew['source']}` looks at what will be fetched"
        )
    mixes = {f"mix {name}": mix for name, mix in plan["mixes"].items()}
    console.print(_sums_table({"corpus": {**corpus, "sources": plan["by_source"]}, **mixes}))
    for name, mix in plan["mixes"].items():
        whose = "source" if mix["cap_of"] == "source" else "released file, an upper bound"
        cap = f"at most {mix['cap']:,} a {whose}" if mix["cap"] else "uncapped"
        taken = sum(count > 0 for count in mix["sources"].values()) if mix["selection"] else len(mix["sources"])
        console.print(f"mix {name}: {mix['rows']:,} rows from {taken} sources, {cap}")
        for setting, value in mix["selection"].items():
            console.print(f"  {setting}: {value}", markup=False)
        if mix["not_estimated"]:
            console.print(f"  what {', '.join(mix['not_estimated'])} leave out is known after the build only")
    console.print(_lost_table(plan["lost"], plan["mixes"]))
    hours_by_step = ", ".join(f"{step} {value:g}" for step, value in plan["hours"].items())
    workers = plan["basis"]["workers"]
    console.print(f"hours of {workers} worker{'s' if workers > 1 else ''}, by manifests/rates.yaml: {hours_by_step}")
    for line in basis_lines(plan["basis"]):
        console.print(line, markup=False)


def _beside_line(kind: str, found: Mapping[str, Any]) -> str:
    """Return the sentence that compares declared languages with the published ones; of many missing, the first ten."""
    missing, more = found["missing"], found["more"]
    line = f"of the {found['published']} {kind} of F2LLM-v2's corpus, {found['declared']} are declared"
    if missing:
        line += f"; not {', '.join(missing[:10])}{'' if len(missing) <= 10 else f' and {len(missing) - 10} more'}"
    return line + (f"; beside them {', '.join(more[:10])}{' …' if len(more) > 10 else ''}" if more else "")


def _sums_table(parts: dict[str, dict[str, Any]]) -> Table:
    """Return the sums of the corpus and the mixes side by side: rows by family, task, license and access."""
    table = Table(title="totals")
    for column in ("rows by", "", *parts):
        table.add_column(column, justify="right" if column in parts else "left", no_wrap=column in parts)
    table.add_row("", "all", *(f"{part['rows']:,}" for part in parts.values()))
    table.add_row("", "sources", *(str(len(part["sources"])) for part in parts.values()))
    for heading, key in (("family", "families"), ("task", "tasks"), ("license", "licenses"), ("access", "access")):
        table.add_section()
        for number, name in enumerate(parts["corpus"][key]):
            counts = (f"{part[key].get(name, 0):,}" for part in parts.values())
            table.add_row("" if number else heading, name, *counts)
    table.add_section()
    for label, key in (("languages", "languages"), ("programming languages", "programming_languages")):
        table.add_row("", label, *(str(part[key]) for part in parts.values()))
    table.add_row("", "raw files, known", *(size(part["download"]["bytes"]) for part in parts.values()))
    known = (f"{d['of_sources']}, not of {d['unknown']}" for d in (part["download"] for part in parts.values()))
    table.add_row("", "of sources", *known)
    return table


def _lost_table(lost: dict[str, Any], mixes: Iterable[str]) -> Table:
    table = Table(title="what is lost")
    for column in ("under", "sources", "rows", "languages", *(f"mix {name}" for name in mixes)):
        table.add_column(column, justify="left" if column == "under" else "right")
    for under, gone in lost.items():
        counts = [len(gone["sources"]), gone["rows"], len(gone["languages"]), *gone["mixes"].values()]
        table.add_row(under, *(f"{count:,}" for count in counts))
    return table


def source_table(title: str, entries: list[dict[str, Any]]) -> Table:
    """Return sources as a table."""
    table = Table(title=title)
    for column in ("source", "family", "task", "rows", "langs", "raw", "license", "access"):
        counted = column in ("rows", "langs", "raw")
        table.add_column(column, justify="right" if counted else "left", no_wrap=counted or column == "source")
    for e in entries:
        license = e["license"] if e["commercial"] else f"{e['license']} (non-commercial)"
        mark = "*" if e["download_from"] == "probe" else "~" if e["download_basis"] else ""
        raw = f"{mark}{size(e['download'])}"
        counts = (f"{e['rows']:,}", str(e["languages"]), raw)
        table.add_row(e["name"], e["family"], e["task"], *counts, license, e["access"])
    return table


def size(count: int | None) -> str:
    """Format a number of bytes with a decimal unit.

    >>> size(3_090_000_000), size(None)
    ('3.09 GB', '?')

    """
    if count is None:
        return "?"
    shown = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if shown < 1000 or unit == "GB":
            break
        shown /= 1000
    return f"{shown:.3g} {unit}"
