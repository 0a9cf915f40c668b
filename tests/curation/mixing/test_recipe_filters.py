"""A mix file takes what its filters, caps, weights and temperature say: the real commands against slow loops."""

import json
import random
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from curation.mixing.filters import FILTERS
from curation.pipeline.run import run_step
from open_ml_embed.core.errors import ManifestError, StageError, UnknownNameError
from sources.languages import LanguageCodeError
from tests.support import project
from tests.support.report_page import ReportPage
from tests.support.workshop import RATES

OPEN = {"id": "CC0-1.0", "commercial": True, "redistribution": True}
ASKED = {"id": "CC-BY-NC-4.0", "commercial": False, "redistribution": True}
CLOSED = {"id": "LicenseRef-x", "commercial": False, "redistribution": False, "note": "Ask."}
LICENSES = {"pairs": OPEN, "german": ASKED, "both": CLOSED, "classes": OPEN, "opinions": OPEN}
ALL = list(LICENSES)
PAIR = {
    "tables": {"records": {"files": ["*.jsonl"], "format": "jsonl", "fields": {"q": "string", "d": "string"}}},
    "shape": {"kind": "pair", "args": {"query": "q", "positive": "d"}},
}


def words(rng: random.Random, least: int, most: int) -> str:
    return " ".join(f"w{rng.randrange(3000)}" for _ in range(rng.randint(least, most)))


def corpus(root: Path) -> Path:
    """Five sources; some rows of `pairs` are in `german` or `both` too, and these three share their documents."""
    rng = random.Random(7)
    project.make(root, rows=70)
    own = [json.loads(line) for line in (root / "raw/pairs/part-0.jsonl").read_text().splitlines()[50:]]
    for name in ("german", "both"):
        lines = [{"q": words(rng, 2, 9), "d": words(rng, 6, 30)} for _ in range(90)]
        lines += own[:8] if name == "german" else own[4:12]
        (root / "raw" / name).mkdir()
        (root / "raw" / name / "all.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    project.manifest(root, "german", **PAIR, license=ASKED, subsets={"all": {"query_lang": "deu-Latn"}})
    sides = {"en_de": {"query_lang": "eng-Latn", "positive_lang": "deu-Latn"}}
    project.manifest(root, "both", **PAIR, license=CLOSED, subsets=sides, task="bitext-mining", priority=60)
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["tiny"] |= {
        "sources": {"include": ALL, "local_root": str(root / "raw")},
        "languages": {"backend": "bundled", "trust": {"default": {"policy": "trust-declared"}}},
        "mining": {"num_negatives": 6, "language": "any", "pools": {"joined": ["pairs", "german", "both"]}},
        "mixes": {"whole": {"validation": 0}},
    }
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    (root / "manifests/rates.yaml").write_text(yaml.safe_dump(RATES))
    recipe(root, "whole")
    project.run(root, "run", "--until", "mix", "--workers", "1")
    return root


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("filtered"))


def recipe(root: Path, name: str, **changes: object) -> None:
    """Write a mix file where users have theirs."""
    data = {"name": name, "title": name, "sources": "all", "cap": None, "instructions": False} | changes
    (root / "mixes").mkdir(exist_ok=True)
    (root / "mixes" / f"{name}.yaml").write_text(yaml.safe_dump(data))


def made(root: Path, *, workers: int = 1, validation: float = 0, **changes: object) -> dict:
    """Build a mix by its command; return its statistics."""
    recipe(root, "chosen", **changes)
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["tiny"]["mixes"] = {"whole": {"validation": 0}, "chosen": {"validation": validation}}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    project.run(root, "run", "--until", "mix chosen", "--workers", str(workers))
    return json.loads((root / "out/tiny/steps/mix-chosen.json").read_text())["stats"]


