"""The statistics of every step, as models; a step's file holds them as JSON."""

from __future__ import annotations

from curation.build import StepResult
from curation.decontamination.statistics import DecontaminateStatistics
from curation.dedup.statistics import DedupStatistics
from curation.fetch.statistics import FetchStatistics
from curation.langid.statistics import IdentifyStatistics
from curation.mining.step.statistics import MineStatistics
from curation.mixing.statistics import MixStatistics
from curation.normalize.statistics import NormalizeStatistics
from curation.quality.statistics import MeasureStatistics
from open_ml_embed.core.statistics import Statistics

OF_STEP: dict[str, type[Statistics]] = {
    "fetch": FetchStatistics,
    "normalize": NormalizeStatistics,
    "identify": IdentifyStatistics,
    "measure": MeasureStatistics,
    "dedup": DedupStatistics,
    "decontaminate": DecontaminateStatistics,
    "mine": MineStatistics,
    "mix": MixStatistics,
}


def statistics_of(result: StepResult) -> Statistics:
    """Return the statistics of a step's result, checked.

    Raises:
        pydantic.ValidationError: the step's file was written by another version, or by hand.

    """
    return OF_STEP[result.step.partition("-")[0]].model_validate(result.stats)
