"""Frozen pydantic models of `params.yaml`: a profile holds one section per step.

An unknown key is an error that suggests the nearest known one. `train.config` validates the `train` section.
`curation.pipeline.validation` checks the names of sources, mixes and evaluation sets.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from curation.decontamination.settings import DecontaminationSettings
from curation.dedup.settings import DedupSettings
from curation.fetch.settings import SourceSettings
from curation.langid.settings import LanguageSettings
from curation.mining.settings import MiningSettings
from curation.mixing.settings import MixSettings
from curation.normalize.settings import NormalizeSettings
from curation.quality.settings import QualitySettings
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.params import read_section
from open_ml_embed.core.section import Section
from open_ml_embed.core.validation_errors import refusal


class ReportSettings(Section):
    """Settings of step `report`."""

    tokenizer: str | None = None
    """A `tokenizer.json`, or a folder that holds one, relative to params.yaml: the report has lengths in its tokens."""
    token_rows: int = Field(default=500, ge=1, le=100_000)
    """Rows of each source that are tokenized for it: those with the lowest ids."""


class Profile(Section):
    """One profile of `params.yaml`: the settings of one build."""

    work: str = "work"
    """Where shards and markers lie: a folder, relative to the settings file, or the address of an object store, such as
    `s3://bucket/corpus`. No result depends on it."""
    sources: SourceSettings = SourceSettings()
    normalize: NormalizeSettings = NormalizeSettings()
    languages: LanguageSettings = LanguageSettings()
    quality: QualitySettings = QualitySettings()
    dedup: DedupSettings = DedupSettings()
    decontaminate: DecontaminationSettings = DecontaminationSettings()
    mining: MiningSettings = MiningSettings()
    mixes: dict[str, MixSettings] = {"retrieval": MixSettings(), "instruction": MixSettings()}
    """The mixes that the profile builds: a mapping from names to settings, which may be empty, or a list of names."""
    report: ReportSettings = ReportSettings()
    train: dict[str, Any] = {}
    """Settings of the trainer, which `train.config` validates."""

    @field_validator("work")
    @classmethod
    def _without_end(cls, value: str) -> str:
        if not value.strip("/"):
            raise ValueError("must name a folder or an address")
        return value.rstrip("/")

    @field_validator("mixes", mode="before")
    @classmethod
    def _with_settings(cls, value: object) -> object:
        if isinstance(value, list):
            return {name: {} for name in value}
        return {k: {} if v is None else v for k, v in value.items()} if isinstance(value, dict) else value


def load_profile(path: Path, name: str | None) -> tuple[str, Profile]:
    """Read one profile of `params.yaml`.

    Args:
        path: the settings file.
        name: the profile; None takes the file's `profile` entry.

    Returns:
        The profile's name and its settings.

    Raises:
        SettingsError: the file does not exist, is not YAML or has no profiles, or a setting has an invalid value.
        UnknownNameError: there is no such profile.

    """
    name, section = read_section(path, name)
    where = f"{path}, profile {name}"
    try:
        return name, Profile.model_validate(section)
    except ValidationError as error:
        raise refusal(error, Profile, SettingsError, where=where, what="setting") from None
