"""`curate plan`: what a build will give, cost and be allowed for, from the manifests alone."""

import json
import os
import re
from collections import Counter

import pytest
import yaml
from pydantic import ValidationError
from typer.testing import CliRunner

from curation.build import STEPS
from curation.cli.app import app
from curation.pipeline.estimate import Rate, Size, basis, load_rates, size_of, worker_seconds
from curation.pipeline.plan import make_plan
from curation.pipeline.source_filter import Filter
from curation.settings import load_profile
from open_ml_embed.core.errors import ManifestError, SettingsError
from sources import registry
from tests.support import ROOT
from tests.support.workshop import RATES


def test_the_corpus_adds_up_before_anything_is_downloaded():
    params = ROOT / "params.yaml"
    said = CliRunner().invoke(app, ["plan", "--profile", "full", "--params", str(params), "--json"])
    made = json.loads(said.stdout)
    assert made["sources"] == 121
    assert made["corpus"]["rows"] == 50_513_802
    assert made["corpus"]["families"] == {"retrieval": 44_698_699, "clustering": 5_450_183, "classification": 364_920}
    assert made["mixes"]["retrieval"]["rows"] == 26_693_280
    assert made["mixes"]["instruction"]["rows"] == 8_317_566


def test_the_other_corpus_adds_up_too():
    params = ROOT / "params.yaml"
    said = CliRunner().invoke(app, ["plan", "--profile", "f2llm-v2", "--params", str(params), "--json"])
    made = json.loads(said.stdout)
    assert made["sources"] == 157
    assert made["corpus"]["rows"] == 60_147_938
    assert made["corpus"]["families"] == {"retrieval": 54_021_180, "clustering": 5_554_559, "classification": 572_199}
    assert made["published"]["languages"] == {"published": 282, "declared": 282, "missing": [], "more": ["ajp", "gsw"]}
    # `csharp` and `c#` are two of the 44 labels, and one language
    assert made["published"]["programming_languages"] == {
        "published": 43, "declared": 43, "missing": [], "more": [], "labels": 44,
    }  # fmt: skip
    assert made["mixes"]["retrieval"]["rows"] == 26_693_280
    lines = CliRunner().invoke(app, ["plan", "--profile", "f2llm-v2", "--params", str(params)]).stdout
    line = "of the 282 languages of F2LLM-v2's corpus, 282 are declared; beside them ajp, gsw"
    assert line in " ".join(lines.split())


def test_a_cap_on_released_files_counts_the_files_of_each_source():
    """An oracle that knows the release's table only: at most 80,000 of a file, whichever sources it holds."""
    params = ROOT / "params.yaml"
    said = CliRunner().invoke(app, ["plan", "--profile", "f2llm-v2", "--params", str(params), "--json"])
    mix = json.loads(said.stdout)["mixes"]["instruction_v2"]
    table = (ROOT / "manifests/releases/f2llm_v2.tsv").read_text("utf-8").splitlines()[1:]
    files, of_file = Counter(), Counter()
    for file, source in {tuple(line.split("\t")[i] for i in (0, 3)) for line in table}:
        files[source] += 1
        of_file[file] += registry.load(source).samples
    assert (mix["cap"], mix["cap_of"], len(mix["sources"])) == (80_000, "released-file", 157)
    for source, rows in mix["sources"].items():
        assert rows <= min(registry.load(source).samples, 80_000 * files[source]), source
    assert mix["sources"]["mela"] + mix["sources"]["scala"] + mix["sources"]["dala"] == 80_000 < of_file["mela"]
    assert mix["sources"]["mqa"] == 38 * 80_000
    assert mix["sources"]["openorca"] == 2 * 80_000
    assert 18_000_000 < mix["rows"] == sum(mix["sources"].values()) <= 28_379_359


def test_a_pilot_is_planned_as_a_pilot():
    params = ROOT / "params.yaml"
    said = CliRunner().invoke(app, ["plan", "--profile", "pilot", "--params", str(params), "--json"])
    made = json.loads(said.stdout)
    rows = {source["name"]: source["rows"] for source in made["by_source"]}
    assert made["sources"] == len(rows) == 121
    # one file; one part in each of six subsets; fewer rows than a pilot takes
    assert (rows["gooaq"], rows["amazon_reviews"], rows["coliee"]) == (2000, 12_000, 454)
    assert made["corpus"]["rows"] == sum(rows.values()) < 2_000_000
    assert all(0 < mix["rows"] < made["corpus"]["rows"] for mix in made["mixes"].values())
    assert made["hours"]["normalize"] < 1
    lines = CliRunner().invoke(app, ["plan", "--profile", "pilot", "--params", str(params)]).stdout
    assert "of these, at most 1 of each table's files" in " ".join(lines.split())