def read(root: Path, name: str, kind: str = "samples") -> list[dict]:
    folder = root / "out/tiny/mixes" / name / kind
    return [row for path in sorted(folder.glob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def shards(root: Path, kind: str, source: str):
    for path in sorted((root / "work/tiny/rows" / source).rglob("*.rows.arrow")):
        beside = Path(str(path).replace("/rows/", f"/{kind}/").replace(".rows.arrow", f".{kind}.arrow"))
        with pa.OSFile(str(beside)) as file:
            yield pa.ipc.open_file(file).read_all().to_pylist()


def scores(root: Path) -> dict[str, dict]:
    """Return what the tables of the build have of each row, by its id."""
    found = {}
    for source in ALL:
        for kinds in zip(*(shards(root, kind, source) for kind in ("rows", "negatives", "languages")), strict=True):
            for row, mined, identified in zip(*kinds, strict=True):
                sure = min(identified["query_confidence"], identified["positive_confidence"])
                found[row["row_id"].hex()] = mined | {"sure": sure}
    return found


def expected(root: Path, filters: dict) -> tuple[set[str], Counter]:
    """Go through the samples of the mix without filters one by one: which stay, and which filters the others fail."""
    tables = scores(root)
    stays, left_out = set(), Counter()
    documents = {document["document_id"]: document for document in read(root, "whole", "documents")}
    offered: dict[str, set[str]] = {}
    for source in ALL:
        for row in (row for of in shards(root, "rows", source) for row in of):
            for text in (row["positive"], *row["negatives"]):
                offered.setdefault(text, set()).add(source)

    def within(number: float, name: str) -> bool:
        bounds = filters.get(name, {})
        return number != number or bounds.get("min", number) <= number <= bounds.get("max", number)

    for sample in read(root, "whole"):
        row = tables[sample["row_id"]]
        licenses = [LICENSES[name.partition("/")[0]] for name in sample["provenance"]]
        wanted = set(filters.get("languages", ()))
        spoken = [sample[side] in wanted for side in ("language", "positive_language")]
        known = [score for score in row["scores"] if score == score]
        passes = {
            "family": sample["family"] in filters.get("families", [sample["family"]]),
            "task": sample["task"] in filters.get("tasks", [sample["task"]]),
            "license": all(one[use] for use in filters.get("allows", ()) for one in licenses)
            and all(one["id"] in filters.get("licenses", [one["id"]]) for one in licenses),
            "language": not wanted or (all(spoken) if filters.get("both_sides") else any(spoken)),
            "query-chars": within(len(sample["query"]), "query_chars"),
            "positive-chars": within(len(sample["positive"]), "positive_chars"),
            "positive-score": within(row["positive_score"], "positive_score"),
            "positive-rank": row["positive_rank"] < 0 or within(row["positive_rank"], "positive_rank"),
            "negative-score": within(max(known, default=float("nan")), "negative_score"),
            "language-confidence": within(row["sure"], "language_confidence"),
        }
        assert tuple(passes) == FILTERS[: len(passes)]  # the others are thresholds, which test_thresholds.py holds
        failed = [name for name, passed in passes.items() if not passed]
        by_license = any(name in filters for name in ("allows", "licenses"))
        permitted = [
            number
            for number in sample["negative_ids"]
            for one in map(LICENSES.get, offered[documents[number]["text"]])
            if all(one[use] for use in filters.get("allows", ())) and one["id"] in filters.get("licenses", [one["id"]])
        ]
        if failed:
            left_out[failed[0]] += 1
        elif permitted or not by_license:  # else no negative is left
            stays.add(sample["row_id"])
    return stays, left_out


@pytest.mark.parametrize(
    "filters",
    [
        {"families": ["retrieval", "clustering"]},
        {"tasks": ["title-matching", "sentiment"]},
        {"languages": ["deu"]},
        {"languages": ["deu"], "both_sides": True},
        {"allows": ["redistribution"]},
        {"licenses": ["CC0-1.0", "CC-BY-NC-4.0"]},
        {"query_chars": {"min": 20, "max": 35}},
        {"positive_chars": {"max": 120}},
        {"positive_score": {"min": 30.0}},
        {"positive_rank": {"max": 0}},
        {"negative_score": {"max": 4.25}},
        {"language_confidence": {"min": 0.2}},
        {"families": ["retrieval"], "languages": ["eng"], "allows": ["commercial"], "positive_chars": {"min": 80}},
    ],
    ids="+".join,
)
def test_what_a_mix_takes_is_what_a_slow_loop_takes(built, filters):
    stats = made(built, filters=filters)
    stays, left_out = expected(built, filters)
    assert stays
    assert left_out
    assert {sample["row_id"] for sample in read(built, "chosen")} == stays
    plain = json.loads((built / "out/tiny/steps/mix-whole.json").read_text())["stats"]["sources"]
    for source, funnel in stats["sources"].items():
        assert sum(funnel.values()) == sum(plain[source].values())
        assert funnel["mix-filter"] == sum(stats["filters"].get(source, {}).values())
    assert sum(funnel["train"] for funnel in stats["sources"].values()) == len(stays)
    whole = Counter()
    for source, of in stats["filters"].items():
        whole.update(of)
        assert not any(of.values()) or plain[source]["train"] or plain[source]["no-negatives"]
    assert whole >= left_out  # rows without a negative fail the filters too, and the mix without filters lacks them


def test_no_document_is_of_a_source_whose_license_does_not_pass(built):
    made(built, filters={"allows": ["commercial"]})
    kept = {row["row_id"]: row for row in read(built, "chosen")}
    documents = {name: {d["document_id"]: d for d in read(built, name, "documents")} for name in ("whole", "chosen")}
    texts = {
        row["positive"]
        for source in ("pairs", "classes", "opinions")
        for of in shards(built, "rows", source)
        for row in of
    }
    texts |= {text for of in shards(built, "rows", "opinions") for row in of for text in row["negatives"]}
    assert {d["text"] for d in documents["chosen"].values()} <= texts
    fewer = 0
    for sample in read(built, "whole"):
        if sample["row_id"] not in kept:
            continue
        before = [documents["whole"][i] for i in sample["negative_ids"]]
        allowed = [d["text"] for d in before if d["text"] in texts]
        fewer += len(allowed) < len(before)
        now = kept[sample["row_id"]]["negative_ids"]
        assert [documents["chosen"][i]["text"] for i in now] == allowed
    assert fewer > 20


def test_caps_weights_and_temperature_share_a_number_of_samples_out(built):
    def sizes(**changes):
        made(built, **changes)
        return Counter(row["source"] for row in read(built, "chosen")), {r["row_id"] for r in read(built, "chosen")}

    every, rows = sizes()
    capped, of_caps = sizes(cap=60, caps={"german": 75, "opinions": 10})
    limits = dict.fromkeys(ALL, 60) | {"german": 75, "opinions": 10}
    assert capped == {source: min(every[source], limits[source]) for source in ALL}
    assert of_caps < rows
    shares = {"samples": 120, "weights": {"german": 2, "both": 0}, "temperature": 2.0, "caps": {"classes": 9}}
    drawn, of_draw = sizes(**shares)
    left = {source: min(every[source], 9 if source == "classes" else every[source]) for source in ALL}
    assert drawn == {source: count for source, count in by_hand(left, **shares).items() if count}
    assert sum(drawn.values()) == 120
    assert of_draw < rows
    stats = made(built, **shares)
    for source in ALL:
        funnel = stats["sources"][source]
        assert funnel["over-cap"] == every[source] - left[source]
        assert funnel["not-drawn"] == left[source] - drawn[source]
    smaller = sizes(**shares | {"samples": 80})[1]
    assert smaller < of_draw  # a smaller number draws a part of what a larger one draws
    assert sizes(samples=10**6)[1] == rows


def by_hand(left: dict, samples: int, weights: dict, temperature: float, **_: object) -> dict:
    """Share a number out: whoever gets more than it has gets all it has, and the others share what is left."""
    got, open_ = {}, {source for source in left if weights.get(source, 1)}
    total = samples
    while True:
        weight = {source: weights.get(source, 1) * left[source] ** (1 / temperature) for source in sorted(open_)}
        wished = {source: weight[source] / sum(weight.values()) * total for source in weight}
        full = {source for source in wished if wished[source] >= left[source]}
        if not full:
            break
        got |= {source: left[source] for source in full}
        total -= sum(left[source] for source in full)
        open_ -= full
    got |= {source: int(share) for source, share in wished.items()}
    rest = total - sum(int(share) for share in wished.values())
    for source in sorted(wished, key=lambda source: int(wished[source]) - wished[source])[:rest]:
        got[source] += 1
    return got


def test_the_same_bytes_for_any_number_of_workers_and_a_split_that_holds(built):
    changes = {
        "filters": {"languages": ["eng"], "positive_chars": {"min": 40}}, "samples": 150, "temperature": 3.0,
        "weights": {"pairs": 3}, "validation": 0.2,
    }  # fmt: skip
    trees = []
    for workers in (1, 2):
        made(built, samples=5, validation=0.2)  # something else in between
        stats = made(built, workers=workers, **changes)
        folder = built / "out/tiny/mixes/chosen"
        trees.append({p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()})
    assert trees[0] == trees[1]
    held = [row for row in read(built, "chosen") if row["source"] == "pairs"]
    assert stats["counts"]["samples"] == 150
    assert stats["counts"]["validation"]
    assert held


def test_card_outcome_report_and_plan_show_what_a_mix_takes(built):
    changes = {"filters": {"languages": ["eng"], "allows": ["commercial"], "query_chars": {"min": 12}}, "samples": 100}
    stats = made(built, **changes)
    card = (built / "out/tiny/mixes/chosen/README.md").read_text()
    assert "- `filters.languages`: eng\n" in card
    assert "- `filters.query_chars`: from 12\n" in card
    assert "- `samples`: 100\n" in card
    counts = Counter()
    for of in stats["filters"].values():
        counts.update(of)
    for name, count in counts.items():
        assert f"| {name} | {count:,} |" in card
    assert "## Selection" not in (built / "out/tiny/mixes/whole/README.md").read_text()
    plan = json.loads(project.run(built, "plan", "--json"))["mixes"]["chosen"]
    assert plan["selection"] == {
        "filters.allows": "commercial", "filters.languages": "eng", "filters.query_chars": "from 12", "samples": "100"
    }  # fmt: skip
    assert plan["not_estimated"] == ["query_chars"]
    assert {source for source, rows in plan["sources"].items() if rows} == {"pairs", "classes", "opinions"}
    printed = " ".join(project.run(built, "plan").split())
    assert "filters.languages: eng" in printed
    assert "what query_chars leave out is known after the build only" in printed
    project.run(built, "report", "--data", "tables")
    rows = pq.read_table(built / "tables/mix_filters.parquet").to_pylist()
    assert {(r["source"], r["filter"]): r["records"] for r in rows if r["mix"] == "chosen"} == {
        (source, name): count for source, of in stats["filters"].items() for name, count in of.items()
    }
    project.run(built, "report")
    page = ReportPage((built / "out/tiny/report.html").read_text("utf-8"))
    shown = {(row, column): text for (table, row, column), text in page.cells.items() if table == "mix_filters"}
    counts = [text for (_, column), text in sorted(shown.items()) if column == "records"]
    assert counts == [f"{row['records']:,}" for row in rows]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"filters": {"langauges": ["deu"]}}, UnknownNameError, "did you mean languages"),
        ({"filters": {"families": ["retreival"]}}, UnknownNameError, "(?s)family 'retreival'.*did you mean retrieval"),
        ({"filters": {"tasks": ["sentimant"]}}, UnknownNameError, "did you mean sentiment"),
        ({"filters": {"allows": ["comercial"]}}, UnknownNameError, "did you mean commercial"),
        ({"filters": {"licenses": ["CC0-1"]}}, UnknownNameError, "did you mean CC0-1.0"),
        ({"filters": {"languages": ["klingonish"]}}, LanguageCodeError, "klingonish"),
        ({"filters": {"query_chars": {"min": 9, "max": 3}}}, ManifestError, "at least 9 and at most 3"),
        ({"filters": {"query_chars": {"mim": 9}}}, UnknownNameError, "did you mean min"),
        ({"filters": {"both_sides": True}}, ManifestError, "there are none"),
        ({"weights": {"pears": 2}, "samples": 9}, UnknownNameError, "did you mean pairs"),
        ({"caps": {"german": 2}, "sources": ["pairs"]}, UnknownNameError, "unknown source 'german'"),
        ({"caps": {"pairs": 0}}, ManifestError, "greater than or equal to 1"),
        ({"weights": {"pairs": 2}}, ManifestError, "add `samples: NUMBER`"),
        ({"temperature": 2}, ManifestError, "add `samples: NUMBER`"),
        ({"temperature": 0.5, "samples": 3}, ManifestError, "greater than or equal to 1"),
        ({"weights": {"pairs": -1}, "samples": 3}, ManifestError, "greater than or equal to 0"),
        ({"sampels": 3}, UnknownNameError, "did you mean samples"),
    ],
    ids=str,
)
def test_a_mistake_in_a_mix_file_is_named_before_any_work(tmp_path, changes, error, message):
    root = project.make(tmp_path, rows=50)
    project.manifest(root, "german", subsets={"all": {"query_lang": "deu-Latn"}})
    recipe(root, "instruction", **changes)
    with pytest.raises(error, match=message) as refused:
        project.run(root, "plan")
    assert "mixes/instruction.yaml" in str(refused.value)


def test_a_mix_of_which_a_filter_leaves_nothing_says_by_which(built):
    recipe(built, "chosen", filters={"positive_chars": {"min": 10**6}})
    said = project.run(built, "mix", "chosen")
    assert "positive-chars" in said
    assert "no sample of pairs" in said


def test_a_filter_by_confidence_needs_identified_languages(workshop):
    rng = random.Random(2)
    workshop.manifest("a", ["x"])
    workshop.mix("plain", sources=["a"], filters={"language_confidence": {"min": 0.5}})
    build = workshop.build(mixes={"plain": {"validation": 0}})
    rows = [{"query": words(rng, 5, 6), "positive": words(rng, 20, 21)} for _ in range(30)]
    workshop.rows(build, {("a", "x"): rows}, shard_rows=64)
    run_step(build, "dedup")
    run_step(build, "mine")
    with pytest.raises(StageError, match="step identify has not been run"):
        run_step(build, "mix-plain")
