"""Settings of step `mine`: the rules for hard negatives, and presets of published rules."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from open_ml_embed.core.errors import UnknownNameError
from open_ml_embed.core.names import LONGEST, check_path
from open_ml_embed.core.section import Section
from sources.languages import LanguageTag
from sources.manifest import Inside, License

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
random), but ranks are counted after the masks. `none`: the best candidates, without any rule."""


class TeacherSettings(Section):
    """The teacher: the model that scores documents for queries. A string instead of a section sets `model`."""

    model: str = "bm25"
    """`bm25`; a sentence-transformers model as `owner/name@COMMIT` on the Hub, as a folder, or as `package:NAME`;
    `vectors:FOLDER` with precomputed vectors (`curation.mining.teachers.precomputed`)."""
    query_prompt: str | None = None
    """Prefix of every query; null: the model's own prompt for queries, if it has one."""
    document_prompt: str | None = None
    """Prefix of every document; null: the model's own prompt for documents, if it has one."""
    max_length: int | None = Field(default=None, ge=1)
    """Most tokens of a text; null: the model's own limit."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Data type of the model's weights. Vectors are always stored as float16."""
    batch_tokens: int = Field(default=16_384, ge=1)
    """Most tokens of a batch, padding included."""

    @model_validator(mode="before")
    @classmethod
    def _of_name(cls, value: object) -> object:
        return {"model": value} if isinstance(value, str) else value

    @property
    def dense(self) -> bool:
        """Tell whether the teacher scores by vectors; false for BM25."""
        return self.model != "bm25"


class CorpusSettings(Section):
    """A corpus that negatives are mined from, besides the documents of the sources. A string instead sets `data`."""

    data: str
    """A folder, relative to the settings file, or a repository of the Hub: `owner/name`, and `@REVISION` may follow.
    Its files are JSON lines or Parquet, with a column `text`, `contents`, `body`, `passage` or `document`."""
    sources: list[str] = []
    """Retrieval sources that search it; empty: all of the profile."""
    language: LanguageTag | None = None
    """Tag of the documents, such as `eng-Latn`; null: that of the positives of `sources`, if they have one."""
    title: bool = False
    """Whether documents begin with their title, a line of its own: as the positives of the sources do, or do not."""
    files: list[Inside] = []
    """Globs over the names of its files; empty: all JSON lines and Parquet files."""
    license: License = License(
        id="LicenseRef-unknown", commercial=False, redistribution=False, note="Not stated in the settings."
    )
    """License of the documents. A mix with documents of a license that does not allow it is not published."""

    @model_validator(mode="before")
    @classmethod
    def _of_name(cls, value: object) -> object:
        return {"data": value} if isinstance(value, str) else value

    @field_validator("data")
    @classmethod
    def _a_place(cls, value: str) -> str:
        return check_path(value.rstrip("/") or value)


class MiningSettings(Section):
    """The rules for hard negatives: those of a preset, changed by the other settings. A preset never sets the teacher.

    Names are those of `mine_hard_negatives` in sentence-transformers where it has the same setting.
    """

    preset: str = "f2llm"
    """A name in `PRESETS`."""
    teacher: TeacherSettings = TeacherSettings()
    """The model that retrieves and scores candidates."""
    second_opinion: str | None = None
    """A cross-encoder that reranks the teacher's candidates, named like a teacher; the rules then use its scores."""
    language: Literal["same", "any", "cross", "both"] = "same"
    """Language of the negatives: that of the positive, any, only others, or that of either side. With `both`, the
    queries of bitext are documents too, so that a query gets texts of its own language that are no translation."""
    pools: dict[str, list[str]] = {}
    """Name → retrieval sources that share their documents. Every other source searches only its own documents."""
    corpus: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=LONGEST)], CorpusSettings] = {}
    """Name → a corpus whose documents the sources search too; a folder or a repository instead is one by the name
    `corpus`. Its documents are rows without a query: they are deduplicated and decontaminated, and no samples."""
    range_max: int = Field(default=100, ge=1)
    """Number of candidates for each query: the best that are not masked. The rules apply to these."""
    range_min: int = Field(default=5, ge=0)
    """Number of best candidates that are skipped."""
    skip_from: Literal["ranking", "survivors"] = "ranking"
    """What `range_min` counts: all candidates, or only those that pass the rules below."""
    max_score: float | None = 0.8
    """A candidate must score below this; ignored for BM25, whose scores are not bounded."""
    relative_margin: float | None = Field(default=0.05, ge=0)
    """A candidate must score below p - |p|·margin, where p is the score of the positive."""
    absolute_margin: float | None = None
    """A candidate must score at least this much below the positive."""
    positives: Literal["min", "max", "mean"] = "min"
    """How the scores of several positives are reduced to one."""
    max_rank: int | None = Field(default=None, ge=0)
    """A query gets no negatives if more candidates than this score above its positive: teacher and source disagree."""
    num_negatives: int = Field(default=24, ge=1)
    """Negatives for each query."""
    num_negatives_classification: int = Field(default=1, ge=1)
    """Negatives for each query of a source of the classification family, instead of `num_negatives`."""
    sampling_strategy: Literal["top", "random"] = "top"
    """Which of the candidates that pass the rules are used: the best, or random ones."""
    shortage: Literal["keep", "drop", "relax", "fill"] = "fill"
    """What happens if fewer than `num_negatives` pass. `keep`: use those. `drop`: give the query none. `relax`: add
    rejected candidates, lowest score first. `fill`: add random documents. The origin of each negative is recorded."""
    approximate_above: int = Field(default=20_000_000, ge=1)
    """A dense search over more documents than this is approximate (faiss); its recall is measured and recorded."""
    k1: float = 1.5
    """BM25: term-frequency saturation."""
    b: float = 0.75
    """BM25: length normalization, 0 to 1."""
    seed: int = 1
    """Seed of random draws."""

    @field_validator("corpus", mode="before")
    @classmethod
    def _of_data(cls, value: object) -> object:
        if isinstance(value, str) or (isinstance(value, dict) and isinstance(value.get("data"), str)):
            return {"corpus": value}
        return value

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