def plan(library, *chosen, **more):
    return make_plan(library.build(), Filter(*chosen), **more)


def test_plan_adds_up(library):
    made = plan(library)
    assert made["sources"] == 4
    assert made["corpus"]["rows"] == 1030
    assert made["corpus"]["families"] == {"clustering": 50, "retrieval": 980}
    assert made["corpus"]["access"] == {"gated": 250, "open": 780}
    assert made["corpus"]["licenses"] == {"CC0-1.0": 980, "LicenseRef-x": 50}
    assert (made["corpus"]["languages"], made["corpus"]["programming_languages"]) == (3, 1)
    assert made["corpus"]["download"] == {
        "bytes": 3_000_000, "of_sources": 1, "probed": 0, "approximate": 0, "unknown": 3,
    }  # fmt: skip
    assert {name: mix["rows"] for name, mix in made["mixes"].items()} == {"retrieval": 730, "instruction": 280}


def test_a_mix_has_the_sums_of_what_its_cap_leaves(library):
    mix = plan(library)["mixes"]["instruction"]
    assert mix["sources"] == {"laws": 100, "snippets": 30, "stories": 100, "tweets": 50}
    assert mix["cap"] == 100
    assert mix["families"] == {"clustering": 50, "retrieval": 230}
    assert mix["tasks"] == {"code-to-text": 30, "title-matching": 200, "topic-classification": 50}
    assert mix["licenses"] == {"CC0-1.0": 230, "LicenseRef-x": 50}
    assert mix["access"] == {"gated": 100, "open": 180}
    assert (mix["languages"], mix["programming_languages"], mix["undeclared"]) == (3, 1, 0)
    assert mix["download"]["bytes"] == 3_000_000, "a raw file is fetched whole"
    other = plan(library)["mixes"]["retrieval"]
    assert (other["rows"], other["families"], other["languages"]) == (730, {"retrieval": 730}, 2)
    assert other["download"] == {"bytes": 3_000_000, "of_sources": 1, "probed": 0, "approximate": 0, "unknown": 1}
    assert set(other) - {"cap", "cap_of", "sources", "selection", "not_estimated"} == set(plan(library)["corpus"])


def test_a_mix_is_planned_by_what_its_file_takes(library):
    def rows(**changes):
        library.mix("instruction", **changes)
        return plan(library)["mixes"]["instruction"]["sources"]

    every = {"laws": 250, "snippets": 30, "stories": 700, "tweets": 50}
    assert rows() == every
    assert rows(filters={"allows": ["commercial"]}) == every | {"tweets": 0}
    assert rows(filters={"families": ["clustering"]}) == {"laws": 0, "snippets": 0, "stories": 0, "tweets": 50}
    assert rows(filters={"tasks": ["code-to-text"], "licenses": ["CC0-1.0"]}) == dict.fromkeys(every, 0) | {
        "snippets": 30
    }
    # subsets without rows of their own count whole
    assert rows(filters={"languages": ["srp"]}) == dict.fromkeys(every, 0) | {"stories": 700}
    subsets = {"de": {"query_lang": "deu-Latn", "samples": 200}, "sr": {"query_lang": "srp-Cyrl", "samples": 500}}
    library.manifest("stories", [], subsets=subsets, samples=700)
    assert rows(filters={"languages": ["sr"]}) == dict.fromkeys(every, 0) | {"stories": 500}
    subsets = {"both": {"query_lang": "deu-Latn", "positive_lang": "srp-Cyrl", "samples": 700}}
    library.manifest("stories", [], subsets=subsets, samples=700)
    assert rows(filters={"languages": ["sr"]})["stories"] == 700
    assert rows(filters={"languages": ["sr"], "both_sides": True})["stories"] == 0
    assert rows(filters={"languages": ["sr", "de"], "both_sides": True})["stories"] == 700
    assert rows(cap=100, caps={"stories": 400}) == every | {"stories": 400, "laws": 100}
    drawn = rows(samples=100, weights={"tweets": 0}, temperature=1)
    assert (sum(drawn.values()), drawn["tweets"]) == (100, 0)
    assert drawn["stories"] > drawn["laws"] > drawn["snippets"] > 0


