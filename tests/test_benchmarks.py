"""What the benchmarks write is what the trainer reads."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from train.data.token_store import map_store

DOCUMENTS, SAMPLES = 3000, 2500


@pytest.fixture
def scale(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmark of large mixes, with everything small."""
    module = importlib.import_module("benchmarks.train_scale")
    for name, value in {"PART": 1000, "BATCH": 300, "BATCH_SIZE": 2, "STEPS": 20}.items():
        monkeypatch.setattr(module, name, value)
    return module


def test_the_store_of_the_scale_benchmark_opens_and_trains(scale: Any, tmp_path: Path, capsys) -> None:
    scale.write(tmp_path, DOCUMENTS, SAMPLES)
    store = map_store(tmp_path)
    assert len(store.documents) == DOCUMENTS
    assert len(store.train.queries) == len(store.train.dataset) == SAMPLES
    assert len(store.validation.queries) == SAMPLES // 100
    rows = np.arange(SAMPLES)
    for split, own in ((store.train, rows), (store.validation, rows[: SAMPLES // 100])):
        assert np.array_equal(split.row[own], own)
        assert np.array_equal(split.positive[own], scale.positive_of(own, DOCUMENTS))
        assert {len(split.negatives[i]) for i in own} == {scale.NEGATIVES}
    scale.child(tmp_path)
    assert json.loads(capsys.readouterr().out)["steps"] > scale.STEPS


CHECKS = ("attention", "float32", "memory", "deterministic", "compiled", "adamw", "utilization", "search", "embedding")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("checks", [CHECKS, ("peers",)], ids=["own", "peers"])
def test_the_checks_for_a_gpu_run_whole_in_small(checks: tuple[str, ...], tmp_path: Path) -> None:
    gpu = importlib.import_module("benchmarks.gpu")
    assert {check.__name__ for check in gpu.CHECKS} == {*CHECKS, "peers"}
    failed = gpu.main(["--device", "cpu", "--tiny", "--json", str(tmp_path / "lines.json"), "--only", *checks])
    lines = json.loads((tmp_path / "lines.json").read_text())
    assert failed == 0, lines
    assert lines.keys() == set(checks)
    assert all(line.startswith("ok ") for line in lines.values())


def test_a_check_that_fails_is_told_and_the_others_run(monkeypatch, capsys) -> None:
    gpu = importlib.import_module("benchmarks.gpu")
    monkeypatch.setattr(gpu, "attention_error", lambda *_, **__: 1.0)
    assert gpu.main(["--device", "cpu", "--tiny", "--only", "attention", "adamw"]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("FAILED  attention: AssertionError")
    assert printed[1].startswith("ok      adamw")


@pytest.mark.slow
def test_the_benchmark_of_feeding_runs_in_small(tmp_path: Path, monkeypatch) -> None:
    """On a machine with other work the wait of so short a run means nothing; the steps must be the same."""
    feeding = importlib.import_module("benchmarks.feeding")
    monkeypatch.setattr(feeding, "MOST_SHARE", 2.0)
    monkeypatch.setattr(feeding, "QUERIES", 2)
    figures = feeding.main(["--documents", "0.003", "--steps", "3", "--folder", str(tmp_path)])
    assert figures["waited_share"].keys() == {0, 2}
    assert not list(tmp_path.iterdir())
