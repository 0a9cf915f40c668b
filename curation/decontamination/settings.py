"""Settings of step `decontaminate`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from open_ml_embed.core.section import Section


class MtebSettings(Section):
    """Which of MTEB's tasks to use (`manifests/evaluations/mteb.jsonl`); none by default."""

    benchmarks: list[str] = []
    """Names of benchmarks in mteb, such as `MTEB(Multilingual, v2)`."""
    tasks: list[str] = []
    """Names or patterns (`MIRACL*`, `*`) of tasks, in addition to those of the benchmarks."""
    types: list[str] = []
    """Use only tasks of these types; empty: all types."""
    languages: list[str] = []
    """Use only tasks with one of these language tags; empty: all languages."""
    exclude: list[str] = []
    """Names or patterns of tasks to leave out."""


class DistrustSettings(Section):
    """When a source is listed as not trustworthy, for one evaluation task or as a whole."""

    found: float = Field(default=0.1, gt=0, le=1)
    """Share of a task's texts that the source contains."""
    at_least: int = Field(default=5, ge=1)
    """Minimum number of these texts, because a few texts of a small task are weak evidence."""
    contaminated: float = Field(default=0.05, gt=0, le=1)
    """Share of the source's rows that are contaminated, by any tasks."""


class DecontaminationSettings(Section):
    """The evaluation sets that rows are compared with, and what counts as the same text. Lengths are in words."""

    mteb: MtebSettings = MtebSettings()
    sets: list[str] = []
    """Names in `manifests/evaluations/sets`, or folders in BEIR's layout (any name with a slash)."""
    documents: Literal["judged", "all"] = "judged"
    """Which documents of a retrieval task's corpus to look for: those that a judgement of the split calls relevant, or
    all."""
    drop: list[Literal["query", "document"]] = ["query", "document"]
    """The sides of a row on which an overlap excludes the row from the mixes; overlaps of other sides are only
    reported."""
    shortest: int = Field(default=3, ge=1)
    """Evaluation texts with fewer words (`yes`, `1984`, `Paris`) are ignored, because they occur everywhere."""
    ngram: int = Field(default=8, ge=4)
    """Words in an n-gram of the index."""
    run: int = Field(default=13, ge=4)
    """An unbroken run of this many words of an evaluation text is contamination, even if it is a small share."""
    share: float = Field(default=0.7, gt=0, le=1)
    """An evaluation text is also contained in a row if shared n-grams cover this share of it, and at least `run` words
    (or the whole text, if it is shorter)."""
    common: int = Field(default=10, ge=1)
    """An n-gram that occurs in more evaluation texts than this is a common phrase and is ignored."""
    shingle: int = Field(default=5, ge=1)
    """Tokens in a shingle."""
    threshold: float = Field(default=0.8, gt=0, le=1)
    """Jaccard index of the shingles from which a row and an evaluation text are near-duplicates."""
    distrust: DistrustSettings = DistrustSettings()

    @model_validator(mode="after")
    def _consistent(self) -> DecontaminationSettings:
        if self.run < self.ngram:
            raise ValueError(f"run ({self.run}) is shorter than ngram ({self.ngram}): it could not be seen")
        return self
