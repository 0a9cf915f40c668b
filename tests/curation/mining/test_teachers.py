"""Teachers: what they say against sentence-transformers itself, what their identity covers, and what they refuse."""

import random
import shutil
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import CrossEncoder, SentenceTransformer

from curation.mining.settings import TeacherSettings
from curation.mining.teachers.cross_encoder import SecondOpinion
from curation.mining.teachers.loading import load_teacher
from curation.mining.teachers.precomputed import PrecomputedVectors, text_id
from curation.mining.teachers.sentence_transformer import SentenceTransformerTeacher, length_sorted
from open_ml_embed.core.errors import SettingsError, StageError
from tests.support.language_models import make_cross_encoder, make_encoder

WORDS = [f"w{i}" for i in range(40)]


def make_texts(count: int, seed: int = 0) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randrange(1, 50))) for _ in range(count)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    prompts = {"query": "w1 w2 w3 ", "document": "w4 "}
    return make_encoder(tmp_path_factory.mktemp("encoder"), WORDS, prompts=prompts)


def teacher(folder, **settings):
    return SentenceTransformerTeacher(folder, TeacherSettings(model=str(folder), **settings))


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 200))
def test_batches_hold_every_text_once_and_are_as_full_as_they_may_be(lengths, most):
    batches = list(length_sorted(lengths, most))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= most
    for batch, after in pairwise(batches):
        assert min(lengths[i] for i in batch) >= max(lengths[i] for i in after)
        assert max(lengths[i] for i in batch) * (len(batch) + 1) > most


def test_vectors_are_sentence_transformers_own(model):
    texts = make_texts(60)
    own = SentenceTransformer(str(model), device="cpu")
    for side, encode in (("query", own.encode_query), ("document", own.encode_document)):
        expected = encode(texts, normalize_embeddings=True)
        found = teacher(model, batch_tokens=100).encode(texts, side)
        assert found == pytest.approx(expected, abs=1e-6)
        assert np.linalg.norm(found, axis=1) == pytest.approx(1)
    assert not np.allclose(own.encode_query(texts), own.encode_document(texts), atol=1e-3)


def test_prompts_and_length_are_the_settings_where_they_say_so(model):
    texts = make_texts(10)
    own = SentenceTransformer(str(model), device="cpu")
    own.max_seq_length = 8
    expected = own.encode(["w9 w8 " + text for text in texts], prompt="", normalize_embeddings=True)
    found = teacher(model, query_prompt="w9 w8 ", max_length=8).encode(texts, "query")
    assert found == pytest.approx(expected, abs=1e-6)
    plain = own.encode(texts, prompt="", normalize_embeddings=True)
    assert teacher(model, document_prompt="", max_length=8).encode(texts, "document") == pytest.approx(plain, abs=1e-6)


def test_threads_are_left_as_they_were(model):
    before = torch.get_num_threads()
    teacher(model).encode(["w1"], "query")
    assert torch.get_num_threads() == before


def test_nothing_to_encode(model):
    assert teacher(model).encode([], "query").shape == (0, 16)


def test_identity_covers_what_changes_a_vector_and_no_more(model, tmp_path):
    base = teacher(model).identity
    assert teacher(model, batch_tokens=7).identity == base
    for change in ({"query_prompt": "w1"}, {"document_prompt": ""}, {"max_length": 9}, {"dtype": "bfloat16"}):
        assert teacher(model, **change).identity != base
    copy = shutil.copytree(model, tmp_path / "elsewhere")
    assert teacher(copy).identity == base
    (copy / "README.md").write_text("a word about it")
    assert teacher(copy).identity == base
    pooling = copy / "1_Pooling" / "config.json"
    pooling.write_text(pooling.read_text() + "\n")
    assert teacher(copy).identity != base


def test_a_package_with_a_model_in_it(model, tmp_path, monkeypatch):
    shutil.copytree(model, tmp_path / "some_model" / "inside")
    (tmp_path / "some_model" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert load_teacher(TeacherSettings(model="package:some-model")).identity == teacher(model).identity


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("nowhere/model", "owner/name@COMMIT"),
        ("owner/model@main", "40 digits"),
        ("package:not-installed-model", "pip install not-installed-model"),
        ("package:yaml", "pip install"),
        ("vectors:/nowhere", "queries/"),
    ],
)
def test_what_cannot_be_a_teacher_is_refused_with_a_remedy(name, remedy):
    with pytest.raises(SettingsError) as error:
        load_teacher(TeacherSettings(model=name))
    assert remedy in error.value.remedy


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(SettingsError, match=r"modules\.json"):
        load_teacher(TeacherSettings(model=str(tmp_path)))