def test_roughly_known_bytes_are_counted_as_such(library):
    library.manifest("poems", ["de"], download=500, download_basis="half of the files")
    made = plan(library)
    assert made["corpus"]["download"] == {
        "bytes": 3_000_500, "of_sources": 2, "probed": 0, "approximate": 1, "unknown": 3,
    }  # fmt: skip
    assert "~500 B" in CliRunner().invoke(app, ["sources"], env={"COLUMNS": "200"}).stdout
    assert "500 B (half of the files)" in CliRunner().invoke(app, ["sources", "show", "poems"]).stdout
    library.manifest("poems", ["de"], download_basis="half of the files")
    with pytest.raises(ManifestError, match="there is no `download`"):
        registry.load("poems")


def test_plan_says_what_is_lost(library):
    lost = plan(library)["lost"]
    assert lost["license commercial"] == {
        "sources": ["tweets"], "rows": 50, "languages": ["zul"], "mixes": {"retrieval": 0, "instruction": 50},
    }  # fmt: skip
    gated = lost["no token (without gated)"]
    assert (gated["sources"], gated["rows"], gated["languages"]) == (["laws"], 250, [])


def test_plan_of_a_choice_counts_and_loses_only_that(library):
    made = plan(library, None, None, None, "commercial")
    assert made["corpus"]["rows"] == 980
    assert made["lost"]["license commercial"]["sources"] == []


def test_hours_follow_from_the_rates_and_the_workers(library):
    assert plan(library)["hours"]["mine"] == round(1030 / 10 / 3600, 2)
    assert plan(library, workers=2)["hours"]["mine"] == round(1030 / 10 / 2 / 3600, 2)


def test_hours_follow_from_the_lengths_of_texts(library):
    """A task without a length has the mean of the others; what has no length and no rows takes no time."""
    made = plan(library)
    of_task = {entry["name"]: (registry.load(entry["name"]).task, entry["rows"]) for entry in made["by_source"]}
    count = sum(rows * {"sentiment": 300, "question-answering": 500}.get(task, 400) for task, rows in of_task.values())
    assert made["basis"]["size"] == {"rows": 1030, "characters": count, "subsets": made["subsets"]}
    assert made["hours"]["normalize"] == round((count / 100 + 2 * made["subsets"]) / 3600, 2)
    rate = Rate(seconds_per_million_rows=10, seconds_per_million_characters=1, growth=1.5, at_rows=1_000_000)
    assert worker_seconds(rate, Size(4_000_000, 8_000_000, 0)) == pytest.approx((40 + 8) * 2)
    assert worker_seconds(rate, Size(0, 0, 3)) == 0
    with pytest.raises(ValidationError, match="take any time"):
        Rate(seconds_per_subset=1)


def test_what_the_hours_rest_on(library):
    told = plan(library, workers=2)["basis"]
    assert (told["measured_on"], told["workers"], told["unmeasured"]) == ("a toy", 2, {"train": "nobody has"})
    assert told["steps"]["normalize"] == {
        "seconds_per_million_rows": 0.0, "seconds_per_million_characters": 10_000.0, "seconds_per_subset": 2.0,
        "growth": 1.0, "at_rows": 1, "measured_with": {}, "this_profile": {},
    }  # fmt: skip
    assert told["steps"]["mine"]["measured_with"] == {"mining.num_negatives": 8, "mining.teacher.model": "bm25"}
    assert told["steps"]["mine"]["this_profile"] == {"mining.num_negatives": 24}
    rates = RATES | {"steps": {"mine": {"seconds_per_million_rows": 10, "settings": {"mining.kept": 8}}}}
    (library.root / "manifests/rates.yaml").write_text(yaml.safe_dump(rates))
    with pytest.raises(ManifestError, match=r"mining\.kept"):
        plan(library)
    (library.root / "manifests/rates.yaml").write_text("mine: 10\n")
    with pytest.raises(ManifestError, match="measured_on"):
        plan(library)


def test_every_step_has_a_rate_or_a_reason_to_have_none():
    rates = load_rates()
    steps = {*STEPS, "mix", "train"}
    assert steps == {*rates.steps, *rates.unmeasured}
    path = ROOT / "params.yaml"
    size = Size(1, 1, 1)
    told = basis(rates, load_profile(path, "sample")[1], size, 1)["steps"]
    assert {step for step, rate in told.items() if rate["this_profile"]} == {"decontaminate", "mine"}
    assert basis(rates, load_profile(path, "full")[1], size, 1)["steps"]["identify"]["this_profile"]


