"""What `params.yaml` may say, as frozen models: a profile holds one section per step.

Unknown keys are refused with the nearest known one. The `train` section belongs to `train.config`, and names of
sources, mixes and evaluation sets are looked up by `curation.pipeline.validation`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from curation.mining.presets import PRESETS
from open_ml_embed.core.errors import SettingsError, UnknownNameError
from open_ml_embed.core.params import read_section
from open_ml_embed.core.validation_errors import refusal
from sources.manifest import Collection


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceSettings(_Section):
    """Which sources, and how much of each."""

    collection: Collection | None = None
    """Null: only those in `include`."""
    include: list[str] = []
    exclude: list[str] = []
    files_per_table: int | None = Field(default=None, ge=1)
    """Take only the first files of each raw table (a pilot)."""
    endpoint: str | None = None
    """Another Hub endpoint; null: huggingface-hub's own default, `HF_ENDPOINT` included."""
    local_root: str | None = None
    """A folder with `<repository>/<file>` that is looked at before any network; relative to the settings file."""


class NormalizeSettings(_Section):
    """How rows are cut into shards, and how few of its records a source may lose without a word."""

    shard_rows: int = Field(default=100_000, ge=1)
    rows_per_part: int | None = Field(default=None, ge=1)
    """Stop a part (a raw file, or a subset of several) after this many rows (a pilot)."""
    least_yield: float = Field(default=0.5, ge=0, le=1)
    """Below this share of rows among rows and quarantined records a source ends the step with an error; so does one
    without a row, and a raw file without one (`curation.normalize.yields`)."""
    allow: list[str] = []
    """Whose small yield is meant: `source`, `source/subset`, or `source/subset:pattern of file names`."""


class SourceTrust(_Section):
    """Whose word counts where the declared and the identified language of a text differ."""

    policy: Literal["trust-declared", "trust-identified", "drop-disagreement"] = "trust-declared"
    confidence: float = Field(default=0.9, ge=0.5, le=1)
    """From which an identified language overrules the declared one, or drops the row. A confidence is how often such
    an answer is right, so none below 0.5 may; and in a text of fewer than twelve letters none does."""


class TrustSettings(_Section):
    """A policy for every source."""

    default: SourceTrust = SourceTrust()
    sources: dict[str, SourceTrust] = {}

    def of(self, source: str) -> SourceTrust:
        """Return the policy of a source."""
        return self.sources.get(source, self.default)

    def __hash__(self) -> int:
        """Hash by content: a loaded identifier is kept by its settings."""
        return hash(self.model_dump_json())


class LanguageSettings(_Section):
    """Which identifier, and what its answer is worth."""

    backend: Literal["bundled", "cld2", "fasttext", "heliport"] = "bundled"
    model: str | None = None
    """fastText: a path, or `owner/name:file` on the Hub. Bundled: another .lid file than the packaged one."""
    policy: Literal["individual", "macro", "corpus"] = "corpus"
    """What becomes of macrolanguages and their members: see `curation.langid.codes`."""
    code_declared: bool = True
    """Trust a source that declares a programming language."""
    content: bool = True
    """Look for program code, addresses, numbers and the like before asking for a language."""
    trust: TrustSettings = TrustSettings()


class DedupSettings(_Section):
    """MinHash settings, in datasketch's terms."""

    shingle: int = Field(default=5, ge=1)
    """Tokens a shingle: words, or characters in scripts that write no spaces."""
    permutations: int = Field(default=128, ge=64, multiple_of=64)
    bands: int = Field(default=21, ge=1)
    """Rows a band are `permutations // bands`."""
    threshold: float = Field(default=0.8, gt=0, le=1)
    """True Jaccard from which a verified pair counts as near-duplicate."""
    seed: int = 1

    @model_validator(mode="after")
    def _rows_in_every_band(self) -> DedupSettings:
        if self.bands > self.permutations:
            raise ValueError(f"bands ({self.bands}) above permutations ({self.permutations}): some would hold no value")
        return self


class TeacherSettings(_Section):
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
    def _of_name(cls, value: Any) -> Any:
        return {"model": value} if isinstance(value, str) else value

    @property
    def dense(self) -> bool:
        """Tell whether it works by vectors."""
        return self.model != "bm25"


class MtebSettings(_Section):
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


class DistrustSettings(_Section):
    """When a source is listed as one to distrust, for one evaluation task or on the whole."""

    found: float = Field(default=0.1, gt=0, le=1)
    """Share of a task's texts that the source holds."""
    at_least: int = Field(default=5, ge=1)
    """And so many of them: a task of three texts proves little."""
    contaminated: float = Field(default=0.05, gt=0, le=1)
    """Share of the source's rows that are contaminated, by whatever tasks."""


