"""What is registered by name: loaded when it is asked for, refused with the nearest name, added to by others."""

from __future__ import annotations

import pickle
import sys
from importlib.metadata import EntryPoint
from typing import Annotated

import pytest
from pydantic import ValidationError

from open_ml_embed.core import registry
from open_ml_embed.core.errors import SettingsError, UnknownNameError
from open_ml_embed.core.registry import Registry, one_of
from open_ml_embed.core.section import Section
from open_ml_embed.core.validation_errors import refusal

NUMBERS: Registry[float] = Registry("number", "open_ml_embed.numbers", {"pi": "math:pi", "lost": "math:no_such"})


class Settings(Section):
    number: Annotated[str, one_of(NUMBERS)] = "pi"


@pytest.fixture
def numbers() -> Registry[float]:
    return Registry("number", "open_ml_embed.numbers", {"pi": "math:pi"})


def test_one_is_imported_when_it_is_asked_for():
    before = sys.modules.pop("this", None)
    zen: Registry[object] = Registry("poem", "open_ml_embed.poems", {"zen": "this"})
    assert "zen" in zen
    assert zen.names() == ["zen"]
    assert "this" not in sys.modules
    assert zen.get("zen").__name__ == "this"
    if before is not None:
        sys.modules["this"] = before


def test_an_unknown_name_is_refused_with_the_nearest(numbers):
    with pytest.raises(UnknownNameError) as caught:
        numbers.get("pie", where="here")
    assert str(caught.value) == "here: unknown number 'pie'\n  remedy: did you mean pi?"


def test_one_is_registered_by_hand_or_as_a_decorator_and_never_twice(numbers):
    numbers.register("e", "math:e")
    made = numbers.register("half")(0.5)
    assert (made, numbers.get("half"), round(numbers.get("e"), 3)) == (0.5, 0.5, 2.718)
    assert numbers.names() == ["e", "half", "pi"]
    with pytest.raises(SettingsError, match="there is a number 'pi' already"):
        numbers.register("pi", 3.0)
    assert numbers.get("pi") == pytest.approx(3.14159, abs=1e-5)


def test_a_setting_is_a_name_of_a_registry():
    assert Settings(number="pi").number == "pi"
    with pytest.raises(ValidationError) as caught:
        Settings(number="pie")
    error = refusal(caught.value, Settings, SettingsError, where="params.yaml", section="own")
    assert isinstance(error, UnknownNameError)
    assert str(error) == "params.yaml: own.number: unknown number 'pie'\n  remedy: did you mean pi?"
    assert pickle.loads(pickle.dumps(Settings())) == Settings()


def test_a_setting_may_be_anything_that_was_registered():
    NUMBERS.register("tau", "math:tau")
    assert Settings(number="tau").number == "tau"


def test_two_distributions_with_one_name(monkeypatch, capsys):
    class Distribution:
        def __init__(self, name):
            self.name, self.version = name, "1.0"

    def entry(distribution, value):
        made = EntryPoint("tau", value, "open_ml_embed.numbers")
        vars(made)["dist"] = Distribution(distribution)
        return made

    monkeypatch.setattr(registry, "entry_points", lambda group: [entry("zeta", "math:e"), entry("alpha", "math:tau")])
    registry.declared.cache_clear()
    numbers: Registry[float] = Registry("number", "open_ml_embed.numbers", {"pi": "math:pi"})
    assert numbers.names() == ["pi", "tau"]
    assert (numbers.origin("tau"), numbers.origin("pi")) == ("alpha 1.0", None)
    assert numbers.get("tau") == pytest.approx(6.28318, abs=1e-5)
    said = capsys.readouterr().err
    assert said == ("warning: open_ml_embed.numbers 'tau' of zeta 1.0: not used: alpha 1.0 has one of that name\n")
    registry.declared.cache_clear()
