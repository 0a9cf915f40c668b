"""Step `mine` with a dense teacher and a second opinion: their own order, and the same after any death."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from curation.cli.app import app
from curation.mining.settings import TeacherSettings
from curation.mining.teachers.loading import load_teacher
from curation.pipeline.freshness import load
from open_ml_embed.core.errors import SettingsError
from tests.support import project
from tests.support.language_models import make_cross_encoder, make_encoder
from tests.support.mining_rows import PLAIN, WORDS, make_rows, mine, texts_of


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("encoder"), WORDS, prompts={"query": "w1 w2 ", "document": ""})


def test_a_dense_teacher_ranks_by_its_own_vectors(workshop, model):
    rows = make_rows(120)
    rows[7] |= {"query": rows[6]["query"]}
    workshop.manifest("a", ["x"])
    build, found = mine(workshop, {("a", "x"): rows}, 50, teacher=str(model), num_negatives=5)
    teacher = load_teacher(TeacherSettings(model=str(model)))
    documents = [row["positive"] for row in rows]
    asked = teacher.encode([row["query"] for row in rows], "query").astype(np.float16).astype(np.float64)
    written = teacher.encode(documents, "document").astype(np.float16).astype(np.float64)
    scores = asked @ written.T
    for i, row in enumerate(found["a", "x"]):
        positives = [j for j in range(120) if rows[j]["query"] == rows[i]["query"]]
        p = min(scores[i, j] for j in positives)
        allowed = [j for j in range(120) if j not in positives]
        best = sorted(allowed, key=lambda j: -scores[i, j])[:20]
        kept = [j for j in best if scores[i, j] < p - abs(p) * 0.05][:5]
        assert row["texts"] == [documents[j] for j in kept]
        assert row["scores"] == pytest.approx([scores[i, j] for j in kept], abs=1e-6)
        assert row["positive_score"] == pytest.approx(p, abs=1e-6)
        assert row["positive_rank"] == sum(scores[i, j] > p for j in best)
    stats = load(build, "mine").stats
    assert stats["settings"]["teacher"]["model"] == str(model)
    assert sum(stats["sources"]["a"]["positive_scores"].values()) == 120


def test_precomputed_vectors_give_what_the_model_gives(workshop, model, tmp_path):
    from curation.mining.teachers.precomputed import text_id

    rows = make_rows(80)
    workshop.manifest("a", ["x"])
    _, expected = mine(workshop, {("a", "x"): rows}, teacher=str(model))
    teacher = load_teacher(TeacherSettings(model=str(model)))
    for side, folder, column in (("query", "queries", "query"), ("document", "documents", "positive")):
        texts = sorted({row[column] for row in rows})
        (tmp_path / "vectors" / folder).mkdir(parents=True)
        np.save(tmp_path / "vectors" / folder / "all.npy", teacher.encode(texts, side))
        (tmp_path / "vectors" / folder / "all.ids.txt").write_text("\n".join(map(text_id, texts)))
    _, found = mine(workshop, {("a", "x"): rows}, teacher=f"vectors:{tmp_path / 'vectors'}")
    assert texts_of(found) == texts_of(expected)


def test_a_second_opinion_decides(workshop, tmp_path):
    from sentence_transformers import CrossEncoder
    from torch.nn import Sigmoid

    cross = make_cross_encoder(tmp_path, WORDS)
    rows = make_rows(40)
    workshop.manifest("a", ["x"])
    _, found = mine(workshop, {("a", "x"): rows}, second_opinion=str(cross), num_negatives=5, relative_margin=None)
    own = CrossEncoder(str(cross), device="cpu", activation_fn=Sigmoid())
    for row, given in zip(found["a", "x"], rows, strict=True):
        expected = own.predict([(given["query"], text) for text in [given["positive"], *row["texts"]]])
        assert [row["positive_score"], *row["scores"]] == pytest.approx(expected.tolist(), abs=1e-5)
        assert row["scores"] == sorted(row["scores"], reverse=True)


def test_a_teacher_that_is_not_there_stops_before_any_work(workshop):
    workshop.manifest("a", ["x"])
    with pytest.raises(SettingsError, match="no such folder"):
        mine(workshop, {("a", "x"): make_rows(10)}, teacher="no/such-folder")
    assert not (workshop.root / "work" / "test" / "pools").exists()


def test_the_command_takes_another_teacher(workshop, model):
    workshop.manifest("a", ["x"])
    build, _ = mine(workshop, {("a", "x"): make_rows(20)})
    profile = {"sources": {"collection": "offline"}, "mining": PLAIN}
    (workshop.root / "params.yaml").write_text(yaml.safe_dump({"profile": "test", "test": profile}))
    verb = ["mine", "--params", str(workshop.root / "params.yaml"), "--workers", "1", "--teacher"]
    app([*verb, str(model)], standalone_mode=False)
    assert load(build, "mine").stats["settings"]["teacher"]["model"] == str(model)
    with pytest.raises(SettingsError, match="no such folder"):
        app([*verb, "no/such-folder"], standalone_mode=False)


SMALL = """
import sys
from curation.cli import app
from curation.mining.step import pools, row_alignment, run, search

pools.CHUNK_TEXTS = 32
search.BLOCK_QUERIES = run.BLOCK_QUERIES = row_alignment.BLOCK_QUERIES = 32
sys.argv = ["curate", "mine", "--workers", "1"]
app.main()
"""
"""The verb, with tasks small enough that there is always one to die in."""


def start_mining(root):
    return subprocess.Popen(
        [sys.executable, "-c", SMALL],
        cwd=root,
        env=project.environment(root) | {"PYTHONPATH": str(Path.cwd())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def mine_killed(root, rng: random.Random, kills: int) -> int:
    """Kill the verb by SIGKILL whenever it has done a few more tasks, and begin again; return how often it died."""
    for died in range(kills):
        process = start_mining(root)
        enough = done_tasks(root) + rng.randrange(1, 6)
        while process.poll() is None and done_tasks(root) < enough:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.02))
        if process.poll() is not None:
            assert process.returncode == 0
            return died
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert start_mining(root).wait() == 0
    return kills


def done_tasks(root) -> int:
    operations = ("pools", "embeddings", "mined", "negatives")
    return sum(1 for name in operations for _ in (root / "work/tiny" / name).rglob("*.done.json"))


@pytest.mark.slow
def test_the_same_bytes_after_being_killed_anywhere(model, tmp_path):
    """Six deaths in a dense teacher's work: collecting, embedding, searching, aligning."""
    settings = {"mining": PLAIN | {"teacher": str(model), "shortage": "fill"}, "normalize": {"shard_rows": 60},
                "decontaminate": {}}  # fmt: skip
    trees = []
    for name in ("whole", "killed"):
        root = project.make(tmp_path / name, rows=150, **settings)
        for step in ("fetch", "normalize", "dedup"):
            project.curate(root, step, "--workers", "1")
        if name == "whole":
            assert start_mining(root).wait() == 0
            assert done_tasks(root) > 40
        else:
            assert mine_killed(root, random.Random(5), kills=6) == 6
        trees.append(project.tree(root))
    assert trees[0].keys() == trees[1].keys()
    assert [path for path in trees[0] if trees[0][path] != trees[1][path]] == []
