"""Estimate of the hours of a build, from measured rates in `manifests/rates.yaml`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from curation.settings import Profile
from open_ml_embed.core.errors import ManifestError
from open_ml_embed.core.section import Section
from open_ml_embed.core.validation_errors import refusal
from open_ml_embed.core.yaml_file import read_yaml
from sources import registry


@dataclass(frozen=True)
class Size:
    """What a step works through: rows, characters of all their texts, and subsets."""

    rows: int
    characters: float
    subsets: int


class Rate(Section):
    """The measured rate of one worker in one step: the seconds of rows, characters and subsets are added up."""

    seconds_per_million_rows: float = Field(default=0, ge=0)
    seconds_per_million_characters: float = Field(default=0, ge=0)
    seconds_per_subset: float = Field(default=0, ge=0)
    """What a subset costs besides its rows: files that are opened and written."""
    growth: float = Field(default=1, ge=1)
    """The time of rows and characters grows as the number of rows to this power; at `at_rows` it is as stated."""
    at_rows: int = Field(default=1, ge=1)
    settings: dict[str, Any] = {}
    """Dotted name of a setting that the rate depends on → its value in the measurement."""

    @model_validator(mode="after")
    def _takes_time(self) -> Rate:
        if not (self.seconds_per_million_rows or self.seconds_per_million_characters):
            raise ValueError("neither rows nor characters take any time")
        return self


class Rates(Section):
    """All measured rates, the machine and command, and the steps that were not measured."""

    measured_on: str
    command: str
    caution: str
    characters: dict[str, float]
    """Task → mean number of characters of a sample: of its query, positive and given negatives together."""
    steps: dict[str, Rate]
    unmeasured: dict[str, str]
    """Step → why it has no rate."""


def load_rates(root: Path | None = None) -> Rates:
    """Read the rates; `manifests/rates.yaml` below `root` takes precedence over the project's file.

    Raises:
        ManifestError: the file is not valid.

    """
    path = registry.file("rates.yaml", root)
    try:
        return Rates.model_validate(read_yaml(path, ManifestError))
    except ValidationError as error:
        remedy = "see curation/pipeline/estimate.py for the fields"
        raise refusal(error, Rates, ManifestError, where=str(path), remedy=remedy) from None


def size_of(rates: Rates, rows: Iterable[tuple[str, int, int]]) -> Size:
    """Return the size of some sources.

    Args:
        rates: with the lengths; a task without one has the mean of the others.
        rows: (task, number of rows, number of subsets) of each source.

    """
    mean = sum(rates.characters.values()) / len(rates.characters) if rates.characters else 0.0
    sources = list(rows)
    return Size(
        sum(number for _, number, _ in sources),
        sum(number * rates.characters.get(task, mean) for task, number, _ in sources),
        sum(subsets for _, _, subsets in sources),
    )


def hours(rates: Rates, size: Size, workers: int) -> dict[str, float]:
    """Return step → hours of some workers, for all measured steps."""
    return {step: round(worker_seconds(rate, size) / workers / 3600, 2) for step, rate in rates.steps.items()}


def worker_seconds(rate: Rate, size: Size) -> float:
    """Return how long one worker takes, in seconds."""
    grown = float((size.rows / rate.at_rows) ** (rate.growth - 1)) if size.rows else 1.0
    texts = size.rows * rate.seconds_per_million_rows + size.characters * rate.seconds_per_million_characters
    return texts / 1e6 * grown + size.subsets * rate.seconds_per_subset


def basis(rates: Rates, profile: Profile, size: Size, workers: int) -> dict[str, Any]:
    """Return the basis of the estimate as data for JSON: size, rates, settings that differ, and steps without a rate.

    Raises:
        ManifestError: a rate names a setting that does not exist.

    """
    settings = profile.model_dump(mode="json")

    def differing(rate: Rate) -> dict[str, Any]:
        try:
            current = {name: reduce(lambda part, key: part[key], name.split("."), settings) for name in rate.settings}
        except (KeyError, TypeError):
            raise ManifestError(
                f"not all of these are settings: {', '.join(rate.settings)}",
                where="rates.yaml",
                remedy="name them as params.yaml does, as `mining.teacher.model`",
            ) from None
        return {name: value for name, value in current.items() if value != rate.settings[name]}

    return {
        "measured_on": rates.measured_on,
        "command": rates.command,
        "caution": rates.caution,
        "workers": workers,
        "size": {"rows": size.rows, "characters": round(size.characters), "subsets": size.subsets},
        "steps": {
            step: {
                "seconds_per_million_rows": rate.seconds_per_million_rows,
                "seconds_per_million_characters": rate.seconds_per_million_characters,
                "seconds_per_subset": rate.seconds_per_subset,
                "growth": rate.growth,
                "at_rows": rate.at_rows,
                "measured_with": rate.settings,
                "this_profile": differing(rate),
            }
            for step, rate in rates.steps.items()
        },
        "unmeasured": rates.unmeasured,
    }


def basis_lines(estimate: dict[str, Any]) -> list[str]:
    """Format the result of `basis` as lines of text."""
    size = estimate["size"]
    lines = [
        f"  {size['rows']:,} rows, {size['characters']:,} characters by the lengths of their tasks, "
        f"{size['subsets']:,} subsets",
        f"  measured on {estimate['measured_on']} ({estimate['command']}); {estimate['caution']}",
    ]
    for step, rate in estimate["steps"].items():
        of = ("million rows", "million characters", "subset")
        seconds = (rate[f"seconds_per_{one.replace(' ', '_')}"] for one in of)
        line = f"  {step}: " + ", ".join(f"{each:,g} s a {one}" for each, one in zip(seconds, of, strict=True) if each)
        if rate["growth"] > 1:
            line += f"; at {rate['at_rows']:,} rows, growing as rows to the power {rate['growth']:g}"
        if rate["measured_with"]:
            line += f", with {_listed(rate['measured_with'])}"
        if rate["this_profile"]:
            line += f"; not measured with this profile's {_listed(rate['this_profile'])}"
        lines.append(line)
    lines += [f"  {step}: no rate, and not in the hours: {why}" for step, why in estimate["unmeasured"].items()]
    return lines


def _listed(settings: dict[str, Any]) -> str:
    formatted = ((name, ", ".join(map(str, v)) or "none" if isinstance(v, list) else v) for name, v in settings.items())
    return ", ".join(f"{name} {value}" for name, value in formatted)
