from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from open_ml_embed.core.array_types import I64
from train.data.batch import Targets, make_batch, make_targets
from train.data.mix import Mix
from train.data.plan import Plan
from train.data.token_store import open_store
from train.data.tokenizer import encoder_of
from train.loop.loop import Trainer
from train.loop.run import Run
from train.model.presets import PRESETS


def targets_of(
    positive: Sequence[int],
    negatives: Sequence[Sequence[int]],
    query_cluster: Sequence[int],
    cluster: Sequence[int],
    *,
    mask: bool = True,
) -> tuple[Targets, I64]:
    array = np.array(negatives, np.int64)
    return make_targets(
        positive=np.array(positive),
        negatives=array,
        present=np.ones(array.shape, bool),
        query_cluster=np.array(query_cluster),
        cluster=np.array(cluster),
        mask_repeats=mask,
        in_batch=True,
    )


@given(st.data())
def test_masks_against_their_definition(data: st.DataObject) -> None:
    b, k, n = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 4)), 8
    rows = st.integers(0, n - 1)
    positive = data.draw(st.lists(rows, min_size=b, max_size=b))
    negatives = np.array(data.draw(st.lists(st.lists(rows, min_size=k, max_size=k), min_size=b, max_size=b)), np.int64)
    present = np.array(data.draw(st.lists(st.lists(st.booleans(), min_size=k, max_size=k), min_size=b, max_size=b)))
    negatives, present = negatives.reshape(b, k), present.reshape(b, k).astype(bool)
    asked = data.draw(st.lists(st.integers(0, 3), min_size=b, max_size=b))
    cluster = data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    targets, documents = make_targets(
        positive=np.array(positive),
        negatives=negatives,
        present=present,
        query_cluster=np.array(asked),
        cluster=np.array(cluster),
        mask_repeats=True,
        in_batch=True,
    )
    columns = documents[targets.columns_C.numpy()]
    assert sorted(set(positive)) == columns.tolist()
    assert set(documents) == set(positive) | set(negatives[present].tolist())
    for i in range(b):
        assert documents[targets.positive_B[i]] == positive[i] == columns[targets.column_B[i]]
        answers = {cluster[positive[j]] for j in range(b) if asked[j] == asked[i]}
        wanted = [cluster[c] not in answers for c in columns]
        assert targets.columns_mask_BC[i].tolist() == wanted
        seen: set[int] = set()
        for at in range(k):
            row = int(negatives[i, at])
            counts = bool(present[i, at]) and cluster[row] != cluster[positive[i]] and row not in seen
            assert bool(targets.negatives_mask_BK[i, at]) == counts
            if present[i, at]:
                seen.add(row)
                assert documents[targets.negatives_BK[i, at]] == row


def test_translations_of_one_query_are_no_negatives_of_each_other() -> None:
    targets, _ = targets_of([0, 1, 2], [[3], [3], [3]], [5, 5, 6], [0, 1, 2, 3])
    assert targets.columns_mask_BC.tolist() == [[False, False, True], [False, False, True], [True, True, False]]


def test_upstream_scores_every_positive_as_it_comes() -> None:
    targets, _ = targets_of([0, 0, 1], [[0], [2], [2]], [5, 5, 6], [0, 0, 2], mask=False)
    assert targets.columns_C.tolist() == [0, 0, 1]
    assert targets.columns_mask_BC.tolist() == [[False, True, True], [True, False, True], [True, True, False]]
    assert bool(targets.negatives_mask_BK.all())


def test_a_batch_holds_one_direction_of_a_bitext(run: Run, mix: Path, tmp_path: Path) -> None:
    shutil.copytree(mix, tmp_path / "mix")
    for file in (tmp_path / "mix" / "samples").iterdir():
        rows = [r | {"source": "unpc", "family": "retrieval"} for r in pq.read_table(file).to_pylist()]
        rows = [r | {"subset": "ar2en" if i % 3 else "en2ar"} for i, r in enumerate(rows)]
        pq.write_table(pa.Table.from_pylist(rows, pq.read_schema(file)), file)
    mixed = Mix(tmp_path / "mix")
    store = open_store(mixed, encoder_of(run.tokenizer, max_length=24), tmp_path / "stores")
    assert [d.name for d in store.datasets] == ["unpc/ar2en", "unpc/en2ar"]
    subset = pa.concat_tables(map(pq.read_table, mixed.files("train")))["subset"].to_pylist()
    plan = Plan([store.train.dataset.of(code) for code in range(2)], 24, 0, 0)
    seen: list[int] = []
    for step in range(plan.steps_per_epoch):
        batch = make_batch(store, plan, step, wanted={"retrieval": 2}, preset=PRESETS["default"], stream=(0, 0))
        assert {subset[row] for row in batch.query_rows} == {batch.subset}
        seen += batch.query_rows.tolist()
    assert sorted(seen) == list(range(204))


@pytest.mark.parametrize("preset", PRESETS.values())
def test_a_batch_holds_one_source_and_encodes_each_document_once(run: Run, preset) -> None:
    stage = Trainer(run).stages[0]
    store = stage.store
    for step in range(8):
        batch = make_batch(
            store, stage.plan, step, wanted={"retrieval": 2, "clustering": 2}, preset=preset, stream=(0, 0)
        )
        code, rows = stage.plan.step(step)
        assert {store.datasets[c].source for c in store.train.dataset[rows]} == {batch.source}
        assert batch.targets.in_batch == (store.datasets[code].family == "retrieval")
        parts = np.split(batch.segments.ids, np.cumsum(batch.segments.lengths)[:-1])
        for i, row in enumerate(rows):
            assert np.array_equal(parts[i], store.train.queries[row])
            at = batch.queries + int(batch.targets.positive_B[i])
            assert np.array_equal(parts[at], store.documents[store.train.positive[row]])
            stored = {store.documents[n].tobytes() for n in store.train.negatives[row]}
            for n, counts in zip(batch.targets.negatives_BK[i], batch.targets.negatives_mask_BK[i], strict=True):
                assert not counts or parts[batch.queries + int(n)].tobytes() in stored
        distinct = {part.tobytes() for part in parts[batch.queries :]}
        assert len(distinct) == len(parts) - batch.queries
