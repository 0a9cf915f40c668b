"""Step `mix`: build one mix from the results of all steps, as Parquet files for `datasets.load_dataset`.

Every part is an operation of the engine, so a mix resumes where it was stopped, uses all workers, and has the same
bytes whatever their number: `mix/contaminated` and `mix/selected` judge the rows, `mix/limits` joins the verdicts of
all pools, `mix/numbered` numbers the documents of each pool, and `mix/files` writes each Parquet file. The number of a
document in the mix is its number in the pool plus the documents of the pools before it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import xxhash

from curation.build import Build, Inputs, StepResult
from curation.mixing.capping import cap_group, group_name
from curation.mixing.card import dataset_card
from curation.mixing.files import LOCATIONS, SPLITS
from curation.mixing.filters import FILTERS, Filters
from curation.mixing.recipe import Recipe, load_recipe
from curation.mixing.settings import MixSettings
from curation.mixing.step.filtering import PoolFilter
from curation.mixing.step.judged import judged_sources
from curation.mixing.step.limits import Contaminated, KeptRanks, Limits, LimitsRef
from curation.mixing.step.numbering import Number, NumberRef, NumberSettings
from curation.mixing.step.pool import MixPool
from curation.mixing.step.select import REASONS, Select, SelectRef, SelectSettings
from curation.mixing.step.write import FileRef, Slice, WriteFile, WriteSettings
from curation.tables.pools import PoolRef, pools_of
from open_ml_embed.core import engine
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.files import whole_folder
from open_ml_embed.core.hashing import digest
from open_ml_embed.core.store import Marker, Output
from open_ml_embed.core.task import Operation, Task
from sources.manifest import License, Manifest


def run_mix(build: Build, inputs: Inputs, name: str) -> StepResult:
    """Build one mix.

    Args:
        build: the profile.
        inputs: results of the steps before.
        name: of the mix.

    Raises:
        UnknownNameError: the mix does not exist.
        StageError: the result of a step before is missing, or the profile has no source of this mix.

    """
    recipe = load_recipe(name, build.root)
    settings = build.profile.mixes.get(name, MixSettings())
    rows = inputs["normalize"]
    corpora = build.corpora()
    by_pool = {key: shards for key, shards in rows.by_pool().items() if recipe.holds(key[0]) and key[0] not in corpora}
    if not by_pool:
        raise StageError(
            f"profile {build.name} has no rows of the sources of this mix",
            where=f"mix {name}",
            remedy="list one of the profile's sources in the mix file, or choose other sources",
        )
    manifests = {source: build.manifest(source) for source in sorted({shard.source for shard in rows.shards})}
    judged = judged_sources(inputs.step, build, rows)
    groups = {key: cap_group(recipe, manifests[key[0]], key[1]) for key in by_pool}
    pools = [
        MixPool(name, source, subset, manifests[source].family, tuple(shards), source in judged, groups[source, subset])
        for (source, subset), shards in by_pool.items()
    ]
    assembly = _Assembly(build, inputs, recipe, settings, pools, manifests)
    numbered = assembly.number(assembly.select())
    files = assembly.write(numbered)
    result = inputs.result()
    result.stats = _statistics(pools, numbered, files)
    inputs.begin()
    searched = [c.manifest for c in corpora.values() if {*c.sources} & {pool.source for pool in pools}]
    shown = [manifests[source] for source in sorted({p.source for p in pools})]
    card = dataset_card(recipe.title, result.stats, shown, selection=list(recipe.lines()), corpora=searched)
    result.files += _published(build, name, card, files)
    build.save(result)
    return result


class _Assembly:
    """Runs the operations of one mix."""

    def __init__(
        self,
        build: Build,
        inputs: Inputs,
        recipe: Recipe,
        settings: MixSettings,
        pools: list[MixPool],
        manifests: dict[str, Manifest],
    ) -> None:
        self._build, self._inputs, self._recipe, self._settings = build, inputs, recipe, settings
        self._pools, self._manifests = pools, manifests
        self._mix = recipe.name
        self._steps = tuple(inputs[step].identity for step in ("normalize", "dedup", "mine"))
        verdicts = inputs.get("identify")
        self._verdicts = verdicts.identity if verdicts else ""
        measured = inputs.get("measure")
        self._measured = measured.identity if measured else ""

    def select(self) -> KeptRanks:
        """Judge all rows; return the highest ranks that are kept."""
        decontaminated = self._inputs.get("decontaminate")
        made_from = (self._inputs["dedup"].identity, decontaminated.identity if decontaminated else "")
        left_out = self._run(Contaminated(), [Task(self._mix, made_from, decontaminated)])
        common = (*self._steps, *_hashes(left_out))
        select = Select(SelectSettings(seed=self._settings.seed, validation=self._settings.validation))
        self._chosen = self._filters()
        self._selected_from = list(self._mined())
        tasks = []
        for pool, mined in zip(self._pools, self._selected_from, strict=True):
            chosen = self._chosen[pool.source]
            confidence = self._recipe.filters.needs_languages or chosen.thresholds.needs_languages
            verdicts = self._verdicts if pool.judged or confidence else ""
            measured = (self._measured,) if chosen.thresholds.needs_measures else ()
            inputs = (*common, verdicts, *measured, *_stated(chosen))
            tasks.append(Task(pool.path, inputs, SelectRef(pool, mined, chosen)))
        selected = self._run(select, tasks)
        recipe = self._recipe
        caps = {}
        for pool in self._pools:
            cap = recipe.cap_for(pool.source, self._settings.cap)
            if cap is not None:
                caps[group_name(pool.group)] = cap * len(pool.group)
        ref = LimitsRef(
            tuple(self._pools),
            caps,
            recipe.samples,
            recipe.weights,
            recipe.temperature,
        )
        families = digest([[p.path, p.family, *(p.group if p.group != (p.source,) else ())] for p in self._pools])
        self._selected = {p.path: _hashes([marker]) for p, marker in zip(self._pools, selected, strict=True)}
        shares = digest([dict(ref.caps), ref.samples, dict(ref.weights), ref.temperature])
        identity = (*self._steps, families, shares, *_hashes(selected))
        (limits,) = self._run(Limits(), [Task(self._mix, identity, ref)])
        self._limits = _hashes([limits])
        return KeptRanks.of_stats(limits.stats)

    def number(self, ranks: KeptRanks) -> list[tuple[NumberRef, Marker]]:
        """Number the documents of every pool."""
        tasks = []
        for pool, mined in zip(self._pools, self._selected_from, strict=True):
            ref = NumberRef(pool, mined, ranks.of(pool), self._chosen[pool.source])
            kept = f"{ref.kept.cap} {ref.kept.drawn}"
            inputs = (*self._steps, *self._selected[pool.path], *self._limits, kept, pool.family, *_stated(ref.chosen))
            tasks.append(Task(pool.path, inputs, ref))
        operation = Number(NumberSettings(num_negatives=self._build.profile.mining.num_negatives))
        markers = self._run(operation, tasks)
        return [(task.payload, marker) for task, marker in zip(tasks, markers, strict=True)]

    def _filters(self) -> dict[str, PoolFilter]:
        """Return source → which of its rows and documents the mix takes."""
        filters = self._recipe.filters
        allowed = None
        if filters.by_license:
            allowed = tuple(name for name, manifest in sorted(self._manifests.items()) if filters.permits(manifest))
        sources = {pool.source for pool in self._pools}
        quality = self._build.profile.quality
        return {
            name: PoolFilter(filters, filters.refuses(self._manifests[name]), allowed, quality.of(name))
            for name in sorted(sources)
        }

    def write(self, numbered: Sequence[tuple[NumberRef, Marker]]) -> list[tuple[str, Marker]]:
        """Write all files; return (path below the folder of the mix, marker)."""
        licenses = {source: manifest.license for source, manifest in self._manifests.items()}
        tasks, paths = [], []
        for kind in (*SPLITS, "documents"):
            folder, start = LOCATIONS[kind]
            for number, slices in enumerate(_files(numbered, kind, self._settings.shard_rows)):
                path = f"{folder}/{start or 'documents-'}{number:05d}"
                paths.append(f"{path}.parquet")
                tasks.append(self._file(f"{self._mix}/{path}", kind, slices, numbered, licenses))
        operation = WriteFile(WriteSettings(recipe=self._recipe, seed=self._settings.seed))
        return list(zip(paths, self._run(operation, tasks), strict=True))

    def _file(
        self,
        path: str,
        kind: str,
        slices: list[Slice],
        numbered: Sequence[tuple[NumberRef, Marker]],
        licenses: dict[str, License],
    ) -> Task:
        used = sorted({part.pool for part in slices})
        refs = tuple(numbered[i][0] for i in used)
        manifests = tuple(self._manifests[ref.pool.source] for ref in refs)
        local = tuple(part._replace(pool=used.index(part.pool)) for part in slices)
        stated = [
            [m.title, m.task, m.family, m.instruction_of(ref.pool.subset), m.symmetric, str(ref.pool.judged)]
            for m, ref in zip(manifests, refs, strict=True)
        ]
        inputs = (
            *self._steps,
            self._verdicts if any(ref.pool.judged for ref in refs) else "",
            *_hashes([numbered[i][1] for i in used]),
            digest([list(local), stated, {s: one.model_dump(mode="json") for s, one in sorted(licenses.items())}]),
        )
        return Task(path, inputs, FileRef(kind, refs, manifests, local, licenses))

    def _mined(self) -> Iterator[PoolRef]:
        """Yield the pool of step `mine` of each pool of the mix."""
        pool_of = {
            (shard.source, shard.subset): pool.reference
            for pool in pools_of(self._inputs["normalize"], self._build).values()
            for shard in pool.shards
        }
        return iter([pool_of[pool.source, pool.subset] for pool in self._pools])

    def _run(self, operation: Operation, tasks: list[Task]) -> list[Marker]:
        return engine.run(operation, tasks, self._build.store, self._build.workers)


def _stated(chosen: PoolFilter) -> tuple[str, ...]:
    """Return what decides which rows and documents a mix takes of a pool, for the keys of tasks; nothing if all."""
    if chosen == PoolFilter(Filters()):
        return ()
    stated = [chosen.filters.model_dump(mode="json"), chosen.whole, list(chosen.allowed or ()), chosen.allowed is None]
    return (digest([*stated, *([chosen.thresholds.model_dump(mode="json")] if chosen.thresholds else [])]),)


def _hashes(markers: Sequence[Marker]) -> tuple[str, ...]:
    return tuple(output.xxh3 for marker in markers for output in marker.outputs)


def _files(numbered: Sequence[tuple[NumberRef, Marker]], kind: str, limit: int) -> Iterator[list[Slice]]:
    """Yield the slices of each file of one kind: `limit` rows a file, the last has the rest; there is at least one."""
    slices: list[Slice] = []
    room, first_id, made = limit, 0, 0
    for number, (_, marker) in enumerate(numbered):
        start, size = 0, marker.stats[kind]
        while start < size:
            stop = min(start + room, size)
            slices.append(Slice(number, start, stop, first_id))
            room -= stop - start
            start = stop
            if not room:
                yield slices
                slices, room, made = [], limit, made + 1
        first_id += marker.stats["documents"]
    if slices or not made:
        yield slices


def _statistics(
    pools: list[MixPool], numbered: Sequence[tuple[NumberRef, Marker]], files: Sequence[tuple[str, Marker]]
) -> dict[str, object]:
    verdicts: dict[str, Counter[str]] = defaultdict(Counter)
    filters: dict[str, Counter[str]] = defaultdict(Counter)
    counts: Counter[str] = Counter()
    for pool, (_, marker) in zip(pools, numbered, strict=True):
        verdicts[pool.source].update(marker.stats["verdicts"])
        filters[pool.source].update(marker.stats["filters"])
        counts.update({kind: marker.stats[kind] for kind in (*SPLITS, "documents")})
    languages: Counter[str] = Counter()
    for _, marker in files:
        languages.update(marker.stats["languages"])
    return {
        "sources": {source: {name: of[name] for name in REASONS} for source, of in verdicts.items()},
        "filters": {source: {name: of[name] for name in FILTERS if of[name]} for source, of in filters.items() if of},
        "counts": {
            "train": counts["train"],
            "validation": counts["validation"],
            "samples": counts["train"] + counts["validation"],
            "documents": counts["documents"],
        },
        "languages": dict(sorted(languages.items())),
    }


def _published(build: Build, name: str, card: str, files: Sequence[tuple[str, Marker]]) -> list[Output]:
    """Put card and files into the folder of the mix, all at once; return them, with paths below `out/<profile>/`."""
    data = card.encode()
    outputs = [Output(f"mixes/{name}/README.md", 0, len(data), xxhash.xxh3_128_hexdigest(data))]
    with whole_folder(build.mix(name)) as folder:
        (folder / "README.md").write_bytes(data)
        for path, marker in files:
            (output,) = marker.outputs
            build.store.export(output.path, folder / path)
            outputs.append(replace(output, path=f"mixes/{name}/{path}"))
    return outputs
