from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from open_ml_embed.core.errors import SettingsError, StageError
from tests.support.tiny_models import batch_of, embedder, form_of
from train.config import Distillation
from train.data.batch import make_batch
from train.data.mix import Mix
from train.data.plan import Plan
from train.distributed.parallel import Group, spread
from train.loop.run import Run
from train.loop.step import backward
from train.model.presets import PRESETS
from train.objective import distill
from train.objective.distill import TeacherVectors, open_teacher
from train.objective.loss import Taught


@pytest.fixture(scope="module")
def teacher(fitted: Path) -> Distillation:
    """A model of another tokenizer, width and depth than the students below."""
    return Distillation(on="scores", teacher=str(fitted), query_prompt="ask: ")


@pytest.fixture(scope="module")
def vectors(teacher: Distillation, mix: Path, tmp_path_factory: pytest.TempPathFactory) -> TeacherVectors:
    return open_teacher(teacher, Mix(mix), tmp_path_factory.mktemp("work"), device="cpu")


def test_vectors_are_the_teachers_row_by_row_and_only_turned(run: Run, teacher, vectors: TeacherVectors) -> None:
    store, model = run.store(run.mixes[0]), SentenceTransformer(teacher.teacher, device="cpu")
    assert (np.diff(store.train.row[np.arange(100)]) < 0).any()  # a store has an order of its own
    queries, documents = np.arange(0, 100, 7), np.arange(0, 240, 17)
    read = run.tokenizer.decode
    asked = [read(store.train.queries[int(row)], skip_special_tokens=True) for row in queries]
    said = [read(store.documents[int(row)], skip_special_tokens=True) for row in documents]
    wanted = model.encode(asked, prompt="ask: ") @ model.encode(said).T
    got = (
        vectors.queries[store.train.row[queries]].astype(np.float32) @ vectors.documents[documents].astype(np.float32).T
    )
    np.testing.assert_allclose(got, wanted, atol=2e-3)
    assert not np.allclose(got, model.encode(asked) @ model.encode(said).T, atol=2e-3)


def test_no_other_axes_hold_more_in_fewer(vectors: TeacherVectors) -> None:
    everything = np.concatenate([vectors.queries, vectors.documents]).astype(np.float64)
    best = np.linalg.svd(everything, compute_uv=False) ** 2
    held = (everything**2).sum(0)
    np.testing.assert_allclose(held, best, rtol=1e-2, atol=1e-2)


def test_a_step_gets_the_vectors_of_its_texts(run: Run, vectors: TeacherVectors) -> None:
    store = run.store(run.mixes[0])
    rows = [store.train.dataset.of(code) for code in range(len(store.datasets))]
    wanted = {"retrieval": 2, "clustering": 2}
    batch = make_batch(store, Plan(rows, 8, 0, 0), 3, wanted=wanted, preset=PRESETS["default"], stream=(0, 0))
    taught = vectors.of(batch, torch.device("cpu"))
    assert taught.queries_QW.dtype == torch.float32
    assert np.array_equal(taught.queries_QW.numpy(), vectors.queries[batch.query_rows])
    assert np.array_equal(taught.documents_NW.numpy(), vectors.documents[batch.document_rows])
    assert len(batch.query_rows) + len(batch.document_rows) == len(batch.segments)


def test_vectors_are_made_once_for_a_teacher_and_a_mix(teacher, mix: Path, tmp_path: Path) -> None:
    open_teacher(teacher, Mix(mix), tmp_path, device="cpu")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    open_teacher(teacher, Mix(mix), tmp_path, device="cpu")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")} == before
    open_teacher(teacher.model_copy(update={"query_prompt": ""}), Mix(mix), tmp_path, device="cpu")
    assert len(list(tmp_path.rglob("*.npy"))) == 4


def test_the_room_for_vectors_is_taken_before_they_are_written(tmp_path: Path) -> None:
    """A map of a file with holes ends the process with SIGBUS once the disk is full."""
    vectors = distill.new_file(tmp_path / "v.npy", (1 << 12, 1 << 8))
    assert vectors.nbytes == 1 << 21
    assert (tmp_path / "v.npy").stat().st_blocks * 512 >= vectors.nbytes


def test_vectors_made_elsewhere_are_taken_as_they_are_if_they_fit(mix: Path, tmp_path: Path) -> None:
    (tmp_path / "mix").mkdir()
    sizes = {"queries": Mix(mix).rows("train"), "documents": Mix(mix).rows("documents")}
    for name, rows in sizes.items():
        np.save(tmp_path / "mix" / f"{name}.npy", np.random.default_rng(0).normal(size=(rows, 6)).astype(np.float16))
    settings = Distillation(on="embeddings", teacher=str(tmp_path))
    assert open_teacher(settings, Mix(mix), tmp_path, device="cpu").documents.shape == (240, 6)
    np.save(tmp_path / "mix" / "documents.npy", np.zeros((239, 6), np.float16))
    with pytest.raises(StageError, match="for 240 texts"):
        open_teacher(settings, Mix(mix), tmp_path, device="cpu")


def test_no_such_teacher(mix: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no teacher"):
        open_teacher(Distillation(on="scores", teacher=str(tmp_path)), Mix(mix), tmp_path, device="cpu")


@pytest.mark.parametrize("on", ["scores", "embeddings"])
@pytest.mark.parametrize("width", [8, 40])
def test_a_student_with_a_nested_embedding_follows_a_teacher_of_another_width(on: str, width: int) -> None:
    model, batch = embedder(dtype=torch.float32), batch_of(in_batch=True)
    generator = torch.Generator().manual_seed(0)
    taught = Taught(*(torch.randn(n, width, generator=generator) for n in (batch.queries, len(batch.document_rows))))
    form = form_of(model, distillation={"on": on, "teacher": "t", "weight": 10, "temperature": 0.5})
    replica, optimizer = spread(model, Group()), torch.optim.AdamW(model.parameters(), lr=0.01)
    followed = []
    for step in range(40):
        model.embedding.rank = (4, 12)[step % 2]
        followed.append(float(backward(replica, batch, form, whole_tokens=1 << 40, taught=taught).distilled_LM.sum()))
        assert all(p.grad is not None and p.grad.any() for p in model.embedding.parameters())
        optimizer.step()
        optimizer.zero_grad()
    assert followed[-1] < 0.7 * followed[0]