def write_vectors(folder, texts, vectors, kind):
    for side in ("queries", "documents"):
        (folder / side).mkdir(parents=True, exist_ok=True)
        half = len(texts) // 2
        for name, part, of_part in (("a", texts[:half], vectors[:half]), ("b", texts[half:], vectors[half:])):
            ids = [text_id(text) for text in part]
            if kind == "npy":
                np.save(folder / side / f"{name}.npy", of_part)
                (folder / side / f"{name}.ids.txt").write_text("\n".join(ids) + "\n")
            else:
                values = pa.FixedSizeListArray.from_arrays(pa.array(of_part.ravel()), of_part.shape[1])
                table = pa.table({"id": ids, "vector": values})
                with pa.ipc.new_file(str(folder / side / f"{name}.arrow"), table.schema) as writer:
                    writer.write_table(table)


@pytest.mark.parametrize("kind", ["npy", "arrow"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_precomputed_vectors_come_by_text_normalized(tmp_path, kind, dtype):
    texts = sorted(set(make_texts(30)))
    vectors = np.random.default_rng(0).normal(size=(len(texts), 6)).astype(dtype)
    write_vectors(tmp_path, texts, vectors, kind)
    found = PrecomputedVectors(tmp_path)
    order = np.random.default_rng(1).permutation(len(texts))
    expected = (vectors / np.linalg.norm(vectors.astype(np.float32), axis=1, keepdims=True))[order]
    assert found.encode([texts[i] for i in order], "query") == pytest.approx(expected, abs=1e-6)
    assert found.encode([], "document").shape == (0, 6)
    assert found.dim == 6


def test_precomputed_vectors_that_are_not_there(tmp_path):
    write_vectors(tmp_path, ["a", "b"], np.array([[1, 0], [0, 0]], np.float32), "npy")
    found = PrecomputedVectors(tmp_path)
    with pytest.raises(StageError, match="1 of 2 texts have no vector, the first: 'c'"):
        found.encode(["a", "c"], "document")
    with pytest.raises(StageError, match="zero or not finite"):
        found.encode(["b"], "document")
    before = found.identity
    np.save(tmp_path / "queries" / "b.npy", np.array([[0, 1]], np.float32))
    assert PrecomputedVectors(tmp_path).identity != before


@pytest.mark.parametrize(
    ("ids", "vectors", "message"),
    [
        ("00" * 16 + "\n", np.zeros((2, 3), np.float32), "2 vectors and 1 ids"),
        ("no digits", np.zeros((1, 3), np.float32), "unreadable"),
        ("00" * 16, np.zeros(3, np.float32), "shape"),
        ("00" * 16, np.zeros((1, 3), np.int64), "int64"),
    ],
)
def test_precomputed_files_that_are_not_what_they_should_be(tmp_path, ids, vectors, message):
    for side in ("queries", "documents"):
        (tmp_path / side).mkdir()
        np.save(tmp_path / side / "a.npy", vectors)
        (tmp_path / side / "a.ids.txt").write_text(ids)
    with pytest.raises(SettingsError, match=message):
        PrecomputedVectors(tmp_path).encode(["x"], "query")


def test_a_model_without_safetensors_is_refused(model, tmp_path):
    shutil.copytree(model, tmp_path / "m")
    for path in list((tmp_path / "m").rglob("*.safetensors")):
        path.rename(path.with_suffix(".bin"))
    with pytest.raises(SettingsError, match=r"does not load.*\n.*safetensors"):
        teacher(tmp_path / "m").encode(["w1"], "query")


@pytest.mark.parametrize("batch_tokens", [1, 100, 10_000])
def test_a_second_opinion_is_the_cross_encoders_own_whatever_the_batches(tmp_path, batch_tokens):
    folder = make_cross_encoder(tmp_path, WORDS)
    queries, documents = make_texts(5, 1), make_texts(9, 2)
    rng = np.random.default_rng(0)
    query, document = rng.integers(0, 5, 40), rng.integers(0, 9, 40)
    own = CrossEncoder(str(folder), device="cpu", activation_fn=torch.nn.Sigmoid())
    expected = own.predict([(queries[q], documents[d]) for q, d in zip(query, document, strict=True)])
    opinion = SecondOpinion(folder, TeacherSettings(model=str(folder), batch_tokens=batch_tokens))
    assert opinion.score(pa.array(queries), pa.array(documents), query, document) == pytest.approx(expected, abs=1e-6)
    assert len(set(np.round(expected, 5))) > 10
