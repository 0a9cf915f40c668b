from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from open_ml_embed.core.errors import SettingsError, UnknownNameError
from tests.support.synthetic import params_for, write_params
from train.cli import app
from train.overrides import with_overrides

SECTION = {"seed": 0, "stages": [{"name": "one", "steps": 5}, {"name": "two", "steps": 6}], "objective": None}


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("seed=3", {"seed": 3}),
        ("compile=true", {"compile": True}),
        ("stages.two.steps=9", {"stages": [SECTION["stages"][0], {"name": "two", "steps": 9}]}),
        ("stages.0.rate=1.0e-4", {"stages": [SECTION["stages"][0] | {"rate": 1e-4}, SECTION["stages"][1]]}),
        ("objective.dims=[8, 16]", {"objective": {"dims": [8, 16]}}),
        ("lora.rank=4", {"lora": {"rank": 4}}),
        ("export.prompts={query: 'a: '}", {"export": {"prompts": {"query": "a: "}}}),
        ("ranks=", {"ranks": None}),
    ],
)  # fmt: skip
def test_one_value_changes(override: str, wanted: dict) -> None:
    before = repr(SECTION)
    assert with_overrides(SECTION, [override]) == SECTION | wanted
    assert repr(SECTION) == before


def test_later_overrides_see_earlier_ones() -> None:
    changed = with_overrides(SECTION, ["seed=1", "objective={temperature: 0.1}", "objective.dims=[8]", "seed=2"])
    assert changed["objective"] == {"temperature": 0.1, "dims": [8]}
    assert changed["seed"] == 2


@pytest.mark.parametrize("override", ["seed", "=3", "stages..steps=3", "seed: 3"])
def test_no_pair_is_refused(override: str) -> None:
    with pytest.raises(SettingsError, match="no key=value") as caught:
        with_overrides(SECTION, [override])
    assert caught.value.where == f"--set {override}"


def test_an_unknown_entry_and_a_value_without_settings() -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean two\?"):
        with_overrides(SECTION, ["stages.tow.steps=9"])
    with pytest.raises(SettingsError, match="seed is 0"):
        with_overrides(SECTION, ["seed.deep=9"])
    with pytest.raises(SettingsError, match="not YAML"):
        with_overrides(SECTION, ["seed=[1"])


def test_the_command_takes_them(mix: Path, tmp_path: Path) -> None:
    path = write_params(tmp_path / "params.yaml", params_for(mix))
    arguments = ["fit", "--params", str(path), "--work", str(tmp_path / "w"), "--dry-run"]
    done = CliRunner().invoke(app, [*arguments, "--set", "stages.retrieval.steps=7"], catch_exceptions=False)
    assert "retrieval: 7 steps" in done.stderr
    wrong = CliRunner().invoke(app, [*arguments, "--set", "stages.retrieval.stps=7"])
    assert isinstance(wrong.exception, UnknownNameError)
    assert "did you mean steps" in str(wrong.exception)
