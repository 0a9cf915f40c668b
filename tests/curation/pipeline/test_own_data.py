"""`curate build FILE`: from an empty folder to a mix, with nothing written by hand."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from typer.testing import CliRunner

from curation.cli.app import app
from curation.pipeline.own_data import own_project
from open_ml_embed import Mix
from open_ml_embed.core.errors import CorpusError, SettingsError, UnknownNameError
from tests.curation.release.releases import english

ROWS = 40


def records(seed: int, kind: str) -> list[dict]:
    """Return rows with one positive as text, two as a list, or negatives in columns."""
    rng = random.Random(seed)
    made = []
    for i in range(ROWS):
        row: dict = {"query": f"{english(rng, 9)} {i}"}
        if kind == "lists":
            row |= {"pos": [f"{english(rng, 20)} {i}a", f"{english(rng, 20)} {i}b"], "neg": [english(rng, 20)]}
        elif kind == "columns":
            row |= {
                "positive": f"{english(rng, 20)} {i}",
                "negative_1": english(rng, 20),
                "negative_2": english(rng, 20),
            }
        else:
            row |= {"answer": f"{english(rng, 20)} {i}"}
        made.append(row)
    return made


def write(path: Path, rows: list[dict]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def built(words: list[str]) -> str:
    said = CliRunner().invoke(app, ["build", *words, "--workers", "1"])
    assert said.exit_code == 0, (said.output, said.exception)
    return said.output


def samples(root: Path) -> list[dict]:
    folder = Mix(root / "out/own/mixes/own")
    texts = folder.documents.to_table(columns=["text"])["text"].to_pylist()
    rows = [row for split in ("train", "validation") for row in folder.split(split).to_table().to_pylist()]
    return [row | {"negatives": [texts[n] for n in row["negative_ids"]]} for row in rows]


@pytest.mark.parametrize("case", ["plain.csv", "columns.parquet", "lists.jsonl"])
def test_a_file_becomes_a_mix_from_an_empty_folder(tmp_path, monkeypatch, case):
    kind = case.partition(".")[0]
    rows = records(1, kind)
    file = write(tmp_path / case, rows)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    said = built([str(file), "--to", "mix", "--negatives", "3"])
    assert "guessed from the file" in said
    assert (home / "out/own/report.html").is_file()
    found = samples(home)
    key = {"plain": "answer", "columns": "positive", "lists": "pos"}[kind]
    expected = {(row["query"], text) for row in rows for text in (row[key] if kind == "lists" else [row[key]])}
    assert {(row["query"], row["positive"]) for row in found} == expected
    assert all(len(row["negatives"]) >= 3 for row in found)
    given = {row["query"]: row for row in rows}
    for row in found:
        if kind == "columns":
            own = given[row["query"]]
            assert row["negatives"][:2] == [own["negative_1"], own["negative_2"]]
        if kind == "lists":
            assert row["negatives"][0] == given[row["query"]]["neg"][0]
            assert not set(given[row["query"]]["pos"]) & set(row["negatives"]), "another positive is no negative"
    exported = CliRunner().invoke(app, ["export", "own", "--format", "flagembedding", "--to", "fe"])
    assert exported.exit_code == 0, exported.exception
    lines = [json.loads(line) for path in (home / "fe").glob("*/*.jsonl") for line in path.read_text().splitlines()]
    assert {line["query"] for line in lines} <= given.keys()
    assert lines


def test_it_goes_on_with_what_is_there_and_keeps_what_was_corrected(tmp_path):
    file = write(tmp_path / "squad.jsonl", records(2, "plain"))
    root = tmp_path / "project"
    built([str(file), "--to", "normalize", "--project", str(root), "--instruction", "Given a: question, find it."])
    manifest = root / "manifests/sources/own_squad.yaml"
    stated = yaml.safe_load(manifest.read_text())
    assert stated["instruction"] == "Given a: question, find it."
    assert yaml.safe_load((root / "mixes/own.yaml").read_text())["instructions"] is True
    manifest.write_text(manifest.read_text().replace("Given a: question", "Given one more: question"))
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["own"]["mining"]["num_negatives"] = 5
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    said = built([str(file), "--to", "normalize", "--project", str(root)])
    assert "own_squad.yaml: as it is" in said
    assert "Given one more: question" in manifest.read_text()
    with pytest.raises(SettingsError, match="the settings say num_negatives: 5"):
        own_project([file], root, negatives=6)
    with pytest.raises(SettingsError, match="says its instruction"):
        own_project([file], root, instruction="Given anything, find it.")
    other = write(tmp_path / "other.jsonl", records(3, "plain"))
    with pytest.raises(SettingsError, match="is of other files: own_squad"):
        own_project([other], root)


def test_files_that_cannot_be_one_project(tmp_path):
    (tmp_path / "a").mkdir()
    first, second = (write(tmp_path / name, records(4, "plain")) for name in ("pairs.jsonl", "a/pairs.csv"))
    with pytest.raises(SettingsError, match="both would be the source pairs"):
        own_project([first, second], tmp_path / "project")
    with pytest.raises(UnknownNameError) as caught:
        own_project([tmp_path / "pair.jsonl"], tmp_path / "project")
    assert "pairs.jsonl" in caught.value.remedy
    assert not (tmp_path / "project").exists()
    (tmp_path / "params.yaml").write_text("profile: mine\nmine: {}\n")
    with pytest.raises(SettingsError, match="has no profile own"):
        own_project([first], tmp_path)


def test_a_folder_that_is_not_below_local_root_is_refused_with_the_remedy(tmp_path):
    file = write(tmp_path / "elsewhere.jsonl", records(5, "plain"))
    root = tmp_path / "project"
    own_project([file], root)
    manifest = root / "manifests/sources/elsewhere.yaml"
    stated = yaml.safe_load(manifest.read_text())
    stated["origin"]["folder"] = str(tmp_path)
    manifest.write_text(yaml.safe_dump(stated))
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["own"]["sources"]["local_root"] = "."
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    said = CliRunner().invoke(app, ["fetch", "--params", str(root / "params.yaml"), "--workers", "1"])
    assert isinstance(said.exception, CorpusError)
    assert "is not below the local_root" in str(said.exception)