@pytest.mark.parametrize("fraction", ["0.01", "0.1"])
def test_hours_are_within_a_factor_of_two_of_the_measured_ones(fraction):
    page = (ROOT / "docs/scale.md").read_text()
    section = re.search(rf"## {re.escape(fraction)} of the corpus: ([\d,]+) rows\n(.*?)\n## ", page, re.DOTALL)
    measured = Counter()
    for step, seconds in re.findall(r"^\| (\w+)[\w ]* \| [\d,]+ \| ([\d,]+) \|", section[2], re.MULTILINE):
        measured[step] += int(seconds.replace(",", ""))
    rows = int(section[1].replace(",", ""))
    rates, corpus = load_rates(), list(registry.load_all("ml-embed"))
    share = rows / sum(manifest.samples for manifest in corpus)
    size = size_of(rates, ((m.task, round(m.samples * share), len(m.subsets)) for m in corpus))
    assert rates.steps.keys() <= measured.keys()
    for step, rate in rates.steps.items():
        assert 0.5 < worker_seconds(rate, size) / measured[step] < 2, step


def test_plan_command_takes_the_same_choices(library):
    (library.root / "params.yaml").write_text("profile: p\np: {sources: {collection: offline}}\n")
    arguments = ["plan", "--params", str(library.root / "params.yaml"), "--json"]
    run = CliRunner().invoke
    assert json.loads(run(app, arguments).stdout)["sources"] == 4
    assert json.loads(run(app, [*arguments, "--license", "commercial"]).stdout)["sources"] == 3
    assert json.loads(run(app, [*arguments, "--without-gated"]).stdout)["sources"] == 3
    for without in (["--access", "open,gated"], ["--access", "gated,open,manual"], ["--access", "open"]):
        made = json.loads(run(app, [*arguments, "--without-gated", *without]).stdout)
        assert made["corpus"]["access"] == {"open": 780}
    nothing = run(app, [*arguments, "--without-gated", "--access", "gated"]).exception
    assert isinstance(nothing, SettingsError)
    assert "--without-gated" in nothing.remedy
    table = run(app, arguments[:-1], env={"COLUMNS": "200"}).stdout
    assert "1,030 rows" in table
    assert "license commercial" in table
    assert "known of 1 of 4 sources" in table
    assert "train: no rate, and not in the hours: nobody has" in table
    assert "not measured with this profile's mining.num_negatives 24" in table
    totals = table.partition("totals")[2]
    for words in (
        ["topic-classification", "50", "50", "0"],
        ["LicenseRef-x", "50", "50", "0"],
        ["gated", "250", "100"],
    ):
        assert any(set(words) <= set(line.split()) for line in totals.splitlines()), words


@pytest.mark.parametrize(("workers", "number"), [("0", len(os.sched_getaffinity(0))), ("1", 1), ("3", 3)])
def test_plan_for_so_many_workers(library, workers, number):
    (library.root / "params.yaml").write_text("profile: p\np: {sources: {collection: offline}}\n")
    arguments = ["plan", "--params", str(library.root / "params.yaml"), "--json", "--workers", workers]
    made = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert made["basis"]["workers"] == number
    assert made["hours"]["mine"] == round(1030 / 10 / number / 3600, 2)


@pytest.mark.parametrize("verb", ["plan", "normalize"])
def test_fewer_workers_than_none_are_refused(library, verb):
    (library.root / "params.yaml").write_text("profile: p\np: {sources: {collection: offline}}\n")
    arguments = [verb, "--params", str(library.root / "params.yaml"), "--workers", "-1"]
    refused = CliRunner().invoke(app, arguments).exception
    assert isinstance(refused, SettingsError)
    assert (refused.where, refused.remedy) == ("--workers", "a number, or 0: one per core")


def test_a_source_of_the_community_is_in_no_plan_that_does_not_ask_for_it(library):
    library.manifest("blogs", ["de"], collection="community", samples=9)
    assert plan(library)["sources"] == 4
    of_community = make_plan(library.build(sources={"collection": "community"}), Filter())
    assert list(of_community["mixes"]["instruction"]["sources"]) == ["blogs"]
    assert make_plan(library.build(sources={"collection": "offline", "include": ["blogs"]}))["corpus"]["rows"] == 1039
