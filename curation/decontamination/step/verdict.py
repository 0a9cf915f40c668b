"""Which rows stay out of the mixes because an evaluation set has them."""

from __future__ import annotations

import numpy as np

from curation.build import StepResult
from curation.decontamination.step.rows import Contaminate
from open_ml_embed.core.store import Store
from open_ml_embed.core.text.tokens import I64


def contaminated_clusters(store: Store, made: StepResult | None) -> I64:
    """Return the sample clusters with a contaminated row, int64, ascending.

    The whole cluster goes: the row that was kept of it resembles the contaminated one, and carries its positives.

    Args:
        store: of the build.
        made: what step `decontaminate` found, whatever sets it was run on; null or without shards: nothing.

    """
    found = [np.zeros(0, np.int64)]
    for shard in made.shards if made else ():
        table = store.read_table(f"{Contaminate.name}/{shard.path}.contamination.arrow", ["contaminated"])
        chosen = table["contaminated"].to_numpy()
        if chosen.any():
            clusters = store.read_table(f"clusters/{shard.path}.clusters.arrow", ["sample_cluster"])
            found.append(np.unique(clusters["sample_cluster"].to_numpy()[chosen]))
    return np.unique(np.concatenate(found))
