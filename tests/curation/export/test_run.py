"""What an export takes, leaves out and refuses; that nothing is lost, and the bytes are the same every time."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from curation.cli.app import app
from curation.export import rows as reading
from curation.export.exporters import EXPORTERS, Exporter
from curation.export.options import Options
from curation.export.run import export
from curation.mixing.shares import shares
from open_ml_embed import Mix
from open_ml_embed.core.errors import SettingsError, StageError, UnknownNameError
from sources.manifest import License
from tests.curation.export.mixes import FAMILY, LANGUAGES, make

TEXTS = [name for name in EXPORTERS.names() if not EXPORTERS.get(name).tokens]
FREE = ("squad", "topics", "moods")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("mix") / "two")


def license_of(source: str) -> License:
    return License(id="MIT" if source in FREE else "CC-BY-NC-4.0", commercial=source in FREE, redistribution=True)


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def asked(folder: Path) -> list[str]:
    """Return the queries that an export with messages has, in order."""
    files = sorted(folder.glob("*/*.jsonl"))
    lines = [line for file in files for line in file.read_text("utf-8").split("\n")[:-1]]
    return [json.loads(line)["messages"][-1]["content"] for line in lines]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(TEXTS),
    languages=st.sets(st.sampled_from(LANGUAGES), max_size=2),
    sources=st.sets(st.sampled_from(["squad", "topics"]), max_size=1),
    license=st.sampled_from([None, "commercial"]),
    limit=st.sampled_from([None, 1, 20]),
    negatives=st.sampled_from([None, 1, 4]),
    shortage=st.sampled_from(["drop", "repeat"]),
    temperature=st.sampled_from([None, 1.0, 3.0]),
)
def test_nothing_is_lost_uncounted(
    made, tmp_path, name, languages, sources, license, limit, negatives, shortage, temperature
):
    options = Options(
        languages=tuple(languages), sources=tuple(sources), license=license, limit=limit, shortage=shortage,
        negatives=None if EXPORTERS.get(name).fixed else negatives, temperature=temperature if limit else None,
    )  # fmt: skip
    try:
        done = export(made.root, name, tmp_path / "to", options, license_of=license_of, dry_run=True)
    except SettingsError as error:
        if "is left" not in error.what:
            raise
        return
    split = made.validation if name == "beir" else made.train
    assert done.total == len(split) == done.samples + sum(done.left_out.values())
    assert sum(done.families.values()) == sum(done.sources.values()) == done.samples
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize("batch", [1, 7, 1024])
def test_the_order_is_drawn_and_the_set_stays(made, tmp_path, monkeypatch, batch):
    monkeypatch.setattr(reading, "BATCH_ROWS", batch)
    export(made.root, "ms-swift", tmp_path / "a")
    export(made.root, "ms-swift", tmp_path / "b", Options(seed=2))
    first, second = asked(tmp_path / "a"), asked(tmp_path / "b")
    assert sorted(first) == sorted(second) == sorted(s["query"] for s in made.train)
    assert first != second
    of_retrieval = {s["query"]: s["source"] for s in made.train if s["family"] == "retrieval"}
    order = [of_retrieval[query] for query in first if query in of_retrieval]
    assert {"squad", "fever"} == set(order[:12]), "sources are mixed from the start"


@pytest.mark.parametrize("name", TEXTS)
def test_the_bytes_are_the_same_however_they_are_read(made, tmp_path, name):
    negatives = None if EXPORTERS.get(name).fixed else 2
    asked = Options(negatives=negatives, shard_rows=9, shortage="repeat")
    export(made.root, name, tmp_path / "a", asked)
    export(made.root, name, tmp_path / "b", asked)
    found = tree(tmp_path / "a")
    assert found == tree(tmp_path / "b")
    record = json.loads(found.pop(".export.json"))
    assert {*record["files"], "README.md"} == found.keys(), "no copy is left behind"


def test_languages_sources_and_licenses_choose_samples(made, tmp_path):
    export(made.root, "ms-swift", tmp_path / "a", Options(languages=("de", "python")))
    wanted = [s for s in made.train if {"deu", "python"} & {s["language"], s["positive_language"]}]
    assert sorted(asked(tmp_path / "a")) == sorted(s["query"] for s in wanted)
    export(made.root, "ms-swift", tmp_path / "b", Options(sources=("topics", "fever")))
    assert sorted(asked(tmp_path / "b")) == sorted(s["query"] for s in made.train if s["source"] in ("topics", "fever"))
    export(made.root, "ms-swift", tmp_path / "c", Options(license="commercial"), license_of=license_of)
    free = [s for s in made.train if all(place.split("/")[0] in FREE for place in s["provenance"])]
    assert sorted(asked(tmp_path / "c")) == sorted(s["query"] for s in free)
    assert any(s["source"] in FREE for s in made.train if s not in free), "a duplicate's license counts"
    done = export(made.root, "ms-swift", tmp_path / "d", Options(limit=5))
    assert len(set(asked(tmp_path / "d"))) == 5 == done.samples


def test_a_temperature_shares_the_limit_out_among_sources(made, tmp_path):
    of_each = Counter(s["source"] for s in made.train)
    few = {"squad": 1.0, "fever": 1.0, "topics": 0.0, "moods": 0.5}
    done = export(made.root, "ms-swift", tmp_path / "a", Options(limit=20, weights=few, temperature=1e9))
    assert done.sources == {"squad": 8, "fever": 8, "moods": 4}
    assert done.left_out == {"limit": len(made.train) - 20}
    flat = export(made.root, "ms-swift", tmp_path / "b", Options(limit=20, temperature=1.0))
    assert flat.sources == dict.fromkeys(of_each, 5), "all four are of one size"
    most = export(made.root, "ms-swift", tmp_path / "c", Options(limit=50, weights={"squad": 1000.0}))
    assert most.sources["squad"] == of_each["squad"], "no sample twice; what is left over goes to the others"
    assert most.samples == 50
    everything = export(made.root, "ms-swift", tmp_path / "d", Options(seed=3))
    some = export(made.root, "ms-swift", tmp_path / "e", Options(seed=3, limit=20, temperature=2.0))
    order = [query for query in asked(tmp_path / "d") if query in set(asked(tmp_path / "e"))]
    assert order == asked(tmp_path / "e"), "the drawn order stays"
    assert everything.samples > some.samples


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 50), min_size=1, max_size=8),
    weights=st.lists(st.just(0.0) | st.floats(1e-9, 10), min_size=8, max_size=8),
    total=st.integers(1, 300),
)
@example(sizes=[0, 0, 0, 10], weights=[0.0, 0.0, 10.0, 5e-307, 0.0, 0.0, 0.0, 0.0], total=10)
def test_shares_are_what_filling_one_by_one_gives(sizes, weights, total):
    weights = weights[: len(sizes)]
    got = shares(np.array(sizes), np.array(weights), total).tolist()
    usable = sum(size for size, weight in zip(sizes, weights, strict=True) if weight > 0)
    assert sum(got) == min(total, usable)
    exact = filled(sizes, weights, min(total, usable))
    assert all(abs(a - b) < 1 + 1e-6 for a, b in zip(got, exact, strict=True))
    assert all(0 <= a <= size for a, size in zip(got, sizes, strict=True))


def filled(sizes: list[int], weights: list[float], total: int) -> list[float]:
    """Return the shares as real numbers: each is weight times a level, or its size; the level by bisection."""
    low, high = 0.0, 1e308
    for _ in range(3000):
        level = (low + high) / 2
        if sum(min(size, weight * level) for size, weight in zip(sizes, weights, strict=True)) < total:
            low = level
        else:
            high = level
    return [min(size, weight * high) for size, weight in zip(sizes, weights, strict=True)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 2.0}, "add --limit"),
        ({"temperature": 0.5, "limit": 3}, "cannot be"),
        ({"weights": {"squad": -1.0}, "limit": 3}, "cannot be"),
    ],
)
def test_shares_that_cannot_be(options, message):
    with pytest.raises(SettingsError, match=message):
        Options(**options)


def test_a_factor_is_read_from_the_command_line(made, tmp_path):
    words = ["export", str(made.root), "--format", "ms-swift", "--to", str(tmp_path / "a"), "--limit", "10", "--json"]
    said = CliRunner().invoke(app, [*words, "--weight", "topics=0", "--weight", "moods=0", "--temperature", "2"])
    assert said.exit_code == 0, said.exception
    assert json.loads(said.stdout)["sources"] == {"squad": 5, "fever": 5}
    again = "--limit 10 --temperature 2.0"
    text = (tmp_path / "a/README.md").read_text("utf-8")
    assert "--weight topics=0 --weight moods=0" in text
    assert again in text
    wrong = CliRunner().invoke(app, [*words, "--weight", "topics"])
    assert "'topics' is no factor" in str(wrong.exception)


@pytest.mark.parametrize(
    ("name", "options", "nearest"),
    [
        ("flagembeding", {}, "flagembedding"),
        ("tevatron", {"sources": ("squat",)}, "squad"),
        ("tevatron", {"languages": ("swe",)}, "swa"),
        ("tevatron", {"weights": {"squat": 2.0}, "limit": 5}, "squad"),
        ("triplets", {"files": "jsonl.zts"}, "jsonl.zst"),
    ],
)
def test_a_name_that_there_is_not_is_refused_with_the_nearest(made, tmp_path, name, options, nearest):
    with pytest.raises(UnknownNameError) as caught:
        export(made.root, name, tmp_path / "to", Options(**options))
    assert nearest in caught.value.remedy


@pytest.mark.parametrize(
    ("kind", "value"),
    [("split", "test"), ("license", "free"), ("shortage", "pad"), ("limit", 0), ("negatives", -1), ("shard_rows", 0)],
)
def test_options_that_cannot_be(kind, value):
    with pytest.raises(ValueError, match=r"unknown|too small"):
        Options(**{kind: value})


def test_no_negatives_are_refused_where_a_reader_needs_one(made, tmp_path):
    with pytest.raises(SettingsError, match="needs 1 or more negatives"):
        export(made.root, "flagembedding", tmp_path / "to", Options(negatives=0))
    export(made.root, "sentence-transformers", tmp_path / "to", Options(negatives=0))
    (file,) = (tmp_path / "to/retrieval").iterdir()
    assert pq.read_schema(file).names == ["anchor", "positive"]
    with pytest.raises(SettingsError, match=r"none of the 96 samples .* is left \(negatives 96\)"):
        export(made.root, "sentence-transformers", tmp_path / "to", Options(negatives=6))


def test_an_earlier_export_is_replaced_and_other_files_are_not(made, tmp_path):
    to = tmp_path / "to"
    export(made.root, "tevatron", to, Options(shard_rows=5))
    export(made.root, "triplets", to)
    assert not (to / "corpus").exists()
    (to / "mine.txt").write_text("mine")
    before = tree(to)
    with pytest.raises(SettingsError, match=r"files of something else: mine\.txt"):
        export(made.root, "triplets", to)
    assert tree(to) == before
    with pytest.raises(SettingsError, match="is a file"):
        export(made.root, "triplets", to / "mine.txt")


def test_a_broken_mix_is_refused_and_leaves_nothing(tmp_path):
    broken = make(tmp_path / "broken")
    last = sorted((broken.root / "documents").iterdir())[-1]
    last.unlink()
    with pytest.raises(StageError, match="samples name the document"):
        export(broken.root, "triplets", tmp_path / "to")
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]
    with pytest.raises(StageError, match=r"no train-\*\.parquet"):
        export(tmp_path, "triplets", tmp_path / "to")


def test_the_command_and_python_write_the_same(made, tmp_path):
    words = ["export", str(made.root), "--format", "flagembedding", "--to", str(tmp_path / "a"), "--language", "deu"]
    said = CliRunner().invoke(app, [*words, "--limit", "9", "--json"])
    assert said.exit_code == 0, said.exception
    done = Mix(made.root).export("flagembedding", tmp_path / "b", languages=["deu"], limit=9)
    assert json.loads(said.stdout)["left_out"] == done.left_out
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    plain = CliRunner().invoke(app, [*words, "--dry-run"])
    assert "would be written" in plain.stdout
    assert f"left out: {done.left_out['language']} in other languages" in plain.stdout


def test_a_format_can_be_added(made, tmp_path, monkeypatch):
    monkeypatch.setattr(EXPORTERS, "_targets", dict(EXPORTERS._targets))

    def write(rows, writer):
        for family in rows.families:
            for batch in rows.batches(family):
                writer.text("ids.txt", "".join(f"{i}\n" for i in batch.ids.to_pylist()), len(batch))

    EXPORTERS.register("ids", Exporter(title="ids", reader="anything", columns={}, write=write, least=0))
    export(made.root, "ids", tmp_path / "to")
    found = (tmp_path / "to/ids.txt").read_text().split()
    assert sorted(found) == sorted(s["row_id"] for s in made.train)
    assert len(FAMILY) == 4
