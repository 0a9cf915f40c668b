"""Caps on the files of a release: one a subset, several on a subset that was cut, one on sources in the same file."""

import random
from collections import Counter

import pyarrow.parquet as pq
import pytest
import yaml

from curation.mixing import capping
from curation.pipeline.freshness import load
from curation.pipeline.plan import make_plan
from curation.pipeline.run import run_step
from open_ml_embed.core.errors import ManifestError, StageError
from tests.support.workshop import RATES

TABLE = """file first end source title family task subsets query_language positive_language
a_x   a A retrieval title-matching x eng-Latn eng-Latn
a_y   a A retrieval title-matching y eng-Latn eng-Latn
both  5 b B retrieval title-matching  eng-Latn eng-Latn
both 5  c C retrieval title-matching  eng-Latn eng-Latn
d_0   d D retrieval title-matching  eng-Latn eng-Latn
d_1   d D retrieval title-matching  eng-Latn eng-Latn
"""
ROWS = {("a", "x"): 60, ("a", "y"): 30, ("a", "z"): 25, ("b", "x"): 40, ("c", "x"): 60, ("d", "x"): 70, ("e", "x"): 50}
"""Subset z of a, and e, are in no file of the release."""
CAP = 20


@pytest.fixture
def build(workshop):
    rng = random.Random(3)
    counts = Counter()
    for (source, _), n in ROWS.items():
        counts[source] += n
    for source in "abcde":
        subsets = {s: {"query_lang": "eng-Latn", "samples": n} for (name, s), n in ROWS.items() if name == source}
        workshop.manifest(source, [], subsets=subsets, samples=counts[source])
    workshop.mix("m", cap=CAP, cap_of="released-file")
    table = workshop.root / "manifests/releases/f2llm_v2.tsv"
    table.parent.mkdir()
    table.write_text(TABLE.replace(" ", "\t"))
    (workshop.root / "manifests/rates.yaml").write_text(yaml.safe_dump(RATES))
    capping._release.cache_clear()

    def text(length):
        return " ".join(f"w{rng.randrange(4000)}" for _ in range(length))

    made = workshop.build(mixes={"m": {"validation": 0.1}})
    rows = {pool: [{"query": text(6), "positive": text(20)} for _ in range(n)] for pool, n in ROWS.items()}
    workshop.rows(made, rows, shard_rows=16)
    run_step(made, "dedup")
    run_step(made, "mine")
    return made


def kept(build) -> Counter:
    files = sorted((build.out / "mixes/m/samples").glob("*.parquet"))
    return Counter((row["source"], row["subset"]) for f in files for row in pq.read_table(f).to_pylist())


def test_each_file_of_the_release_has_a_cap(build):
    run_step(build, "mix-m")
    found = kept(build)
    assert found["a", "x"] == found["a", "y"] == CAP
    assert found["a", "z"] == CAP, "a subset in no file counts as one"
    assert found["b", "x"] + found["c", "x"] == CAP, "sources in one file share its cap"
    assert min(found["b", "x"], found["c", "x"]) > 0
    assert found["d", "x"] == 2 * CAP, "a subset that was cut into files has a cap for each"
    assert found["e", "x"] == CAP


def test_the_plan_says_what_the_mix_has(build):
    run_step(build, "mix-m")
    (mix,) = make_plan(build)["mixes"].values()
    assert mix["rows"] == sum(kept(build).values()) == sum(mix["sources"].values())
    assert mix["sources"]["b"] + mix["sources"]["c"] == CAP
    assert {s: mix["sources"][s] for s in "ade"} == {"a": 3 * CAP, "d": 2 * CAP, "e": CAP}


def test_another_table_makes_the_mix_stale(build):
    run_step(build, "mix-m")
    assert load(build, "mix-m").stats["counts"]["samples"] == sum(kept(build).values())
    path = build.root / "manifests/releases/f2llm_v2.tsv"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("a_y")]
    path.write_text("\n".join(lines).replace("\tx\t", "\tx,y\t") + "\n")
    capping._release.cache_clear()
    with pytest.raises(StageError):
        load(build, "mix-m")
    run_step(build, "mix-m")
    assert kept(build)["a", "x"] + kept(build)["a", "y"] == CAP


def test_without_the_table_the_cap_is_refused(build):
    (build.root / "manifests/releases/f2llm_v2.tsv").unlink()
    capping._release.cache_clear()
    with pytest.raises(ManifestError, match="cannot be read"):
        make_plan(build)


def identifiers(build) -> set[str]:
    files = sorted((build.out / "mixes/m/samples").glob("*.parquet"))
    return {row["row_id"] for f in files for row in pq.read_table(f, columns=["row_id"]).to_pylist()}


def test_a_source_with_a_cap_of_its_own_counts_as_one(build, workshop):
    workshop.mix("m", cap=CAP, cap_of="released-file", caps={"a": 25, "d": 9, "c": 12})
    run_step(build, "mix-m")
    found = Counter()
    for (source, _), n in kept(build).items():
        found[source] += n
    assert found == {"a": 25, "b": CAP, "c": 12, "d": 9, "e": CAP}
    assert make_plan(build)["mixes"]["m"]["sources"] == found


def test_samples_are_drawn_of_what_the_caps_of_files_leave(build, workshop):
    run_step(build, "mix-m")
    capped, whole = kept(build), identifiers(build)
    workshop.mix("m", cap=CAP, cap_of="released-file", samples=70, weights={"e": 0}, temperature=1)
    run_step(build, "mix-m")
    found = Counter()
    for (source, subset), n in kept(build).items():
        assert n <= capped[source, subset]
        found[source] += n
    assert sum(found.values()) == 70
    # 60, 20 and 40 rows are left of a, of b and c, and of d: 70 of 120
    assert abs(found["a"] - 35) <= 1
    assert abs(found["b"] + found["c"] - 70 / 6) <= 2
    assert abs(found["d"] - 70 / 3) <= 1
    assert "e" not in found
    assert identifiers(build) < whole
