"""The report's tables: typed, documented, the same in every format, and what counting by hand gives."""

import csv
import json
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.mixing.files import MixFiles
from curation.pipeline.freshness import inputs_of, load
from curation.report.data import FORMATS, FORMS, INDEX, ReportData, collect, collect_from, read_folder
from curation.report.inputs import load_inputs
from curation.report.sums import check, sums
from curation.report.tables.form import Column, Form
from curation.settings import ReportSettings
from open_ml_embed.core.errors import SettingsError, StageError
from open_ml_embed.core.version import code_commit
from tests.support import project
from tests.support.hostile import make_corpus, run_every_step
from tests.support.workshop import Workshop


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The corpus after every step; made once, so that no test may change it."""
    root = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORPUS_MANIFESTS", str(root / "manifests"))
        build = make_corpus(Workshop(root))
        run_every_step(build)
        yield build


@pytest.fixture(scope="module")
def data(whole):
    return collect(whole, inputs_of(whole, "report"))


def rows_of(build):
    shards = load(build, "normalize").shards
    return [(s, row) for s in shards for row in build.store.read_table(f"rows/{s.path}.rows.arrow").to_pylist()]


def aligned(build, kind, columns):
    shards = load(build, "normalize").shards
    return [
        (s.source, row)
        for s in shards
        for row in build.store.read_table(f"{kind}/{s.path}.{kind}.arrow", columns).to_pylist()
    ]


def test_every_table_and_column_is_documented_and_its_key_names_a_row(data):
    assert len(data) == len(FORMS) > 40
    for name, table in data.items():
        assert table.form.what.endswith("."), name
        assert all(column.what.endswith((".", "…")) for column in table.form.columns), name
        assert table.arrow.schema.equals(table.form.schema, check_metadata=True)
        if table.form.key:
            keys = [tuple(row[column] for column in table.form.key) for row in table.rows]
            assert len(set(keys)) == len(keys), name
        else:
            assert len(table) <= 1, name


def test_all_sums_agree_and_a_wrong_one_is_found(data):
    assert sum(1 for _ in sums(data)) > 50
    assert [found for found in sums(data) if found[1] != found[2]] == []
    check(data)
    for name, column in (
        ("languages", "rows"),
        ("funnel", "train"),
        ("duplicate_matrix", "exact"),
        ("mix_licenses", "samples"),
    ):
        table = data[name]
        rows = [row | ({column: row[column] + 1} if i == 0 else {}) for i, row in enumerate(table.rows)]
        wrong = ReportData({**data, name: table.form.fill(row.values() for row in rows)})
        with pytest.raises(AssertionError, match=r": [\d,]+ and [\d,]+"):
            check(wrong)


def test_the_three_formats_hold_the_same(data, tmp_path):
    written = data.write(tmp_path / "data")
    assert sorted(p.name for p in written) == sorted([INDEX, *(f"{n}.{f}" for n in FORMS for f in FORMATS)])
    index = {entry["table"]: entry for entry in json.loads((tmp_path / "data" / INDEX).read_text())["tables"]}
    for name, table in data.items():
        raw = json.loads((tmp_path / "data" / f"{name}.json").read_text("utf-8"))
        assert raw["rows"] == [list(row.values()) for row in table.rows]
        assert [c["type"] for c in raw["columns"]] == [str(c.type) for c in table.form.columns]
        assert index[name]["rows"] == len(table)
        assert index[name]["columns"] == raw["columns"]
        parquet = pq.read_table(tmp_path / "data" / f"{name}.parquet")
        assert parquet.to_pylist() == table.rows
        assert parquet.schema.field(0).metadata[b"description"].decode() == table.form.columns[0].what
        with (tmp_path / "data" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            names, *lines = csv.reader(file)
        assert names == table.arrow.column_names
        assert lines == [
            ["" if v is None else str(v).lower() if isinstance(v, bool) else str(v) for v in row.values()]
            for row in table.rows
        ]
    back = read_folder(tmp_path / "data")
    assert {name: table.rows for name, table in back.items()} == {name: table.rows for name, table in data.items()}


def test_a_folder_without_tables_is_refused_and_a_missing_table_is_empty(data, tmp_path):
    with pytest.raises(StageError, match="curate report --data"):
        read_folder(tmp_path)
    data.write(tmp_path)
    (tmp_path / "pools.json").unlink()
    assert len(read_folder(tmp_path)["pools"]) == 0
    (tmp_path / "funnel.json").write_text("{")
    with pytest.raises(StageError, match=r"funnel\.json"):
        read_folder(tmp_path)


def test_a_form_refuses_what_is_not_stable():
    column = Column("rows", "count", "Rows.")
    for name, key, columns in (("Rows", (), (column,)), ("t", (), (column, column)), ("t", ("x",), (column,))):
        with pytest.raises(AssertionError):
            Form(name, "mine", "What.", key, columns)
    with pytest.raises(AssertionError, match="too few or many"):
        Form("t", "mine", "What.", (), (column,)).fill([(1, 2)])


def test_languages_are_counted_once_a_row(whole, data):
    counts = Counter()
    for _, row in rows_of(whole):
        program = next((t for t in (row["positive_lang"], row["query_lang"]) if t.endswith("-Code")), None)
        counts[(program or row["query_lang"]).rpartition("-")[0]] += 1
    found = {row["code"]: row["rows"] for row in data["languages"].rows if row["rows"]}
    assert found == dict(counts) == {"eng": 115, "objective-c": 12}
    either = {row["code"]: row["on_either_side"] for row in data["languages"].rows if row["on_either_side"]}
    assert either == {"eng": 127, "deu": 20, "objective-c": 12}
    assert next(row["language"] for row in data["languages"].rows if row["code"] == "deu") == "German"
    assert len(data["languages"].where(kind="natural")) == 282
    assert data["languages"].sum("published") == 60_147_938
    assert data["totals"].rows[data["totals"].where(table="languages", group=None, column="rows")[0]]["value"] == 127


def test_languages_of_a_mix_are_those_of_its_samples(whole, data):
    for mix in ("everything", "some"):
        counts = Counter()
        for split in ("train", "validation"):
            for batch in MixFiles(whole.mix(mix)).read(split, ["language", "positive_language"]):
                for row in batch.to_pylist():
                    counts["objective-c" if "objective-c" in row.values() else row["language"]] += 1
        assert {row["code"]: row["samples"] for row in data["mix_languages"].rows if row["mix"] == mix} == dict(counts)


def test_the_matrix_of_duplicates_is_that_of_the_clusters(whole, data):
    lines = aligned(whole, "clusters", ["keep", "reason", "sample_cluster"])
    owner = {row["sample_cluster"]: source for source, row in lines if row["keep"]}
    counted = Counter((source, owner[row["sample_cluster"]], row["reason"]) for source, row in lines if not row["keep"])
    found = Counter()
    for row in data["duplicate_matrix"].rows:
        found[row["source"], row["kept_in"], "exact-duplicate"] += row["exact"]
        found[row["source"], row["kept_in"], "near-duplicate"] += row["near"]
    assert +found == counted
    assert any(a != b for a, b, _ in counted), "a duplicate of another source"


def test_scores_by_language_are_those_of_the_rows(whole, data):
    tags = [row for _, row in rows_of(whole)]
    mined = [row for _, row in aligned(whole, "negatives", ["scores", "positive_score"])]
    german = [m for row, m in zip(tags, mined, strict=True) if not row["positive_lang"].endswith("-Code")]
    positives = [m["positive_score"] for m in german if not np.isnan(m["positive_score"])]
    negatives = [score for m in german for score in m["scores"] if not np.isnan(score)]
    found = next(row for row in data["language_scores"].rows if row["code"] == "eng")
    assert (found["positives"], found["negatives"]) == (len(positives), len(negatives))
    assert found["positive_mean"] == pytest.approx(np.mean(positives), abs=1e-6)
    assert found["negative_mean"] == pytest.approx(np.mean(negatives), abs=1e-6)


def test_the_examples_have_the_verdicts_of_the_mixes(whole, data):
    seen = Counter()
    for mix in ("everything", "some"):
        ids = {
            split: {i for b in MixFiles(whole.mix(mix)).read(split, ["row_id"]) for i in b["row_id"].to_pylist()}
            for split in ("train", "validation")
            if load(whole, f"mix-{mix}").stats["counts"][split]
        }
        for row in data["example_verdicts"].rows:
            if row["mix"] == mix:
                split = next((name for name, members in ids.items() if row["row_id"] in members), None)
                assert (row["verdict"] if row["verdict"] in ("train", "validation") else None) == split
                seen[mix, row["source"], row["verdict"]] += 1
    ends = {
        (mix, source, reason)
        for mix in ("everything", "some")
        for source, of in load(whole, f"mix-{mix}").stats["sources"].items()
        for reason, count in of.items()
        if count
    }
    assert set(seen) == ends, "of every verdict an example"


def test_an_example_has_its_whole_history(whole, data):
    near = data["examples"].rows[data["examples"].where(duplicate="near-duplicate")[0]]
    assert near["source"] == "pairs"
    kept = [row for row in data["examples"].rows if row["stands_for"]]
    assert kept or data["merges"].rows[0]["merged"] == 2
    code = next(row for row in data["examples"].rows if row["source"] == "code")
    assert code["code"] == "objective-c"
    assert code["negatives"] == sum(int(part.split()[0]) for part in code["origins"].split(", "))
    texts = [row for row in data["example_negatives"].rows if row["row_id"] == code["row_id"]]
    assert [row["number"] for row in texts] == list(range(1, len(texts) + 1))
    assert texts


def test_without_the_tables_of_a_mix_there_are_no_verdicts(whole):
    (whole.root / "work/test/mix").rename(whole.root / "gone")
    try:
        found = collect(whole, inputs_of(whole, "report"))
    finally:
        (whole.root / "gone").rename(whole.root / "work/test/mix")
    assert len(found["example_verdicts"]) == 0
    assert len(found["examples"]) > 0


def test_only_normalize_must_have_run(corpus):
    data = collect(corpus, inputs_of(corpus, "report"))
    assert set(data) == set(FORMS)
    for name, table in data.items():
        if table.form.step in ("identify", "measure", "dedup", "decontaminate", "mine", "evaluate"):
            assert len(table) == 0, name
    assert {row["step"]: row["ran"] for row in data["steps"].rows} == {
        "normalize": True, "identify": False, "measure": False, "dedup": False, "decontaminate": False, "mine": False,
        "mix everything": False, "mix some": False,
    }  # fmt: skip


def test_settings_and_versions_are_those_of_the_build(whole, data):
    settings = {row["setting"]: (row["value"], row["default"]) for row in data["settings"].rows}
    assert settings["mining.num_negatives"] == ("4", False)
    assert settings["dedup.threshold"][1] is True
    assert settings["recipe.everything.cap"] == ("40", None)
    assert settings["mixes.everything.validation"] == ("0.2", False)
    assert settings["mixes.some.validation"] == ("0.01", True)
    build = {row["what"]: row["value"] for row in data["build"].rows}
    assert build["code"] == code_commit()
    assert build["code"] is None or re.fullmatch(r"[0-9a-f]{40}(-dirty)?", build["code"])
    assert (build["commit"], build["committed"]) == (None, None), "the project's folder is in no repository"
    assert str(whole.root) not in json.dumps(settings)
    versions = {row["operation"]: row["version"] for row in data["steps"].rows if row["step"] == "dedup"}
    assert versions == load(whole, "dedup").made_from["operations"]


def test_the_size_of_shards_changes_no_table(whole, data, workshop, monkeypatch):
    original = Workshop.rows
    monkeypatch.setattr(Workshop, "rows", lambda self, build, pools, shard_rows: original(self, build, pools, 7))
    again = make_corpus(workshop)
    assert len(load(again, "normalize").shards) > 2 * len(load(whole, "normalize").shards)
    run_every_step(again)
    other = collect(again, inputs_of(again, "report"))
    for name in FORMS:
        assert other[name].rows == data[name].rows, name


def test_the_command_writes_what_python_gives(tmp_path):
    import open_ml_embed as ome

    root = project.make(tmp_path / "project", rows=60)
    for step in project.STEPS:
        project.run(root, *step)
    project.run(root, "report", "--data", str(tmp_path / "data"))
    assert not (root / "out/tiny/report.html").exists()
    build = ome.Build.from_params(root / "params.yaml", workers=1)
    for step, names in (("mine", {"negatives", "pools"}), ("mix retrieval", {"funnel"}), ("normalize", {"sources"})):
        tables = build.statistics(step).tables
        assert names <= tables.keys()
        for name, table in tables.items():
            assert pq.read_table(tmp_path / "data" / f"{name}.parquet").equals(table), name
    whole = build.tables()
    assert isinstance(whole["funnel"].arrow, pa.Table)
    assert {name: t.rows for name, t in read_folder(tmp_path / "data").items()} == {n: t.rows for n, t in whole.items()}


def test_lengths_in_tokens_are_those_of_the_tokenizer(whole, tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"river": 0, "?": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    inputs = load_inputs(whole, inputs_of(whole, "report"))
    settings = ReportSettings(tokenizer=str(tmp_path), token_rows=10)
    profile = whole.profile.model_copy(update={"report": settings})
    table = collect_from(replace(inputs, build=replace(whole, profile=profile)))["token_lengths"]
    lowest = {}
    for shard, row in rows_of(whole):
        lowest.setdefault(shard.source, []).append(row)
    for row in table.rows:
        drawn = sorted(lowest[row["source"]], key=lambda r: r["row_id"])[:10]
        words = [len(r[row["side"]].split()) for r in drawn]
        assert (row["texts"], row["tokens"], row["longest"]) == (10, sum(words), max(words))
        assert row["median"] == pytest.approx(np.median(words), abs=0.06)
    assert len(table) == 6
    assert len(collect_from(inputs)["token_lengths"]) == 0


@pytest.mark.parametrize(("content", "word"), [(None, "no such tokenizer"), ("{}", "not a tokenizer")])
def test_what_is_no_tokenizer_is_refused(whole, tmp_path, content, word):
    if content:
        (tmp_path / "tokenizer.json").write_text(content)
    profile = whole.profile.model_copy(update={"report": ReportSettings(tokenizer=str(tmp_path))})
    inputs = load_inputs(whole, inputs_of(whole, "report"))
    with pytest.raises(SettingsError, match=word):
        collect_from(replace(inputs, build=replace(whole, profile=profile)))
