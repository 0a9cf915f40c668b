"""Settings of step `decontaminate`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from open_ml_embed.core.section import Section


class MtebSettings(Section):
    """Which of MTEB's tasks (`manifests/evaluations/mteb.jsonl`); none by default."""

    benchmarks: list[str] = []
    """By mteb's names, as `MTEB(Multilingual, v2)`."""
    tasks: list[str] = []
    """Names or patterns (`MIRACL*`, `*`) beside those of the benchmarks."""
    types: list[str] = []
    """Only of these types; empty: all."""
    languages: list[str] = []
    """Only tasks with one of these tags; empty: all."""
    exclude: list[str] = []
    """Names or patterns."""


class DistrustSettings(Section):
    """When a source is listed as one to distrust, for one evaluation task or on the whole."""

    found: float = Field(default=0.1, gt=0, le=1)
    """Share of a task's texts that the source holds."""
    at_least: int = Field(default=5, ge=1)
    """And so many of them: a task of three texts proves little."""
    contaminated: float = Field(default=0.05, gt=0, le=1)
    """Share of the source's rows that are contaminated, by whatever tasks."""


class DecontaminationSettings(Section):
    """Against which evaluation sets rows are held, and what counts as the same text. Lengths are in words."""

    mteb: MtebSettings = MtebSettings()
    sets: list[str] = []
    """Names in `manifests/evaluations/sets`, or folders in BEIR's layout (whatever has a slash in it)."""
    documents: Literal["judged", "all"] = "judged"
    """Of a retrieval task's corpus: the documents that a judgement of the split names, or every one."""
    drop: list[Literal["query", "document"]] = ["query", "document"]
    """On which side of a row an overlap keeps it out of the mixes; the other side's is reported only."""
    shortest: int = Field(default=3, ge=1)
    """Evaluation texts below it are not looked for: `yes`, `1984`, `Paris` are nobody's."""
    ngram: int = Field(default=8, ge=4)
    run: int = Field(default=13, ge=4)
    """An unbroken run of so many words of an evaluation text is contamination, whatever the share."""
    share: float = Field(default=0.7, gt=0, le=1)
    """So is a text of which n-grams of the row cover this share."""
    common: int = Field(default=10, ge=1)
    """An n-gram of more evaluation texts than this is a phrase, and proves nothing."""
    shingle: int = Field(default=5, ge=1)
    threshold: float = Field(default=0.8, gt=0, le=1)
    """True Jaccard index of the shingles from which a row and an evaluation text are near-duplicates."""
    distrust: DistrustSettings = DistrustSettings()

    @model_validator(mode="after")
    def _consistent(self) -> DecontaminationSettings:
        if self.run < self.ngram:
            raise ValueError(f"run ({self.run}) is shorter than ngram ({self.ngram}): it could not be seen")
        return self
