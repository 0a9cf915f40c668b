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
