"""The probe of real records: both layouts, what a sample lacks, and when it fails."""

import json
import shutil
from pathlib import Path

from tests.sources.raw import FIXTURES
from tests.sources.rawkit.lines import jsonl
from tests.support import real_records


def sample(folder: Path, source: str, *, inside: str | None = None) -> Path:
    """Write a fixture as a sample: with its repository's name above the files, or as they lie inside it."""
    home = folder / source
    if inside is None:
        FIXTURES[source].build(home)
    else:
        FIXTURES[source].build(home / "built")
        for path in (home / "built" / inside).iterdir():
            path.rename(home / path.name)
        shutil.rmtree(home / "built")
    (home / "README.md").write_text("Where the records come from.")
    return home


def test_both_layouts_give_the_same(tmp_path, capsys):
    for layout, inside in (("above", None), ("inside", "mteb/imdb")):
        sample(tmp_path / layout, "imdb", inside=inside)
        assert real_records.main([str(tmp_path / layout)]) == 0
    above, inside = capsys.readouterr().out.split("all gave rows")[:2]
    line = next(line for line in above.splitlines() if line.startswith("ok"))
    assert line in inside
    assert line.split()[:4] == ["ok", "imdb", "21", "20"]
    assert "unknown-label 1" in line
    assert "before 'gets itself halfway.<br /><br />So did I." in above
    assert "after  'gets itself halfway.\\n\\nSo did I." in above


def test_a_source_without_rows_and_one_with_other_columns_fail(tmp_path, capsys):
    jsonl(tmp_path / "imdb/train.jsonl", [{"review": "Fine.", "label": 1}])
    jsonl(tmp_path / "toxic_conversations/train.jsonl.gz", [{"text": " ", "label": 1, "label_text": "toxic"}])
    assert real_records.main([str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "SchemaError: train.jsonl: no column" in out
    assert [line.split()[:2] for line in out.splitlines() if line.startswith("FAILED")] == [
        ["FAILED", "imdb"],
        ["FAILED", "toxic_conversations"],
    ]
    assert "2 failed" in out


def test_files_that_no_table_means_fail(tmp_path, capsys):
    jsonl(tmp_path / "imdb/other.jsonl", [{"text": "Fine.", "label": 1}])
    assert real_records.main([str(tmp_path)]) == 1
    assert "no file matches train.jsonl" in capsys.readouterr().out


def test_a_sample_without_a_table_is_partial_and_its_texts_are_cleaned(tmp_path, capsys):
    home = tmp_path / "fever"
    home.mkdir()
    (home / "queries.jsonl").write_text(json.dumps({"_id": "1", "text": "Ann -LRB- b. 1961 -RRB- sings ."}))
    assert real_records.main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[1].split()[:4] == ["partial", "fever", "1", "0"]
    assert "no file for corpus, judgements" in out
    assert "after  'Ann (b. 1961) sings.'" in out


def test_a_further_folder_is_a_case_of_its_own(tmp_path, capsys):
    home = sample(tmp_path, "snli", inside="stanfordnlp/snli")
    shutil.copytree(home / "plain_text", home / "other/plain_text")
    assert real_records.main([str(tmp_path), "snli"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("ok")] == ["snli", "snli/other"]


def test_a_folder_that_is_no_source_fails(tmp_path, capsys):
    (tmp_path / "imbd").mkdir()
    assert real_records.main([str(tmp_path)]) == 1
    assert "unknown source 'imbd'" in capsys.readouterr().out


def test_how_it_is_called(tmp_path, capsys):
    assert real_records.main([]) == 2
    assert real_records.main([str(tmp_path / "nowhere")]) == 2
    assert "usage" in capsys.readouterr().err
