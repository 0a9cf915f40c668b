"""Thresholds of quality through the real commands: columns in every build, rows left out only where a bound says so."""

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from curation.build import Build
from curation.pipeline.freshness import Checker
from curation.quality.settings import QualitySettings
from curation.settings import load_profile
from tests.support import project

ODD = [
    ("w1 w2 w3 who", "W1, w2: w3 — who?"),  # equal
    ("ok", "w7 w8 w9 w10 w11 w12 w13 w14"),  # a short query
    ("w4 w5 w6 w77", "?"),  # a positive without any letter or digit
    ("w8 w9 w10 w78", "?!?!?! *** a"),  # symbols
    ("w11 w12 w13 w79", "yes yes yes yes yes yes yes yes yes yes yes yes"),  # repeats itself
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = project.make(tmp_path_factory.mktemp("quality"), rows=70)
    with (root / "raw/pairs/part-0.jsonl").open("a") as file:
        file.writelines(json.dumps({"q": query, "d": positive}) + "\n" for query, positive in ODD)
    settings = yaml.safe_load((root / "params.yaml").read_text())
    settings["tiny"]["mixes"] = {"retrieval": {"validation": 0}, "instruction": {"validation": 0}}
    (root / "params.yaml").write_text(yaml.safe_dump(settings))
    project.run(root, "run", "--until", "mix", "--workers", "1")
    return root


def write_quality(root: Path, quality: dict) -> None:
    settings = yaml.safe_load((root / "params.yaml").read_text())
    settings["tiny"]["quality"] = quality
    (root / "params.yaml").write_text(yaml.safe_dump(settings))


def set_quality(root: Path, quality: dict) -> Build:
    write_quality(root, quality)
    name, profile = load_profile(root / "params.yaml", None)
    return Build(name, profile, root)


def samples(root: Path, mix: str = "retrieval") -> dict[str, tuple[str, str]]:
    paths = sorted((root / f"out/tiny/mixes/{mix}/samples").glob("*.parquet"))
    rows = [row for path in paths for row in pq.read_table(path).to_pylist()]
    return {row["row_id"]: (row["query"], row["positive"]) for row in rows}


def stats(root: Path, step: str) -> dict:
    return json.loads((root / f"out/tiny/steps/{step}.json").read_text())["stats"]


def figures(root: Path, source: str) -> list[dict]:
    """Return the rows of a source with their figures."""
    found = []
    for path in sorted((root / "work/tiny/rows" / source).rglob("*.rows.arrow")):
        beside = Path(str(path).replace("/rows/", "/quality/").replace(".rows.arrow", ".quality.arrow"))
        tables = [pa.ipc.open_file(pa.memory_map(str(each))).read_all().to_pylist() for each in (path, beside)]
        found += [row | measured for row, measured in zip(*tables, strict=True)]
    return found


def test_without_thresholds_every_row_has_its_figures_and_none_is_left_out(built):
    set_quality(built, {})
    project.run(built, "run", "--until", "mix", "--workers", "1")
    assert {query for query, _ in ODD} <= {query for query, _ in samples(built).values()}
    counted = stats(built, "measure")["sources"]["pairs"]
    rows = figures(built, "pairs")
    assert counted["rows"] == len(rows)
    assert counted["unusual"]["equal"] == sum(row["equal"] for row in rows) == 1
    assert counted["unusual"]["query_alphanumeric"] == sum(row["query_alphanumeric"] < 3 for row in rows) == 1
    assert counted["unusual"]["positive_symbols"] == sum(row["positive_symbols"] > 0.5 for row in rows) == 2
    assert counted["unusual"]["positive_repetition"] == 1
    assert counted["unusual_rows"] == 5
    assert stats(built, "mix-retrieval")["filters"] == {}


@pytest.mark.parametrize(
    ("quality", "lost", "why"),
    [
        ({"thresholds": {"equal": {"max": 0}}}, [0], {"equal": 1}),
        ({"thresholds": {"query_alphanumeric": {"min": 3}}}, [1], {"query-alphanumeric": 1}),
        ({"sources": {"pairs": {"positive_symbols": {"max": 0.5}}}}, [2, 3], {"positive-symbols": 2}),
        ({"sources": {"classes": {"positive_symbols": {"max": 0.5}}}}, [], {}),
        (
            {
                "thresholds": {"equal": {"max": 0}, "positive_repetition": {"max": 0.5}},
                "sources": {"pairs": {"equal": {}}},
            },
            [4],
            {"positive-repetition": 1},
        ),
        (
            {"thresholds": {"length_ratio": {"min": 0.3}, "positive_alphanumeric": {"min": 1}}},
            [2],
            {"positive-alphanumeric": 1},
        ),
    ],
)  # fmt: skip
def test_a_threshold_leaves_out_the_rows_beyond_it(built, quality, lost, why):
    set_quality(built, {})
    project.run(built, "run", "--until", "mix", "--workers", "1")
    before = samples(built)
    set_quality(built, quality)
    project.run(built, "run", "--until", "mix", "--workers", "2")
    gone = {before[row] for row in before.keys() - samples(built).keys()}
    assert gone == {ODD[number] for number in lost}
    found = stats(built, "mix-retrieval")
    assert Counter(found["filters"].get("pairs", {})) == Counter(why)
    assert found["sources"]["pairs"]["mix-filter"] == len(lost)


def test_confidence_of_languages_has_a_threshold_of_each_source(built):
    set_quality(built, {"sources": {"pairs": {"language_confidence": {"min": 1.1}}}})
    project.run(built, "run", "--until", "mix instruction", "--workers", "1")
    found = stats(built, "mix-instruction")
    assert found["filters"]["pairs"]["language-confidence"] > 0
    assert set(found["filters"]) == {"pairs"}


def test_a_change_of_thresholds_makes_only_the_mixes_stale(built):
    set_quality(built, {})
    project.run(built, "run", "--until", "mix", "--workers", "1")
    states = Checker(set_quality(built, {"sources": {"pairs": {"equal": {"max": 0}}}})).states()
    assert {step for step, state in states.items() if state.kind == "stale"} == {"mix-retrieval", "mix-instruction"}
    assert "quality" in states["mix-retrieval"].why
    states = Checker(set_quality(built, {"sources": {"classes": {"equal": {"max": 0}}}})).states()
    assert {step for step, state in states.items() if state.kind == "stale"} == {"mix-instruction"}


@pytest.mark.parametrize(
    ("quality", "words"),
    [
        ({"sources": {"pears": {"equal": {"max": 0}}}}, "did you mean pairs"),
        ({"thresholds": {"repetition": {"max": 0.5}}}, "query_repetition"),
        ({"thresholds": {"equal": {"most": 0}}}, "max"),
        ({"thresholds": {"length_ratio": {"min": 3, "max": 1}}}, "no number is at least 3 and at most 1"),
    ],
)
def test_what_is_misspelt_is_refused_with_the_nearest_name(built, quality, words):
    write_quality(built, quality)
    refused = project.curate(built, "status", check=False)
    set_quality(built, {})
    assert refused.returncode != 0
    assert words in " ".join(refused.stderr.split())


def test_thresholds_of_a_source_take_the_place_of_the_common_ones_figure_by_figure():
    common = {"equal": {"max": 0}, "length_ratio": {"max": 9}}
    settings = QualitySettings.model_validate(
        {"thresholds": common, "sources": {"a": {"length_ratio": {}}, "b": {"query_symbols": {"max": 0.2}}}}
    )
    named = {source: dict(settings.of(source).stated()) for source in ("a", "b", "c")}
    assert {source: list(of) for source, of in named.items()} == {
        "a": ["equal"],
        "b": ["query_symbols", "length_ratio", "equal"],
        "c": ["length_ratio", "equal"],
    }


def test_show_and_the_outcome_tell_the_figures(built):
    set_quality(built, {})
    printed = project.run(built, "measure", "--json")
    (pairs,) = [line for line in json.loads(printed)["sources"] if line["source"] == "pairs"]
    assert (pairs["unusual_rows"], pairs["equal"]) == (5, 1)
    row = next(row for row in figures(built, "pairs") if row["equal"])
    card = project.run(built, "show", "pairs", "--row-id", row["row_id"].hex())
    assert "letters and digits 9 → 9" in card
    shown = json.loads(project.run(built, "show", "pairs", "--row-id", row["row_id"].hex(), "--json"))
    assert (shown["equal"], shown["query_alphanumeric"]) == (True, 9)
