"""Estimate of the hours of a build, from measured rates in `manifests/rates.yaml`."""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from curation.settings import Profile
from open_ml_embed.core.errors import ManifestError
from open_ml_embed.core.section import Section
from open_ml_embed.core.validation_errors import refusal
from open_ml_embed.core.yaml_file import read_yaml
from sources import registry


class Rate(Section):
    """The measured rate of one worker in one step."""

    rows_per_second: float = Field(gt=0)
    seconds_per_subset: float = Field(default=0, ge=0)
    """What a subset costs besides its rows: files that are opened and written."""
    growth: float = Field(default=1, ge=1)
    """The time of the rows grows as their number to this power; `rows_per_second` is the rate at `at_rows`."""
    at_rows: int = Field(default=1, ge=1)
    settings: dict[str, Any] = {}
    """Dotted name of a setting that the rate depends on → its value in the measurement."""


class Rates(Section):
    """All measured rates, the machine and command, and the steps that were not measured."""

    measured_on: str
    command: str
    caution: str
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


def hours(rates: Rates, rows: int, subsets: int, workers: int) -> dict[str, float]:
    """Return step → hours for a number of rows, subsets and workers, for all measured steps."""
    return {step: round(worker_seconds(rate, rows, subsets) / workers / 3600, 2) for step, rate in rates.steps.items()}


def worker_seconds(rate: Rate, rows: int, subsets: int) -> float:
    """Return how long one worker takes, in seconds."""
    grown = float((rows / rate.at_rows) ** (rate.growth - 1))
    return rows / rate.rows_per_second * grown + subsets * rate.seconds_per_subset


def basis(rates: Rates, profile: Profile, workers: int) -> dict[str, Any]:
    """Return the basis of the estimate as data for JSON: rates, settings that differ, and steps without a rate.

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
        "steps": {
            step: {
                "rows_per_second": rate.rows_per_second,
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
    lines = [f"  measured on {estimate['measured_on']} ({estimate['command']}); {estimate['caution']}"]
    for step, rate in estimate["steps"].items():
        line = f"  {step}: {rate['rows_per_second']:,g} rows a second and worker"
        if rate["growth"] > 1:
            line += f" at {rate['at_rows']:,} rows, growing as rows to the power {rate['growth']:g}"
        if rate["seconds_per_subset"]:
            line += f", and {rate['seconds_per_subset']:g} s a subset"
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
