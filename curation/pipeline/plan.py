"""`curate plan`: what a build will give, cost and be allowed for, from the manifests alone, before any work.

Bytes of raw files are those that `curate probe` found, where it has looked at a source as its manifest is now, else
what the manifest states.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from curation.build import Build
from curation.mixing.recipe import built_mixes, load_recipe
from curation.pipeline.estimate import basis, basis_lines, hours, load_rates
from curation.pipeline.source_filter import Filter
from curation.probe.run import Kept, kept_probe, locked_commits
from curation.raw_files import fetch_options
from sources.manifest import Manifest


@dataclass(frozen=True)
class Download:
    """What is known of a source's raw files.

    Attributes:
        bytes: of all of them; null where nobody has stated them.
        basis: what was stated instead of them, where the figure is an order of magnitude.
        probed: whether a probe found them.
        records: as the files' footers state them, where a probe found them all.
        not_locked: revisions that were probed at another commit than the lock has: (revision, probed, locked).

    """

    bytes: int | None
    basis: str = ""
    probed: bool = False
    records: int | None = None
    not_locked: tuple[tuple[str, str, str], ...] = ()


def _downloads(build: Build, manifests: Sequence[Manifest]) -> dict[str, Download]:
    """Return what is known of each source's raw files: by a probe where there is one, else by its manifest."""
    options = fetch_options(build)
    found = {}
    for manifest in manifests:
        kept = kept_probe(build, manifest)
        known = kept is not None and kept.found["size"]["bytes"] is not None
        found[manifest.name] = _probed(kept, locked_commits(manifest, options)) if kept and known else stated(manifest)
    return found


def stated(manifest: Manifest) -> Download:
    """Return what a manifest states of its raw files."""
    return Download(manifest.download, manifest.download_basis)


def _probed(kept: Kept, locked: Mapping[str, str | None]) -> Download:
    probed = {f"{one['repo']} at {one['ref']}": str(one["commit"]) for one in kept.found["revisions"]}
    differing = ((at, commit, locked.get(at)) for at, commit in sorted(probed.items()))
    return Download(
        kept.found["size"]["bytes"],
        probed=True,
        records=kept.found["size"]["records"],
        not_locked=tuple((at, commit, lock) for at, commit, lock in differing if lock is not None and lock != commit),
    )


LOSSES = {
    "license commercial": Filter(license="commercial"),
    "license redistribution": Filter(license="redistribution"),
    "no token (without gated)": Filter(access="open,manual"),
    "no hands (without gated and manual)": Filter(access="open"),
}
"""What people have to do without, and what is left to them."""


def make_plan(build: Build, chosen: Filter | None = None, *, workers: int = 1) -> dict[str, Any]:
    """Return what the profile's sources will give.

    Rows are those of the published corpus (or measured, for the offline sources); a profile that takes slices
    (`normalize.rows_per_part`, `sources.files_per_table`) will give at most that. The corpus and each mix have the
    same sums: a mix's are of what its cap leaves of each source, but for ``download``, as a raw file is fetched whole.
    That adds up what is known: of ``of_sources`` sources, of ``probed`` from a probe, of ``approximate`` roughly,
    and of ``unknown`` not at all. ``not_locked`` names what was probed at another commit than the lock has.
    ``languages`` counts what manifests declare, and ``undeclared`` the sources whose raw records tell theirs.
    ``basis`` says what ``hours`` rest on.

    Args:
        build: the profile.
        chosen: plan for these sources of it only.
        workers: how many share the work, for the hours.

    """
    everything = build.manifests()
    manifests = (chosen or Filter()).choose(everything)
    rates = load_rates(build.root)
    raw = _downloads(build, everything)
    return {
        "profile": build.name,
        "sources": len(manifests),
        "subsets": sum(len(m.subsets) for m in manifests),
        "corpus": _sums(manifests, {m.name: m.samples for m in manifests}, raw),
        "mixes": {name: _mix(build, name, manifests, raw) for name in built_mixes(build.profile, build.root)},
        "not_locked": [
            {"source": m.name, "revision": at, "probed": probed, "locked": locked}
            for m in manifests
            for at, probed, locked in raw[m.name].not_locked
        ],
        "lost": {what: _lost(build, manifests, left.choose(everything)) for what, left in LOSSES.items()},
        "hours": hours(rates, sum(m.samples for m in manifests), workers),
        "basis": basis(rates, build.profile, workers),
        "by_source": [entry(m, raw[m.name]) for m in manifests],
    }