class DecontaminationSettings(_Section):
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


class MiningSettings(_Section):
    """How hard negatives are chosen: a preset's rules, and whatever is said besides. A preset never says who scores."""

    preset: str = "f2llm"
    """One of `curation.mining.presets`."""
    teacher: TeacherSettings = TeacherSettings()
    second_opinion: str | None = None
    """A cross-encoder that scores what the teacher found, named like a teacher; rules then go by its scores."""
    language: Literal["same", "any", "cross"] = "same"
    """Negatives in the positive's language, in any, or in others only."""
    pools: dict[str, list[str]] = {}
    """Name → retrieval sources that share their documents; the others each search their own."""
    retrieved: int = Field(default=100, ge=1)
    """Candidates for each query, the best that no mask keeps out; the rules look at these."""
    skip_top: int = Field(default=5, ge=0)
    skip_from: Literal["ranking", "survivors"] = "ranking"
    """Skip the first of all candidates, or of those that pass the rules below."""
    below: float | None = 0.8
    """A candidate must score below this; ignored for BM25, whose scores have no scale."""
    below_positive: float | None = Field(default=0.95, gt=0)
    """A candidate must score below this share of the positive's score p: below p - |p|·(1 - share)."""
    margin: float | None = None
    """A candidate must score at least so much below the positive."""
    positives: Literal["min", "max", "mean"] = "min"
    """Which score stands for those of several positives."""
    max_rank: int | None = Field(default=None, ge=0)
    """A query whose positive has more candidates above it gets no negatives: teacher and source disagree."""
    keep: int = Field(default=24, ge=1)
    keep_classification: int = Field(default=1, ge=1)
    """For sources of the classification family, instead of `keep`."""
    pick: Literal["top", "random"] = "top"
    """The best of those that pass, or any."""
    shortage: Literal["keep", "drop", "relax", "fill"] = "fill"
    """With fewer than `keep`: keep what there is, drop the row, take what the rules rejected, lowest score first, or
    fill at random. The origin of each negative is recorded."""
    approximate_above: int = Field(default=20_000_000, ge=1)
    """Documents in a pool from which a dense search is approximate (faiss), its recall measured and recorded."""
    k1: float = 1.5
    b: float = 0.75
    seed: int = 1

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        name = data.get("preset", "f2llm")
        if name not in PRESETS:
            raise UnknownNameError("preset", str(name), PRESETS, where="mining.preset")
        return PRESETS[name] | data

    @model_validator(mode="after")
    def _possible(self) -> MiningSettings:
        skipped = self.skip_top if self.skip_from == "ranking" else 0
        if self.retrieved - skipped < self.keep:
            raise ValueError(f"of {self.retrieved} retrieved, {skipped} skipped, {self.keep} cannot be kept")
        return self


class MixSettings(_Section):
    """What a profile may change of a mix; the rest stands in its file (`curation.mixing.recipe`)."""

    cap: int | None = Field(default=None, ge=1)
    """Rows a source, null: the mix file's own."""
    validation: float = Field(default=0.01, ge=0, lt=1)
    seed: int = 1
    shard_rows: int = Field(default=100_000, ge=1)


class Profile(_Section):
    """One section of `params.yaml`."""

    sources: SourceSettings = SourceSettings()
    normalize: NormalizeSettings = NormalizeSettings()
    languages: LanguageSettings = LanguageSettings()
    dedup: DedupSettings = DedupSettings()
    decontaminate: DecontaminationSettings = DecontaminationSettings()
    mining: MiningSettings = MiningSettings()
    mixes: dict[str, MixSettings] = {"retrieval": MixSettings(), "instruction": MixSettings()}
    """Which mixes the profile builds: a mapping to their settings, which may be empty, or a list of names."""
    train: dict[str, Any] = {}

    @field_validator("mixes", mode="before")
    @classmethod
    def _with_settings(cls, value: Any) -> Any:
        if isinstance(value, list):
            return {name: {} for name in value}
        return {k: {} if v is None else v for k, v in value.items()} if isinstance(value, dict) else value


def load_profile(path: Path, name: str | None) -> tuple[str, Profile]:
    """Read one profile of `params.yaml`.

    Args:
        path: the file.
        name: the profile; null takes the file's `profile` entry.

    Raises:
        SettingsError: no such file, not YAML, no profiles in it, or a value that a section refuses.
        UnknownNameError: no such profile.

    """
    name, section = read_section(path, name)
    where = f"{path}, profile {name}"
    try:
        return name, Profile.model_validate(section)
    except ValidationError as error:
        raise refusal(error, Profile, SettingsError, where=where, what="setting") from None
    except UnknownNameError as error:  # a validator's
        error.where = f"{where}: {error.where}"
        raise
