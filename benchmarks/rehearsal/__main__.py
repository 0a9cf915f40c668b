"""Build all sources of a corpus together, on made-up data in the real raw formats, and measure and check it.

For each fraction, the raw files of every source and subset are made from the test fixtures, with other words, so that
each source has that fraction of its published samples. Then the real command line runs every step in a process of its
own. Planted duplicates, leaks and broken records have to be found, and every record has to be accounted for; if not,
the exit code is 1. `--docs` writes docs/scale.md and docs/scale.svg from these runs, or docs/scale-part.md from the
last one if only some sources were built. `--rates` fits the rates of `curate plan` to all figures. `--earlier` adds the
figures of runs that wrote them with `--output`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path

from benchmarks.rehearsal import documents, growth, rates, steps, sums
from benchmarks.rehearsal.generate import generate
from benchmarks.rehearsal.growth import Figures
from sources import registry
from sources.manifest import Manifest

NEEDED = {"fetch", "normalize", "identify", "measure", "dedup", "decontaminate"}
"""Steps without which the sums cannot be checked."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--fraction", type=float, nargs="+", default=[], help="of the corpus; default: 0.001")
    arguments.add_argument("--collection", choices=steps.COLLECTIONS, default="ml-embed", help="whose sources")
    arguments.add_argument("--source", nargs="+", default=[], help="only these sources")
    arguments.add_argument("--folder", type=Path, default=steps.ROOT / "work" / "rehearsal")
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--steps", nargs="+", default=list(steps.STEPS), help="a step of two words in quotes")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--keep", action="store_true", help="keep the raw files and the results")
    arguments.add_argument("--output", type=Path, help="write the figures there as JSON")
    arguments.add_argument("--earlier", type=Path, nargs="+", default=[], help="figures of earlier runs, of --output")
    arguments.add_argument("--docs", action="store_true", help="write docs/scale.md or docs/scale-part.md")
    arguments.add_argument("--rates", action="store_true", help="fit manifests/rates.yaml to all figures")
    arguments.add_argument("--machine", default="two cores of a 2020s server", help="for manifests/rates.yaml")
    arguments.add_argument("--note", default="", help="a sentence about the machine, for docs/scale.md")
    chosen = arguments.parse_args()
    known = {manifest.name: manifest for manifest in registry.load_all(chosen.collection)}
    if unknown := set(chosen.source) - set(known):
        arguments.error(f"no sources of the collection {chosen.collection}: {', '.join(sorted(unknown))}")
    if unknown := set(chosen.steps) - set(steps.STEPS):
        arguments.error(f"no steps: {', '.join(sorted(unknown))}; there are: {', '.join(steps.STEPS)}")
    manifests = [manifest for name, manifest in known.items() if not chosen.source or name in chosen.source]
    everything = len(manifests) == len(known)
    figures = [each for path in chosen.earlier for each in growth.from_json(json.loads(path.read_text()))]
    for fraction in sorted(chosen.fraction or ([] if figures else [0.001])):
        figures = sorted([*figures, rehearse(chosen, manifests, fraction, everything=everything)], key=by_fraction)
        if chosen.output:
            chosen.output.write_text(json.dumps(growth.as_json(figures), indent=1, ensure_ascii=False) + "\n")
    if len(figures) > 1:
        print(growth.growth_table(figures))
    if chosen.docs and everything:
        documents.write(figures, steps.ROOT / "docs", chosen.note)
    elif chosen.docs:
        documents.write_part(figures[-1], steps.ROOT / "docs", chosen.note)
    if chosen.rates:
        rates.write(figures, steps.ROOT / "manifests" / "rates.yaml", chosen.machine)
    if any(f.failures for f in figures):
        sys.exit(1)


def by_fraction(figures: Figures) -> float:
    """Return the fraction, to sort by."""
    return figures.fraction


def rehearse(chosen: argparse.Namespace, manifests: list[Manifest], fraction: float, *, everything: bool) -> Figures:
    """Make, build, measure and check one size."""
    folder: Path = chosen.folder / f"{fraction:g}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    truth = generate(folder, manifests, fraction, chosen.seed)
    seconds = time.monotonic() - began
    raw = sum(path.stat().st_size for path in (folder / "raw").rglob("*") if path.is_file())
    print(f"{len(truth.records):,} raw files, {raw / 2**20:,.0f} MiB, made in {seconds:,.0f} s", flush=True)
    steps.write_settings(folder, manifests, chosen.collection if everything else None)
    costs: dict[str, dict[str, float]] = {}
    failures: list[str] = []
    for step in chosen.steps:
        ran = steps.run(folder, step, chosen.workers)
        costs[step] = {name: getattr(ran.cost, name) for name in growth.COLUMNS[:-1]} | {"work": ran.work}
        print(
            f"{step}: {ran.cost.seconds:,.0f} s, {ran.cost.cpu:,.0f} s of CPU, {ran.cost.memory >> 20:,} MiB",
            flush=True,
        )
        if ran.cost.code:
            failures.append(f"`{step}` ended with {ran.cost.code}: {ran.log.read_text()[-2000:]}")
            break
    rows, of_sources, characters = 0, {}, {}
    if sums.Build(folder).has("normalize"):
        counted = sums.Build(folder).result("normalize")["stats"]["sources"]
        of_sources = {name: counts["rows"] for name, counts in sorted(counted.items())}
        rows = sum(of_sources.values())
        characters = rates.characters(sums.Build(folder))
    figures = Figures(
        fraction, rows, raw, seconds, costs,
        failures=failures, workers=chosen.workers, of_sources=of_sources, characters=characters,
    )  # fmt: skip
    if set(costs) >= NEEDED and not failures:
        mixes = [step.removeprefix("mix ") for step in costs if step.startswith("mix ")]
        found = sums.check(folder, truth, manifests, mixes)
        figures.planted, figures.failures, figures.notes = found.planted, found.failures, found.notes
    print(f"{fraction:g} of the corpus: {rows:,} rows\n\n{growth.table(figures)}\n\n{growth.planted_table(figures)}\n")
    for note in figures.notes:
        print(f"note: {note}")
    for failure in figures.failures:
        print(f"FAILED: {failure}")
    if not chosen.keep:
        shutil.rmtree(folder)
    return figures


if __name__ == "__main__":
    main()
