"""Estimated hours of a build, and what the estimate rests on: `manifests/rates.yaml`."""

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
    """What one worker did in one step."""

    rows_per_second: float = Field(gt=0)
    settings: dict[str, Any] = {}
    """Dotted name of a profile's setting that the rate depends on → what it was."""


class Rates(Section):
    """What was measured, where, and what was not."""

    measured_on: str
    command: str
    caution: str
    steps: dict[str, Rate]
    unmeasured: dict[str, str]
    """Step → why it has no rate."""


def load_rates(root: Path | None = None) -> Rates:
    """Read the rates: a file of the user's own, where there is one in `manifests/` below `root`.

    Raises:
        ManifestError: the file breaks the model.

    """
    path = registry.file("rates.yaml", root)
    try:
        return Rates.model_validate(read_yaml(path, ManifestError))
    except ValidationError as error:
        remedy = "see curation/pipeline/estimate.py for the fields"
        raise refusal(error, Rates, ManifestError, where=str(path), remedy=remedy) from None


def hours(rates: Rates, rows: int, workers: int) -> dict[str, float]:
    """Return the hours that each measured step takes for so many rows, shared by so many workers."""
    return {step: round(rows / rate.rows_per_second / workers / 3600, 2) for step, rate in rates.steps.items()}


def basis(rates: Rates, profile: Profile, workers: int) -> dict[str, Any]:
    """Say what the hours rest on: what was measured on what, where this profile differs, and what has no rate.

    Raises:
        ManifestError: a rate depends on a setting that there is not.

    """
    settings = profile.model_dump(mode="json")

    def differing(rate: Rate) -> dict[str, Any]:
        try:
            here = {name: reduce(lambda part, key: part[key], name.split("."), settings) for name in rate.settings}
        except (KeyError, TypeError):
            raise ManifestError(
                f"not all of these are settings: {', '.join(rate.settings)}",
                where="rates.yaml",
                remedy="name them as params.yaml does, as `mining.teacher.model`",
            ) from None
        return {name: value for name, value in here.items() if value != rate.settings[name]}

    return {
        "measured_on": rates.measured_on,
        "command": rates.command,
        "caution": rates.caution,
        "workers": workers,
        "steps": {
            step: {
                "rows_per_second": rate.rows_per_second,
                "measured_with": rate.settings,
                "this_profile": differing(rate),
            }
            for step, rate in rates.steps.items()
        },
        "unmeasured": rates.unmeasured,
    }


def basis_lines(told: dict[str, Any]) -> list[str]:
    """Write what `basis` says, for people."""
    lines = [f"  measured on {told['measured_on']} ({told['command']}); {told['caution']}"]
    for step, rate in told["steps"].items():
        line = f"  {step}: {rate['rows_per_second']:,g} rows a second and worker"
        if rate["measured_with"]:
            line += f", with {_listed(rate['measured_with'])}"
        if rate["this_profile"]:
            line += f"; not measured with this profile's {_listed(rate['this_profile'])}"
        lines.append(line)
    lines += [f"  {step}: no rate, and not in the hours: {why}" for step, why in told["unmeasured"].items()]
    return lines


def _listed(settings: dict[str, Any]) -> str:
    said = ((name, ", ".join(map(str, v)) or "none" if isinstance(v, list) else v) for name, v in settings.items())
    return ", ".join(f"{name} {value}" for name, value in said)
