"""What steps write is what the models of their statistics say."""

import json

import pytest
from pydantic import ValidationError

from curation.build import Build
from curation.pipeline.statistics import OF_STEP, statistics_of
from curation.settings import load_profile
from tests.support import project


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = project.make(tmp_path_factory.mktemp("statistics") / "project", rows=60)
    for step in project.STEPS:
        project.run(root, *step)
    return Build(*load_profile(root / "params.yaml", None), root)


@pytest.mark.parametrize("step", ["-".join(step) for step in project.STEPS])
def test_every_step_keeps_to_its_model(built, step):
    result = built.read(step)
    typed = statistics_of(result)
    assert json.loads(typed.model_dump_json(by_alias=True, exclude_unset=True)) == result.stats
    assert set(OF_STEP) >= {step.partition("-")[0]}


def test_the_funnel_of_a_mix_adds_up(built):
    rows = statistics_of(built.read("normalize")).sources
    mix = statistics_of(built.read("mix-instruction"))
    for source, funnel in mix.sources.items():
        assert sum(funnel.model_dump().values()) == rows[source].rows
    assert mix.counts.train + mix.counts.validation == mix.counts.samples


def test_what_the_model_does_not_have_is_refused(built):
    result = built.read("dedup")
    result.stats["sample"]["surprises"] = 3
    with pytest.raises(ValidationError, match="surprises"):
        statistics_of(result)
