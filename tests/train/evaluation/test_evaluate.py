from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from train.cli import app
from train.evaluation import evaluate as evaluation
from train.evaluation.retrieval_metrics import Pool, make_pool, metrics, ranks
from train.loop.run import Run


def brute_ndcg(scores: list[float], relevant: list[bool], spared: list[bool]) -> float:
    """nDCG@10 of one query: rank what is not spared, gain 1 for the first relevant text."""
    order = sorted((i for i in range(len(scores)) if not spared[i]), key=lambda i: (-scores[i], i))
    gains = [relevant[i] for i in order]
    dcg = sum(gain / math.log2(at + 2) for at, gain in enumerate(gains[:10]))
    return dcg / (1 / math.log2(2))


@given(st.data())
def test_ranks_and_ndcg_against_brute_force(data: st.DataObject) -> None:
    n, q, h = data.draw(st.integers(1, 25)), data.draw(st.integers(1, 4)), 4
    # Few distinct values: ties are common.
    values = st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=h, max_size=h)
    documents = torch.tensor(data.draw(st.lists(values, min_size=n, max_size=n)))
    queries = torch.tensor(data.draw(st.lists(values, min_size=q, max_size=q)))
    clusters = np.array(data.draw(st.lists(st.integers(0, 6), min_size=n, max_size=n)))
    positive = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=q, max_size=q)))
    answers = [{int(clusters[p]), *data.draw(st.sets(st.integers(0, 6), max_size=2))} for p in positive]
    known = tuple(np.flatnonzero(np.isin(clusters, sorted(a))) for a in answers)
    pool = Pool(np.arange(q), np.arange(n), positive, known)
    found = ranks(queries, documents, pool, clusters, [2, 4])
    for at, dim in enumerate([2, 4]):
        left, right = (torch.nn.functional.normalize(t[:, :dim], dim=1) for t in (queries, documents))
        expected = []
        for i, row in enumerate((left @ right.T).tolist()):
            own = [j for j in range(n) if clusters[j] == clusters[positive[i]]]
            best = min(own, key=lambda j: (-row[j], j))
            spared = [bool(clusters[j] in answers[i]) and j != best for j in range(n)]
            expected.append(brute_ndcg(row, [j == best for j in range(n)], spared))
        assert metrics(found[at])["ndcg@10"] == pytest.approx(sum(expected) / q, abs=1e-6)


def test_a_model_that_says_one_thing_is_not_taken_for_a_good_one() -> None:
    n = 40
    pool = Pool(np.arange(n), np.arange(n), np.arange(n), tuple(np.array([i]) for i in range(n)))
    found = ranks(torch.ones(n, 4), torch.ones(n, 4), pool, np.arange(n), [4])[0]
    assert found.tolist() == list(range(1, n + 1))


def test_the_pool_is_repeatable_capped_and_holds_every_answer(run: Run) -> None:
    store = run.store(run.mixes[0])
    held_out = store.validation
    full = make_pool(store, queries=10**6, documents=None, distractors=10**6, seed=0)
    assert len(full.documents) == len(store.documents) - sum(
        store.datasets[code].family != "retrieval" for code in held_out.dataset
    )
    assert {store.datasets[held_out.dataset[i]].family for i in full.queries} == {"retrieval"}
    pool, again, other = (make_pool(store, queries=9, documents=12, distractors=4, seed=seed) for seed in (1, 1, 2))
    assert len(pool.queries) == 9
    assert len(pool.documents) == 16
    assert np.array_equal(pool.documents[pool.positive], held_out.positive[pool.queries])
    assert all(p in own for p, own in zip(pool.positive, pool.known, strict=True))
    assert np.array_equal(pool.queries, again.queries)
    assert np.array_equal(pool.documents, again.documents)
    assert not np.array_equal(pool.queries, other.queries)


def test_evaluation_covers_every_size_and_training_helped(
    fitted: Path, params: Path, work: Path, tmp_path: Path
) -> None:
    arguments = ["evaluate", "--params", str(params), "--model", str(fitted), "--work", str(work)]
    for name in ("a", "b"):
        files = ["--report", str(tmp_path / f"{name}.json"), "--picture", str(tmp_path / f"{name}.svg")]
        result = CliRunner().invoke(app, [*arguments, *files], catch_exceptions=False)
        assert result.exit_code == 0
    for kind in ("json", "svg"):
        assert (tmp_path / f"a.{kind}").read_bytes() == (tmp_path / f"b.{kind}").read_bytes()
    assert "embedding rank 16" in result.stdout
    report = json.loads((tmp_path / "a.json").read_text("utf-8"))
    other = CliRunner().invoke(app, [*arguments, "--report", str(tmp_path / "c.json"), "--metric", "mrr@10"])
    assert f"full size: {report['trained'][-1]['mrr@10']:.4f}" in other.stdout.replace("\n", " ")
    sizes = [(c["layers"], c["dim"], c["rank"]) for c in report["trained"]]
    assert sorted(sizes) == sorted({(la, d, r) for la in (1, 2, 3) for d in (8, 16, 32) for r in (8, 16)})
    assert sizes == [(c["layers"], c["dim"], c["rank"]) for c in report["untrained"]]
    assert sizes[-1] == (3, 32, 16)
    assert (report["queries"], report["documents"]) == (20, 34)
    assert report["ratio_full_size"] > 1.5
    picture = (tmp_path / "a.svg").read_text("utf-8")
    for cell in report["trained"]:
        assert f"{cell['ndcg@10']:.3f}".removeprefix("0") in picture
    for text in ("rank 8", "rank 16", "20 queries in 34 documents"):
        assert text in picture
    assert {s: v["queries"] for s, v in report["by_source"]["trained"].items()}.keys() == {"alpha", "beta"}


def test_results_that_hold_are_shown_and_not_measured_again(fitted, params, work, tmp_path, monkeypatch) -> None:
    report = tmp_path / "report.json"
    fixed = ["evaluate", "--params", str(params), "--model", str(fitted), "--work", str(work), "--report", str(report)]

    def run(*more: str) -> tuple[str, str]:
        result = CliRunner().invoke(app, [*fixed, *more], catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout, result.stderr

    measured, said = run()
    assert f"written to {report}" in said
    whole = report.read_bytes()
    fewer = ["--set", "evaluation.queries=5"]
    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "evaluate", lambda *_, **__: pytest.fail("measured again"))
        shown, said = run()
        assert shown == measured
        assert "nothing to do" in said
        for report_as_it_was, options in ((whole, fewer), (whole[:-9], []), (b"[]", [])):
            report.write_bytes(report_as_it_was)
            with pytest.raises(pytest.fail.Exception, match="measured again"):
                run(*options)
    run()
    assert report.read_bytes() == whole
    run(*fewer)
    assert json.loads(report.read_bytes())["queries"] == 5
