"""Settings of step `mine`: how hard negatives are chosen, and published ways to do so."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from open_ml_embed.core.errors import UnknownNameError
from open_ml_embed.core.section import Section

PRESETS: dict[str, dict[str, Any]] = {
    "f2llm": {
        "range_max": 100, "range_min": 5, "skip_from": "ranking", "max_score": 0.8, "relative_margin": 0.05,
        "absolute_margin": None, "num_negatives": 24, "sampling_strategy": "top", "shortage": "fill",
    },
    "nv-retriever": {
        "range_max": 100, "range_min": 0, "skip_from": "ranking", "max_score": None, "relative_margin": 0.05,
        "absolute_margin": None, "num_negatives": 4, "sampling_strategy": "top", "shortage": "keep",
    },
    "bge": {
        "range_max": 210, "range_min": 10, "skip_from": "ranking", "max_score": None, "relative_margin": None,
        "absolute_margin": None, "num_negatives": 15, "sampling_strategy": "random", "shortage": "fill",
    },
    "none": {
        "range_max": 100, "range_min": 0, "skip_from": "ranking", "max_score": None, "relative_margin": None,
        "absolute_margin": None, "num_negatives": 24, "sampling_strategy": "top", "shortage": "keep",
    },
}  # fmt: skip
"""`f2llm`: Zhang et al. 2025, F2LLM, section on hard negatives. `nv-retriever`: Moreira et al. 2024, NV-Retriever,
TopK-PercPos at 95 % with four negatives. `bge`: the defaults of FlagEmbedding's `hn_mine` (ranks 10 to 210, 15 at
random), but counted after the masks. `none`: the best candidates as they come."""


class TeacherSettings(Section):
    """Who scores documents for queries; a bare string stands for `model`."""

    model: str = "bm25"
    """`bm25`; a sentence-transformers model as `owner/name@COMMIT` on the Hub, as a folder, or as `package:NAME`;
    `vectors:FOLDER` with vectors made elsewhere (`curation.mining.teachers.precomputed`)."""
    query_prompt: str | None = None
    """Put before every query; null: the model's own prompt for queries, if it has one."""
    document_prompt: str | None = None
    max_length: int | None = Field(default=None, ge=1)
    """Tokens a text; null: the model's own limit."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of the model's weights; vectors are kept in float16 whatever this says."""
    batch_tokens: int = Field(default=16_384, ge=1)
    """Tokens a batch, padding included."""

    @model_validator(mode="before")
    @classmethod
    def _of_name(cls, value: object) -> object:
        return {"model": value} if isinstance(value, str) else value

    @property
    def dense(self) -> bool:
        """Tell whether it works by vectors."""
        return self.model != "bm25"


class MiningSettings(Section):
    """How hard negatives are chosen: a preset's rules, and whatever is said besides. A preset never says who scores."""

    preset: str = "f2llm"
    """One of `curation.mining.settings`."""
    teacher: TeacherSettings = TeacherSettings()
    second_opinion: str | None = None
    """A cross-encoder that scores what the teacher found, named like a teacher; rules then go by its scores."""
    language: Literal["same", "any", "cross"] = "same"
    """Negatives in the positive's language, in any, or in others only."""
    pools: dict[str, list[str]] = {}
    """Name → retrieval sources that share their documents; the others each search their own."""
    range_max: int = Field(default=100, ge=1)
    """Candidates for each query, the best that no mask keeps out; the rules look at these."""
    range_min: int = Field(default=5, ge=0)
    skip_from: Literal["ranking", "survivors"] = "ranking"
    """Skip the first of all candidates, or of those that pass the rules below."""
    max_score: float | None = 0.8
    """A candidate must score below this; ignored for BM25, whose scores have no scale."""
    relative_margin: float | None = Field(default=0.05, ge=0)
    """A candidate must score below the positive's score p by this share of it: below p - |p|·margin."""
    absolute_margin: float | None = None
    """A candidate must score at least so much below the positive."""
    positives: Literal["min", "max", "mean"] = "min"
    """Which score stands for those of several positives."""
    max_rank: int | None = Field(default=None, ge=0)
    """A query whose positive has more candidates above it gets no negatives: teacher and source disagree."""
    num_negatives: int = Field(default=24, ge=1)
    num_negatives_classification: int = Field(default=1, ge=1)
    """For sources of the classification family, instead of `num_negatives`."""
    sampling_strategy: Literal["top", "random"] = "top"
    """The best of those that pass, or any."""
    shortage: Literal["keep", "drop", "relax", "fill"] = "fill"
    """With fewer than `num_negatives`: keep what there is, drop the row, take what the rules rejected, lowest score
    first, or fill at random. The origin of each negative is recorded."""
    approximate_above: int = Field(default=20_000_000, ge=1)
    """Documents in a pool from which a dense search is approximate (faiss), its recall measured and recorded."""
    k1: float = 1.5
    b: float = 0.75
    seed: int = 1

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        name = data.get("preset", "f2llm")
        if name not in PRESETS:
            raise UnknownNameError("preset", str(name), PRESETS, where="preset")
        return PRESETS[name] | data

    @model_validator(mode="after")
    def _possible(self) -> MiningSettings:
        skipped = self.range_min if self.skip_from == "ranking" else 0
        if self.range_max - skipped < self.num_negatives:
            raise ValueError(f"of {self.range_max} retrieved, {skipped} skipped, {self.num_negatives} cannot be kept")
        return self
