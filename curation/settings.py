"""What `params.yaml` may say, as frozen models: a profile holds one section per step.

Unknown keys are refused with the nearest known one. The `train` section belongs to `train.config`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sources.errors import CorpusError, SettingsError, UnknownNameError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceSettings(_Section):
    """Which sources, and how much of each."""

    collection: Literal["offline", "ml-embed"] | None = None
    """Null: only those in `include`."""
    include: list[str] = []
    exclude: list[str] = []
    files_per_table: int | None = Field(default=None, ge=1)
    """Take only the first files of each raw table (a pilot)."""
    rows_per_part: int | None = Field(default=None, ge=1)
    """Stop a part after this many rows (a pilot)."""
    endpoint: str | None = None
    """Another Hub endpoint; null: huggingface-hub's own default, `HF_ENDPOINT` included."""
    local_root: str | None = None
    """A folder with `<repository>/<file>` that is looked at before any network."""


class NormaliseSettings(_Section):
    """How rows are cut into shards."""

    shard_rows: int = Field(default=100_000, ge=1)
    rows_per_part: int | None = None


class SourceTrust(_Section):
    """Whose word counts where the declared and the identified language of a text differ."""

    policy: Literal["trust-declared", "trust-identified", "drop-disagreement"] = "trust-declared"
    confidence: float = Field(default=0.9, ge=0, le=1)
    """From which an identified language overrules the declared one, or drops the row."""


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


class MiningSettings(_Section):
    """How hard negatives are chosen."""

    retrieved: int = Field(default=100, ge=1)
    skip_top: int = Field(default=0, ge=0)
    keep: int = Field(default=24, ge=1)
    below_positive: float = Field(default=0.95, gt=0)
    """A candidate must score below this share of the positive's score."""
    shortage: Literal["keep", "drop", "fill"] = "fill"
    """With fewer than `keep`: keep what there is, drop the row, or fill at random (origin recorded)."""
    k1: float = 1.5
    b: float = 0.75
    seed: int = 1


class MixSettings(_Section):
    """What a profile may change of a mix; the rest stands in `manifests/mixes/<name>.yaml`."""

    cap: int | None = Field(default=None, ge=1)
    """Rows a source, null: the mix file's own."""
    validation: float = Field(default=0.01, ge=0, lt=1)
    seed: int = 1
    shard_rows: int = Field(default=100_000, ge=1)


class Profile(_Section):
    """One section of `params.yaml`."""

    sources: SourceSettings = SourceSettings()
    normalise: NormaliseSettings = NormaliseSettings()
    languages: LanguageSettings = LanguageSettings()
    dedup: DedupSettings = DedupSettings()
    mining: MiningSettings = MiningSettings()
    mixes: dict[str, MixSettings] = {"retrieval": MixSettings(), "instruction": MixSettings()}
    train: dict[str, Any] = {}


def load_profile(path: Path, name: str | None) -> tuple[str, Profile]:
    """Read one profile of `params.yaml`.

    Args:
        path: the file.
        name: the profile; null takes the file's `profile` entry.

    Raises:
        SettingsError: no such file, not YAML, or a value that a section refuses.
        UnknownNameError: no such profile.

    """
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SettingsError("no such file", where=str(path), remedy="run from the checkout, or give --params") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"not YAML: {error}", where=str(path)) from None
    profiles = {key: value for key, value in data.items() if isinstance(value, dict)}
    name = name or str(data.get("profile", "sample"))
    if name not in profiles:
        raise UnknownNameError("profile", name, profiles, where=str(path))
    try:
        return name, Profile.model_validate(profiles[name])
    except ValidationError as error:
        raise _explained(error, f"{path}, profile {name}") from None


def _explained(error: ValidationError, where: str) -> CorpusError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        model: Any = Profile
        for part in first["loc"][:-1]:  # a section, or a mapping of names to sections
            fields = getattr(model, "model_fields", None)
            model = fields[part].annotation if fields else get_args(model)[-1]
        return UnknownNameError("setting", str(first["loc"][-1]), model.model_fields, where=f"{where}: {place}")
    return SettingsError(f"{first['msg']} (got {first['input']!r})", where=f"{where}: {place}")
