"""What a caller from Python can catch, and what a command ends with."""

import pickle

import pytest
from pydantic import Field, model_validator

from curation.mining.settings import MiningSettings
from open_ml_embed.core.errors import (
    CorpusError,
    FetchError,
    InvalidInputError,
    ManifestError,
    MissingToolError,
    SchemaError,
    SettingsError,
    StageError,
    TransientError,
    UnknownNameError,
    exit_code,
)
from open_ml_embed.core.section import Section
from open_ml_embed.core.validation_errors import from_arguments
from sources.languages import LanguageCodeError

OF_INPUT = (InvalidInputError, ManifestError, SettingsError, UnknownNameError, LanguageCodeError)
OTHERS = (CorpusError, FetchError, MissingToolError, SchemaError, StageError, TransientError)


def one(kind):
    return kind("source", "squat", ["squad"]) if kind is UnknownNameError else kind("what", where="where", remedy="do")


@pytest.mark.parametrize("kind", OF_INPUT)
def test_what_stems_from_an_argument_or_setting_is_a_value_error(kind):
    with pytest.raises(ValueError, match=r"what|squat") as caught:
        raise one(kind)
    assert isinstance(caught.value, CorpusError)
    assert exit_code(caught.value) == 1


@pytest.mark.parametrize("kind", OTHERS)
def test_what_stems_from_elsewhere_is_none(kind):
    assert not issubclass(kind, ValueError)
    assert exit_code(one(kind)) == (2 if kind is TransientError else 1)


@pytest.mark.parametrize("kind", [*OF_INPUT, *OTHERS])
def test_an_error_survives_the_way_back_from_a_worker(kind):
    error = one(kind)
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert (str(back), back.what, back.where, back.remedy) == (str(error), error.what, error.where, error.remedy)


class Inner(Section):
    name: str = "squad"

    @model_validator(mode="after")
    def _known(self) -> "Inner":
        if self.name != "squad":
            raise UnknownNameError("source", self.name, ["squad"], where="name")
        return self


class Outer(Section):
    inner: Inner = Inner()
    number: int = Field(default=1, ge=1)


def test_an_unknown_name_that_a_validator_finds_comes_out_as_itself():
    with pytest.raises(UnknownNameError) as caught:
        from_arguments(Outer, "function", {"inner": {"name": "squat"}})
    assert str(caught.value) == "function: inner.name: unknown source 'squat'\n  remedy: did you mean squad?"
    with pytest.raises(UnknownNameError) as caught:
        from_arguments(MiningSettings, "mine", {"preset": "f2lm"})
    assert caught.value.where == "mine: preset"
    assert caught.value.remedy == "did you mean f2llm?"


def test_an_argument_that_a_model_refuses_is_a_settings_error_that_names_it():
    with pytest.raises(SettingsError, match=r"function: number: .* greater than or equal to 1 \(got 0\)"):
        from_arguments(Outer, "function", {"number": 0})
    with pytest.raises(UnknownNameError, match=r"unknown argument 'numbr'") as caught:
        from_arguments(Outer, "function", {"numbr": 1})
    assert caught.value.remedy == "did you mean number?"