def _sums(manifests: Sequence[Manifest], rows: Mapping[str, int], raw: Mapping[str, Download]) -> dict[str, Any]:
    """Add sources up, each with so many rows."""

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
    known = [one.bytes for one in raw if one.bytes is not None]
    return {
        "bytes": sum(known),
        "of_sources": len(known),
        "probed": sum(one.probed for one in raw),
        "approximate": sum(bool(one.basis) for one in raw),
        "unknown": len(raw) - len(known),
    }


def _codes(manifests: Sequence[Manifest]) -> tuple[set[str], set[str]]:
    tags = {tag for m in manifests for tag in m.languages()}
    programming = {tag for tag in tags if tag.endswith("-Code")}
    return {tag.rpartition("-")[0] for tag in tags - programming}, programming


def _mix(build: Build, name: str, manifests: Sequence[Manifest], raw: Mapping[str, Download]) -> dict[str, Any]:
    rows, cap = _mix_rows(build, name, manifests)
    return {**_sums([m for m in manifests if m.name in rows], rows, raw), "cap": cap, "sources": rows}


def _mix_rows(build: Build, name: str, manifests: Sequence[Manifest]) -> tuple[dict[str, int], int | None]:
    """Return what a mix's cap leaves of each source, and the cap."""
    recipe = load_recipe(name, build.root)
    held = [m for m in manifests if recipe.holds(m.name)]
    settings = build.profile.mixes.get(name)
    cap = (settings.cap if settings else None) or recipe.cap
    return {m.name: min(m.samples, cap or m.samples) for m in held}, cap


def _lost(build: Build, manifests: Sequence[Manifest], left: Sequence[Manifest]) -> dict[str, Any]:
    """Compare the plan with what is left of it."""
    kept = [m for m in manifests if m in left]
    gone = [m for m in manifests if m not in left]
    mixes = {
        name: sum(_mix_rows(build, name, manifests)[0].values()) - sum(_mix_rows(build, name, kept)[0].values())
        for name in built_mixes(build.profile, build.root)
    }
    languages = _codes(manifests)[0] - _codes(kept)[0]
    return {
        "sources": [m.name for m in gone],
        "rows": sum(m.samples for m in gone),
        "mixes": mixes,
        "languages": sorted(languages),
    }


def entry(manifest: Manifest, raw: Download | None = None) -> dict[str, Any]:
    """Return what a table of sources has of one; `raw` is what is known of its files, by default from the manifest."""
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
    console = Console(highlight=False)
    corpus = plan["corpus"]
    console.print(source_table(f"profile {plan['profile']}", plan["by_source"]))
    console.print(
        f"{plan['sources']} sources, {plan['subsets']} subsets, {corpus['rows']:,} rows; declared: "
        f"{corpus['languages']} languages and {corpus['programming_languages']} programming languages, while "
        f"{corpus['undeclared']} sources tell theirs by row"
    )
    download = corpus["download"]
    console.print(
        f"raw files: {size(download['bytes'])}, known of {download['of_sources']} of {plan['sources']} sources "
        f"(of {download['probed']} from `curate probe`, marked *, of {download['approximate']} roughly, marked ~); "
        f"nobody has stated those of the other {download['unknown']}"
    )
    for one in plan["not_locked"]:
        console.print(
            f"{one['source']}: {one['revision']} was probed at {one['probed'][:12]}, and the lock has "
            f"{one['locked'][:12]}; `curate probe {one['source']}` looks at what will be fetched"
        )
    mixes = {f"mix {name}": mix for name, mix in plan["mixes"].items()}
    console.print(_sums_table({"corpus": {**corpus, "sources": plan["by_source"]}, **mixes}))
    for name, mix in plan["mixes"].items():
        cap = f"at most {mix['cap']:,} a source" if mix["cap"] else "uncapped"
        console.print(f"mix {name}: {mix['rows']:,} rows from {len(mix['sources'])} sources, {cap}")
    console.print(_lost_table(plan["lost"], plan["mixes"]))
    told = ", ".join(f"{step} {value:g}" for step, value in plan["hours"].items())
    workers = plan["basis"]["workers"]
    console.print(f"hours of {workers} worker{'s' if workers > 1 else ''}, by manifests/rates.yaml: {told}")
    for line in basis_lines(plan["basis"]):
        console.print(line, markup=False)


def _sums_table(parts: dict[str, dict[str, Any]]) -> Table:
    """Return the sums side by side: rows by family, task, license and access, in the corpus's order."""
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
    """Write bytes as people do.

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
