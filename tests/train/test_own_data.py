"""`train3d fit --data`: a file becomes a mix once, and the stages of the profile train on it."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from open_ml_embed import Mix
from open_ml_embed.core.errors import CorpusError, SchemaError, SettingsError, UnknownNameError
from tests.support.synthetic import WORDS, params_for, write_params
from train.cli import app
from train.own_data import mix_of


def records(count: int) -> list[dict[str, str]]:
    rng = random.Random(0)
    texts = [" ".join(rng.sample(WORDS, 4)) for _ in range(count)]
    return [{"query": text, "positive": text.upper(), "negative": texts[i - 1].upper()} for i, text in enumerate(texts)]


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        mark = {".csv": ",", ".tsv": "\t"}[path.suffix]
        path.write_text("\n".join(mark.join(row) for row in (list(rows[0]), *(row.values() for row in rows))) + "\n")
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv", "a.parquet"])
def test_every_kind_of_file_gives_the_same_samples(tmp_path, name):
    rows = records(60)
    made = Mix(mix_of(write(tmp_path / name, rows), tmp_path / "work"))
    found = {(s["query"], s["positive"]) for s in made.samples.to_table().to_pylist()}
    assert found == {(row["query"], row["positive"]) for row in rows}
    assert mix_of(tmp_path / name, tmp_path / "work") == made.path


def test_fit_trains_on_the_file_and_leaves_the_profiles_own_model_alone(tmp_path):
    file = write(tmp_path / "pairs.jsonl", records(120))
    section = params_for(Path("retrieval"))
    section["stages"] = [stage | {"steps": 4} for stage in section["stages"]]
    params = write_params(tmp_path / "params.yaml", section)
    done = CliRunner().invoke(app, ["fit", "--params", str(params), "--data", str(file)])
    assert done.exit_code == 0, done.exception
    model = tmp_path / "out/tiny/model-of-pairs"
    assert (model / "model.safetensors").is_file()
    assert not (tmp_path / "out/tiny/model").exists()
    again = CliRunner().invoke(app, ["fit", "--params", str(params), "--data", str(file)])
    assert "nothing to do" in again.output
    from sentence_transformers import SentenceTransformer

    assert SentenceTransformer(str(model), device="cpu").encode(["kabel"]).shape == (1, 32)


@pytest.mark.parametrize(
    ("name", "content", "kind", "what"),
    [
        ("a.jsonl", '{"query": "q"}\n', SchemaError, "without a positive"),
        ("a.jsonl", "no json\n", SchemaError, "cannot be read"),
        ("a.parquet", "no parquet", SchemaError, "cannot be read"),
        ("a.docx", "x", SettingsError, "not known"),
    ],
)
def test_what_is_no_such_file_is_said(tmp_path, name, content, kind, what):
    (tmp_path / name).write_text(content)
    with pytest.raises(kind, match=what) as caught:
        mix_of(tmp_path / name, tmp_path / "work")
    assert str(tmp_path / name) in caught.value.where
    with pytest.raises(UnknownNameError, match="unknown file"):
        mix_of(tmp_path / f"b{name}", tmp_path / "work")
    assert isinstance(caught.value, CorpusError)
