"""A release becomes a project: the same samples, whose reference is their row, and nothing lost without a count."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from curation.cli.app import app
from curation.pipeline.freshness import load
from curation.pipeline.opening import open_build
from curation.release.look import look_at
from curation.release.run import import_release
from open_ml_embed import Build, Mix
from open_ml_embed.core.errors import ManifestError, SchemaError, SettingsError, UnknownNameError
from sources.fetch import hub
from sources.released import unknown_rows
from tests.curation.release.releases import TABLE, TOLD, make, write
from tests.support.corruption import without_values
from tests.support.hub.server import serving


def samples_of(mix: Path) -> Counter[tuple]:
    """Return source, query without instruction, positive and negatives of the samples of a mix."""
    folder = Mix(mix)
    texts = folder.documents.to_table(columns=["document_id", "text"]).to_pydict()
    text_of = dict(zip(texts["document_id"], texts["text"], strict=True))
    return Counter(
        (
            row["source"],
            row["query"].rpartition("\nQuery: ")[2],
            row["positive"],
            tuple(text_of[n] for n in row["negative_ids"]),
        )
        for row in folder.split("train").to_table().to_pylist()
    )


def all_trained(project: Path) -> None:
    """Hold no sample out, so that all are exported."""
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["release"]["mixes"] = {name: {"validation": 0} for name in params["release"]["mixes"]}
    (project / "params.yaml").write_text(yaml.safe_dump(params))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("release")
    rows = make(root / "F2LLM-v2")
    import_release(str(root / "F2LLM-v2"), root / "project")
    all_trained(root / "project")
    Build.from_params(root / "project/params.yaml", workers=1).run("mix", quiet=True)
    return root, rows


def test_the_samples_of_the_mix_are_the_rows_of_the_files(built):
    root, rows = built
    for name in ("released", "released_instructed"):
        assert samples_of(root / "project/out/release/mixes" / name) == Counter(row.sample for row in rows)


def test_instructions_are_taken_off_and_put_before_again(built):
    root, rows = built
    mixes = root / "project/out/release/mixes"
    told = {(r.query): r.instruction for r in rows}
    for query in Mix(mixes / "released").split("train").to_table(columns=["query"])["query"].to_pylist():
        assert query in told
    for row in Mix(mixes / "released_instructed").split("train").to_table().to_pylist():
        first, _, query = row["query"].partition("\nQuery: ")
        assert first.startswith("Instruct: ")
        if told[query] is not None:
            assert first == f"Instruct: {told[query]}"


def test_the_reference_of_a_row_is_its_file_and_row(built):
    root, rows = built
    build = open_build("release", root / "project/params.yaml")
    found = {}
    for shard in load(build, "normalize").shards:
        for row in build.store.read_table(f"rows/{shard.path}.rows.arrow").to_pylist():
            found[row["source"], row["query"]] = (row["origin"]["file"], row["origin"]["record"])
    assert found == {(f"released_{r.source}", r.query): (f"{r.file}.parquet", r.number) for r in rows}


@pytest.mark.parametrize("mix", ["released", "released_instructed"])
def test_exported_for_upstream_and_imported_again_the_samples_are_the_same(built, tmp_path, mix):
    root, rows = built
    Mix(root / "project/out/release/mixes" / mix).export("upstream", tmp_path / "export")
    names = {path.name for path in (tmp_path / "export").rglob("*.parquet")}
    assert names == {
        "squad.parquet", "paq.parquet", "paq_part2.parquet", "xcodeeval_nl2code_C#.parquet", "europarl.parquet",
        "imdb.parquet", "mela.parquet", "own-set.parquet",
    }  # fmt: skip
    done, _ = import_release(str(tmp_path / "export"), tmp_path / "again")
    assert not done.absent
    all_trained(tmp_path / "again")
    Build.from_params(tmp_path / "again/params.yaml", workers=1).run("mix released", quiet=True)
    assert samples_of(tmp_path / "again/out/release/mixes/released") == Counter(row.sample for row in rows)


def test_what_was_found_in_each_file_is_written_down(built):
    root, _ = built
    said = json.loads((root / "project/import.json").read_text())
    assert said["absent"] == ["absent_set"]
    assert said["rows"] == 255
    of_file = {(one["file"], one["source"]): one for one in said["files"]}
    squad = of_file["squad.parquet", "released_squad"]
    assert (squad["instructed"], squad["instruction"], squad["negatives"]) == (30, TOLD["squad"], 24)
    assert of_file["paq.parquet", "released_paq"]["instructed"] == 0
    mela = [(one["source"], one["rows"]) for one in said["files"] if one["file"] == "mela.parquet"]
    assert mela == [("released_mela", 12), ("released_scala", 18), ("released_dala", 10)]
    own = of_file["own-set.parquet", "released_own_set"]
    assert (own["in_table"], own["family"]) == (False, "retrieval")
    assert of_file["europarl.parquet", "released_europarl"]["language"] == "lang"


def test_languages_come_from_the_table_the_column_or_the_texts(built):
    root, _ = built
    build = open_build("release", root / "project/params.yaml")
    europarl = build.manifest("released_europarl").subsets["europarl"].query_lang
    assert (europarl.column, europarl.languages) == ("lang", ["deu-Latn", "fra-Latn"])
    assert build.manifest("released_squad").subsets["squad"].query_lang == "eng-Latn"
    assert build.manifest("released_own_set").subsets["own-set"].query_lang == "und-Zyyy"
    assert build.profile.languages.trust.of("released_own_set").policy == "trust-identified"
    assert build.profile.languages.trust.of("released_squad").policy == "trust-declared"


def test_a_language_that_nobody_knows_is_left_to_the_identifier(tmp_path):
    names = ["query", "passage", "negative_1", "lang"]
    table = pa.table(
        {name: [f"{name} {i}" for i in range(4)] for name in names[:3]} | {"lang": ["de", "Swahili", "x-9", "de"]}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    line = unknown_rows("a", "a", "retrieval")
    (found,) = look_at(tmp_path / "a.parquet", "a.parquet", [line], listed=False)
    assert found.languages == {"de": "deu-Latn", "Swahili": "swa-Latn", "x-9": "und-Zyyy"}
    pq.write_table(table.set_column(3, "lang", [["de", None, "de", "de"]]), tmp_path / "a.parquet")
    (found,) = look_at(tmp_path / "a.parquet", "a.parquet", [line], listed=False)
    assert found.languages == {}, "some rows have none"


def test_rows_that_lack_a_negative_are_quarantined_with_the_reason(tmp_path):
    rows = [row for row in make(tmp_path / "made") if row.file == "paq"]
    rows[3].negatives[5] = None
    rows[4].negatives[0] = "  "
    rows[5].negatives = ["", *[None] * 23]
    (tmp_path / "files").mkdir()
    write(tmp_path / "files", "paq", rows)
    _, build = import_release(str(tmp_path / "files"), tmp_path / "project")
    done = Build.from_params(build.root / "params.yaml", workers=1).run("normalize", quiet=True)
    assert done
    stats = load(build, "normalize").stats["sources"]["released_paq"]
    assert stats["quarantined"] == {"empty-negative": 2, "null-negative": 1}
    assert stats["rows"] == len(rows) - 3


def test_a_query_with_another_instruction_keeps_it_and_gets_no_second(tmp_path):
    rows = [row for row in make(tmp_path / "made") if row.file == "squad"]
    other = "Given a question, find something else."
    rows[7].instruction = other
    (tmp_path / "files").mkdir()
    write(tmp_path / "files", "squad", rows)
    done, _ = import_release(str(tmp_path / "files"), tmp_path / "project")
    assert done.found[0].instructions == {TOLD["squad"]: 29, other: 1}
    all_trained(tmp_path / "project")
    Build.from_params(tmp_path / "project/params.yaml", workers=1).run("mix released_instructed", quiet=True)
    folder = tmp_path / "project/out/release/mixes/released_instructed"
    queries = Mix(folder).split("train").to_table(columns=["query"])["query"].to_pylist()
    assert sorted(queries) == sorted(f"Instruct: {r.instruction}\nQuery: {r.query}" for r in rows)


def test_one_command_audits_a_folder(tmp_path):
    make(tmp_path / "F2LLM-v2")
    evaluation = tmp_path / "evaluation"
    (evaluation / "qrels").mkdir(parents=True)
    leaked = pq.read_table(tmp_path / "F2LLM-v2/squad.parquet")["passage"][4].as_py()
    (evaluation / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": "what is it that nobody knows"}) + "\n")
    (evaluation / "corpus.jsonl").write_text(json.dumps({"_id": "d", "title": "", "text": leaked}) + "\n")
    (evaluation / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq\td\t1\n")
    words = ["import-release", str(tmp_path / "F2LLM-v2"), "--to", str(tmp_path / "project")]
    said = CliRunner().invoke(app, [*words, "--evaluation", str(evaluation), "--workers", "1"])
    assert said.exit_code == 0, (said.output, said.exception)
    assert "255 rows of 9 sources" in said.output
    assert "squad.parquet: 30 rows of released_squad, retrieval, 24 negatives, 30 with an instruction" in said.output
    assert (
        "own-set.parquet: 30 rows of released_own_set, retrieval, 24 negatives, no instruction; not in" in said.output
    )
    report = (tmp_path / "project/out/release/report.html").read_text("utf-8")
    assert "released_squad" in report
    build = open_build("release", tmp_path / "project/params.yaml")
    found = load(build, "decontaminate").stats["sources"]
    assert {name: one["contaminated"] for name, one in found.items() if one["contaminated"]} == {"released_squad": 1}
    again = CliRunner().invoke(app, [*words, "--evaluation", str(evaluation), "--until", "none", "--json"])
    assert json.loads(again.stdout)["rows"] == 255


def test_a_repository_is_fetched_at_its_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "PAUSE_S", 0.01)
    monkeypatch.setattr(hub, "_listings", {})
    rows = make(tmp_path / "made")
    with serving(tmp_path / "hub") as server:
        for path in sorted((tmp_path / "made").glob("*.parquet")):
            server.add("org/release", path.name.replace("%23", "#"), path.read_bytes())
        table = tmp_path / "table.tsv"
        table.write_text(TABLE)
        done, build = import_release(
            "org/release", tmp_path / "project", table=table, endpoint=server.endpoint, workers=2
        )
        Build.from_params(build.root / "params.yaml", workers=1).run("normalize", quiet=True)
    origin = build.manifest("released_squad").origin
    assert (origin.repo, len(origin.ref)) == ("org/release", 40)
    assert done.origin == f"org/release@{origin.ref}"
    assert build.manifest("released_squad").subsets["squad"].instruction == TOLD["squad"]
    assert load(build, "normalize").shards
    counted = {name: stats["rows"] for name, stats in load(build, "normalize").stats["sources"].items()}
    assert counted == dict(Counter(f"released_{row.source}" for row in rows))


def test_what_cannot_be_imported_is_refused_before_anything_is_written(tmp_path):
    rows = make(tmp_path / "files")
    project = tmp_path / "project"
    with pytest.raises(SettingsError, match="no such folder, and no repository"):
        import_release("nowhere", project)
    write(tmp_path / "files", "sub", [row for row in rows if row.file == "paq"])
    (tmp_path / "files/more").mkdir()
    (tmp_path / "files/sub.parquet").rename(tmp_path / "files/more/paq.parquet")
    with pytest.raises(ManifestError, match="both are paq"):
        import_release(str(tmp_path / "files"), project)
    table = pq.read_table(tmp_path / "files/more/paq.parquet")
    pq.write_table(table.drop_columns(["negative_7"]), tmp_path / "files/more/paq.parquet")
    with pytest.raises(SchemaError, match="columns missing: negative_7"):
        import_release(str(tmp_path / "files"), project)
    (tmp_path / "files/more/paq.parquet").write_bytes(b"no parquet")
    with pytest.raises(SchemaError, match="cannot be read"):
        import_release(str(tmp_path / "files"), project)
    pq.write_table(table, tmp_path / "files/more/paq.parquet")
    without_values(tmp_path / "files/more/paq.parquet", "query")
    with pytest.raises(SchemaError, match="rows fewer than its footer says"):
        import_release(str(tmp_path / "files"), project)
    (tmp_path / "files/more/paq.parquet").unlink()
    assert not project.exists()
    done, build = import_release(str(tmp_path / "files"), project, dry_run=True)
    assert (build, project.exists(), len(done.found)) == (None, False, 10)
    project.mkdir()
    (project / "thesis.tex").write_text("")
    with pytest.raises(SettingsError, match=r"has other files: thesis\.tex"):
        import_release(str(tmp_path / "files"), project)


def test_a_step_that_there_is_not_is_refused_before_anything_is_written(tmp_path):
    make(tmp_path / "files")
    words = ["import-release", str(tmp_path / "files"), "--to", str(tmp_path / "project"), "--until", "dedupp"]
    said = CliRunner().invoke(app, words)
    assert isinstance(said.exception, UnknownNameError)
    assert "dedup" in said.exception.remedy
    assert not (tmp_path / "project").exists()
    said = CliRunner().invoke(app, ["build", str(tmp_path / "files/squad.parquet"), "--to", "mixx"])
    assert isinstance(said.exception, UnknownNameError)
