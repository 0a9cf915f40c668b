"""What became of every row in each mix, read again from the tables that the steps `mix` left in `work/`."""

from __future__ import annotations

from collections.abc import Mapping

from curation.build import Build
from curation.mixing.capping import cap_group
from curation.mixing.step.judged import judged_sources
from curation.mixing.step.limits import KeptRanks, final_verdicts, kept_ranks
from curation.mixing.step.pool import MixPool
from curation.mixing.step.select import Select
from curation.report.inputs import Inputs
from open_ml_embed.core.array_types import U8


class MixVerdicts:
    """The verdicts of all mixes on the rows of a pool.

    The tables may be gone, since a mix counts as done while its own files are there; a pool without tables has no
    verdicts.
    """

    def __init__(self, build: Build, inputs: Inputs) -> None:
        self.store = build.store
        self.pools: dict[tuple[str, str], list[MixPool]] = {}
        self.ranks: dict[str, KeptRanks] = {}
        by_pool = inputs.rows.by_pool()
        for mix in inputs.made_mixes:
            ranks = kept_ranks(self.store, mix)
            if ranks is None:
                continue
            self.ranks[mix] = ranks
            judged = judged_sources(f"mix-{mix}", build, inputs.rows)
            for (source, subset), shards in by_pool.items():
                if inputs.recipes[mix].holds(source) and source not in build.profile.mining.corpus:
                    family = inputs.manifests[source].family
                    group = cap_group(inputs.recipes[mix], inputs.manifests[source], subset)
                    pool = MixPool(mix, source, subset, family, tuple(shards), source in judged, group)
                    self.pools.setdefault((source, subset), []).append(pool)

    def __call__(self, source: str, subset: str) -> Mapping[str, U8]:
        """Return mix → verdicts on the rows of a pool, uint8[rows]: indices into `select.REASONS`."""
        found = {}
        for pool in self.pools.get((source, subset), []):
            path = f"{Select.name}/{pool.path}.selection.arrow"
            if self.store.sizes([path])[path] is not None:
                found[pool.mix] = final_verdicts(self.store, pool, self.ranks[pool.mix].of(pool))
        return found
