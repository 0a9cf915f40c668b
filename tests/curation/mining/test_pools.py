"""What a pool holds, against a slow reading of the same rows; and its vectors, however often the work was begun."""

import random

import numpy as np
import pytest

from curation.mining.settings import TeacherSettings
from curation.mining.step import embeddings, pools
from curation.mining.step.embeddings import Embed, StoredVectors, embed
from curation.mining.step.pools import Collect
from curation.mining.teachers.loading import load_teacher
from curation.pipeline.run import run_step
from curation.tables.pools import PoolRef, read_texts
from open_ml_embed.core import engine
from open_ml_embed.core.engine import Workers
from open_ml_embed.core.task import Task
from tests.support.language_models import make_encoder

WORDS = [f"w{i}" for i in range(60)]


def make_rows(count: int, seed: int = 0) -> list[dict]:
    """Few texts, so that many stand twice: as positive, as given negative, in other case, in another language."""
    rng = random.Random(seed)
    texts = [" ".join(rng.choices(WORDS, k=rng.randrange(3, 30))) for _ in range(count // 2)]
    rows = []
    for i in range(count):
        language = rng.choice(["eng-Latn", "deu-Latn"])
        rows.append(
            {
                "query": f"q{i // 2} {rng.choice(WORDS[:2])}",
                "positive": rng.choice([str.upper, str.lower])(rng.choice(texts)),
                "negatives": rng.sample(texts, rng.randrange(3)),
                "positive_lang": language,
                "query_lang": rng.choice(["eng-Latn", language]),
            }
        )
    return rows


def collect(workshop, rows, shard_rows=30):
    workshop.manifest("a", ["x", "y"])
    build = workshop.build()
    half = len(rows) // 2
    made = workshop.rows(build, {("a", "x"): rows[:half], ("a", "y"): rows[half:]}, shard_rows)
    run_step(build, "dedup")
    pool = PoolRef("a", tuple(s.path for s in made.shards), tuple(s.xxh3 for s in made.shards))
    (marker,) = engine.run(Collect(), [Task("a", pool.hashes, pool)], build.store, build.workers)
    return build, pool, marker


def read(build, pool, name):
    if name == "links":
        return [row for path in pool.paths for row in build.store.read_table(f"pools/{path}.links.arrow").to_pylist()]
    return build.store.read_table(f"pools/{pool.name}.{name}.arrow").to_pylist()


def texts_of(build, pool, name, column):
    places = build.store.read_table(f"pools/{pool.name}.{name}.arrow")
    return read_texts(build.store, pool, places, np.arange(len(places)), column).to_pylist()


def test_each_text_has_one_number_and_every_row_knows_its_own(workshop):
    rows = make_rows(100)
    build, pool, marker = collect(workshop, rows)
    documents, asked = texts_of(build, pool, "documents", "positive"), texts_of(build, pool, "asked", "query")
    queries, links = read(build, pool, "queries"), read(build, pool, "links")
    assert len({text.lower() for text in documents}) == len(documents) == marker.stats["documents"]
    assert len(set(asked)) == len(asked)
    for row, link in zip(rows, links, strict=True):
        query = queries[link["query"]]
        assert asked[query["text"]] == row["query"]
        assert (query["language"], query["wanted"]) == (row["query_lang"], row["positive_lang"])
        assert documents[link["positive"]].lower() == row["positive"].lower()
        assert [documents[i].lower() for i in link["given"]] == [text.lower() for text in row["negatives"]]
    first = list(dict.fromkeys(link["query"] for link in links))
    assert first == list(range(len(queries)))


@pytest.mark.parametrize("shard_rows", [7, 1000])
def test_numbers_do_not_depend_on_the_shards(workshop, shard_rows):
    found = []
    for size in (30, shard_rows):
        build, pool, _ = collect(workshop, make_rows(60), size)
        names = ("documents", "positive"), ("asked", "query")
        found.append([read(build, pool, "links"), read(build, pool, "queries")])
        found[-1] += [texts_of(build, pool, *name) for name in names]
    assert found[0] == found[1]


def test_a_document_has_the_cluster_that_dedup_gave_its_text(workshop):
    rows = make_rows(80)
    build, pool, _ = collect(workshop, rows)
    clusters = [
        number
        for path in pool.paths
        for number in build.store.read_table(f"clusters/{path}.clusters.arrow")["document_cluster"].to_pylist()
    ]
    documents = read(build, pool, "documents")
    for link, number in zip(read(build, pool, "links"), clusters, strict=True):
        assert documents[link["positive"]]["cluster"] == number


def test_a_given_negative_that_is_nearly_a_positive_joins_its_cluster(workshop):
    passage = " ".join(f"word{i}" for i in range(80))
    rows = [
        {"query": "a", "positive": passage},
        {"query": "b", "positive": "another thing", "negatives": [passage + " more", "apart from all"]},
        {"query": "c", "positive": "a third", "negatives": [passage + " less"]},
    ]
    build, pool, _ = collect(workshop, rows, 1)
    cluster = {
        text: document["cluster"]
        for text, document in zip(
            texts_of(build, pool, "documents", "positive"), read(build, pool, "documents"), strict=True
        )
    }
    assert cluster[passage] == cluster[passage + " more"] == cluster[passage + " less"]
    assert len({cluster[text] for text in (passage, "another thing", "apart from all", "a third")}) == 4


def test_a_given_negative_between_two_positives_joins_their_clusters(workshop):
    # 91 shingles each: neighbors share 85, a Jaccard index of 0.88; the outer two 79, one of 0.77
    left, between, right = (" ".join(f"word{i}" for i in range(first, first + 95)) for first in (0, 6, 12))
    rows = [{"query": q, "positive": text} for q, text in (("a", left), ("b", right))]
    rows.append({"query": "c", "positive": "something else", "negatives": [between]})
    build, pool, _ = collect(workshop, rows)
    numbers = [d["cluster"] for d in read(build, pool, "documents")]
    cluster = dict(zip(texts_of(build, pool, "documents", "positive"), numbers, strict=True))
    dedups = build.store.read_table(f"clusters/{pool.paths[0]}.clusters.arrow")["document_cluster"].to_pylist()
    assert dedups == [cluster[left]]
    assert cluster[left] == cluster[between] == cluster[right] != cluster["something else"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_encoder(tmp_path_factory.mktemp("encoder"), WORDS)


def vectors_of(build, pool, marker, model, workers=None):
    chunks = {side: [pools.Chunk(*chunk) for chunk in of] for side, of in marker.stats["chunks"].items()}
    settings = TeacherSettings(model=str(model))
    (readers,) = embed(build.store, workers or build.workers, [(pool, chunks)], settings)
    return readers


def test_stored_vectors_are_the_teachers_in_order_of_number(workshop, model, monkeypatch):
    monkeypatch.setattr(pools, "CHUNK_TEXTS", 16)
    build, pool, marker = collect(workshop, make_rows(120))
    readers = vectors_of(build, pool, marker, model)
    teacher = load_teacher(TeacherSettings(model=str(model)))
    rng = np.random.default_rng(0)
    for side, name, column in (("query", "asked", "query"), ("document", "documents", "positive")):
        expected = teacher.encode(texts_of(build, pool, name, column), side).astype(np.float16)
        found: StoredVectors = readers[side]
        assert len(found.paths) > 4
        assert (len(found), found.dim) == expected.shape
        assert found.block(0, len(found)) == pytest.approx(expected, abs=1e-3)
        for _ in range(20):
            start, stop = sorted(rng.integers(0, len(found) + 1, 2).tolist())
            np.testing.assert_array_equal(found.block(start, stop), found.block(0, len(found))[start:stop])
        ids = rng.integers(0, len(found), 50)
        np.testing.assert_array_equal(found.take(ids), found.block(0, len(found))[ids])
        assert found.block(3, 3).shape == (0, 16)
        assert len(found.block(len(found) - 1, len(found) + 10)) == 1


def test_what_is_embedded_once_is_never_embedded_again(workshop, model, monkeypatch):
    monkeypatch.setattr(pools, "CHUNK_TEXTS", 16)
    done = []
    real = Embed.run
    monkeypatch.setattr(Embed, "run", lambda self, task, *rest: done.append(task.path) or real(self, task, *rest))
    rows = make_rows(120)
    build, pool, marker = collect(workshop, rows)
    vectors_of(build, pool, marker, model)
    everything = len(done)
    vectors_of(build, pool, marker, model)
    assert len(done) == everything
    # a new text at the end: one more chunk of documents, one more of queries
    rows[-1] |= {"query": "w1 never asked", "positive": "w1 w2 never answered", "negatives": []}
    build, pool, marker = collect(workshop, rows)
    vectors_of(build, pool, marker, model)
    shards = {path.rsplit("/", 1)[0] for path in done[everything:]}
    assert len(shards) == 2
    assert len(done) - everything <= 6


@pytest.mark.slow
def test_ray_actors_give_the_same_bytes(workshop, model, monkeypatch):
    import ray

    monkeypatch.setattr(pools, "CHUNK_TEXTS", 16)
    build, pool, marker = collect(workshop, make_rows(60))
    folder = build.root / "work" / "test" / embeddings.Embed.name
    vectors_of(build, pool, marker, model)
    here = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.arrow")}
    for path in folder.rglob("*.done.json"):
        path.unlink()
    ray.init("local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
    try:
        vectors_of(build, pool, marker, model, Workers("ray", 2))
    finally:
        ray.shutdown()
    assert {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.arrow")} == here
    assert len(here) == len(list(folder.rglob("*.done.json"))) > 4


def test_texts_are_read_in_any_order_repeated_or_not(workshop):
    build, pool, _ = collect(workshop, make_rows(100), shard_rows=9)
    rng = np.random.default_rng(2)
    for name, column in (("documents", "positive"), ("asked", "query")):
        texts = texts_of(build, pool, name, column)
        places = build.store.read_table(f"pools/{pool.name}.{name}.arrow")
        numbers = rng.integers(0, len(texts), 3 * len(texts))
        assert read_texts(build.store, pool, places, numbers, column).to_pylist() == [texts[i] for i in numbers]
    assert len(read_texts(build.store, pool, places, numbers[:0])) == 0
