"""Which rows stay out of the mixes because an evaluation set has them."""

from __future__ import annotations

import numpy as np

from curation.decontaminate.rows import Contaminate
from curation.steps import Build, StepResult
from curation.text.tokens import I64
from sources.errors import StageError


def has_evaluation_sets(build: Build) -> bool:
    """Tell whether the profile names any."""
    settings = build.profile.decontaminate
    return bool(settings.sets or settings.mteb.tasks or settings.mteb.benchmarks)


def contaminated_clusters(build: Build, rows: StepResult) -> I64:
    """Return the sample clusters with a contaminated row, int64, ascending.

    The whole cluster goes: the row that was kept of it resembles the contaminated one, and carries its positives.
    None where the profile has no evaluation sets.

    Raises:
        StageError: it has, and the step has not been run or was made from other rows.

    """
    if not has_evaluation_sets(build):
        return np.zeros(0, np.int64)
    made = build.load("decontaminate")
    if made.shards and [(s.path, s.rows) for s in made.shards] != [(s.path, s.rows) for s in rows.shards]:
        raise StageError(
            "step decontaminate was made from other rows",
            where=f"profile {build.name}",
            remedy="curate decontaminate, or dvc repro",
        )
    found = [np.zeros(0, np.int64)]
    for shard in made.shards:
        table = build.store.read_table(f"{Contaminate.name}/{shard.path}.contamination.arrow", ["contaminated"])
        chosen = table["contaminated"].to_numpy()
        if chosen.any():
            clusters = build.store.read_table(f"clusters/{shard.path}.clusters.arrow", ["sample_cluster"])
            found.append(np.unique(clusters["sample_cluster"].to_numpy()[chosen]))
    return np.unique(np.concatenate(found))
