from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

from open_ml_embed.core.errors import SettingsError
from tests.support import processes, reference
from tests.support.synthetic import write_params
from tests.support.tiny_models import batch_of, embedder, exact_norms, gradients
from train.config import Distillation, TrainSettings
from train.distributed.parallel import Group, join, leave, spread


@pytest.fixture(scope="module", params=[2, pytest.param(3, marks=pytest.mark.slow)])
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    processes.run(request.param, "-m", "tests.support.processes", str(folder))
    return folder


@pytest.mark.parametrize("case", processes.CASES, ids="-".join)
def test_processes_together_compute_what_one_does(found: Path, case: tuple[str, ...]) -> None:
    together = torch.load(found / f"{'-'.join(case)}.pt")
    with exact_norms():
        architecture, _, kept, batch, form = case
        alone = processes.outcome((architecture, "ddp", kept, batch, form), Group())
    assert together.keys() == alone.keys()
    for name, value in together.items():
        torch.testing.assert_close(value, alone[name], rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.parametrize("form", ["default", "sides", "upstream", "scores", "embeddings"])
def test_processes_together_compute_what_is_written_down(found: Path, form: str) -> None:
    together = torch.load(found / f"qwen3-ddp-cached-retrieval-{form}.pt")
    model, batch = embedder(), batch_of()
    model.embedding.rank = 4
    own = {
        "sides": {"bidirectional": True, "same_side": True},
        "upstream": {"exact": False},
        "scores": {"distillation": Distillation(on="scores", teacher="t")},
        "embeddings": {"distillation": Distillation(on="embeddings", teacher="t")},
    }.get(form, {})
    if "distillation" in own:
        own["taught"] = processes.taught_of(len(batch.document_rows), batch.queries)
    with exact_norms():
        wanted = reference.batch_loss(model, batch, dims=(4, 8, 16), **own)
        wanted.backward()
    torch.testing.assert_close(together.pop("loss.total"), wanted.detach(), rtol=1e-9, atol=1e-9)
    del together["loss.after"]
    for name, gradient in gradients(model).items():
        torch.testing.assert_close(together[name], gradient, rtol=1e-8, atol=1e-8, msg=name)


def test_processes_of_unequal_memory_decide_alike(found: Path) -> None:
    outcomes = [torch.load(path, weights_only=False) for path in sorted(found.glob("uneven-*.pt"))]
    richest, *others = (outcome["own"] for outcome in outcomes)
    tokens = len(batch_of().segments.ids)
    assert all(other.fitting_tokens < tokens < richest.fitting_tokens for other in others)
    assert {outcome["said"] for outcome in outcomes} == {others[0]}
    assert len({outcome["loss"].item() for outcome in outcomes}) == 1


def test_one_process_has_nothing_to_shard() -> None:
    with pytest.raises(SettingsError, match="torchrun"):
        spread(embedder(), Group(), parallel="fsdp")


def test_a_process_that_nobody_else_was_started_with_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join("cpu") == Group(0, 1)
    with Group().leader_first():
        leave()


@pytest.fixture(scope="module")
def alone(settings: TrainSettings, work: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a short run of one process."""
    return fit(settings, work, tmp_path_factory.mktemp("alone"), 1)


def fit(settings: TrainSettings, work: Path, folder: Path, number: int, **changes: object) -> Path:
    """Train six steps on the synthetic mix through the command line; returns the model folder."""
    section = settings.model_dump(mode="json") | changes
    section["stages"] = [stage | {"steps": 3, "warmup_steps": 1} for stage in section["stages"]]
    for kept in ("stores", "tokenizers"):
        shutil.copytree(work / kept, folder / "work" / kept)
    params = write_params(folder / "params.yaml", section)
    script = "import sys; from train.cli import main; sys.argv[0] = 'train3d'; main()"
    arguments = ["--params", str(params), "--out", str(folder / "model"), "--work", str(folder / "work")]
    processes.run(number, "-c", script, "fit", *arguments)
    return folder / "model"


def log_of(work: Path) -> list[dict[str, Any]]:
    (log,) = (work / "runs").glob("*/log.jsonl")
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()]


def assert_the_same_training(alone: Path, together: Path, steps: int) -> None:
    """Compare two model folders beside their work folders: weights, and what each step logged."""
    wanted, got = (load_file(folder / "train3d" / "trained.safetensors") for folder in (alone, together))
    untrained = load_file(together / "train3d" / "untrained.safetensors")
    assert wanted.keys() == got.keys()
    for name, value in got.items():
        moved = (wanted[name] - untrained[name]).abs().max()
        assert (value - wanted[name]).abs().max() <= 0.05 * moved, name
    entries, wanted_entries = (log_of(folder.parent / "work") for folder in (together, alone))
    assert len(entries) == len(wanted_entries) == steps
    for entry, other in zip(entries, wanted_entries, strict=True):
        assert entry["loss"] == pytest.approx(other["loss"], rel=1e-3)
        assert (entry["source"], entry["rank"], entry["tokens"]) == (other["source"], other["rank"], other["tokens"])
        assert 0 <= entry["imbalance"] < 0.2
    assert SentenceTransformer(str(together), device="cpu").encode(["a"]).shape == (1, 32)


@pytest.mark.slow
@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_a_run_of_two_processes_is_that_of_one(settings, work, tmp_path, fitted, alone: Path, parallel: str) -> None:
    together = fit(settings, work, tmp_path, 2, parallel=parallel)
    assert_the_same_training(alone, together, 6)
    assert (tmp_path / "work" / "runs").glob("*/checkpoints/*/position.json")


@pytest.mark.slow
@pytest.mark.parametrize("what", ["lora", "dora", "states"])
def test_updates_and_a_live_teacher_are_the_same_on_two_processes(
    settings, work, tmp_path, fitted, teacher: Path, what: str
) -> None:
    changes: dict[str, Any] = {"lora": {"rank": 2, "dora": what == "dora"}}
    if what == "states":
        distillation = {"on": "states", "teacher": str(teacher), "live": True}
        changes = {
            "objective": settings.objective.model_dump(mode="json") | {"distillation": distillation},
            "backbone": {"kind": "pretrained", "path": str(fitted)},
        }
    alone = fit(settings, work, tmp_path / "alone", 1, **changes)
    for parallel in ("ddp", "fsdp"):
        together = fit(settings, work, tmp_path / parallel, 2, parallel=parallel, **changes)
        assert_the_same_training(alone, together, 6)
    errors = [entry["distilled"] for entry in log_of(tmp_path / "alone" / "work")]
    assert all(errors) if what == "states" else not any(errors)


PROGRAM = """
import sys
import open_ml_embed as ome
params, out, work = sys.argv[1:]
assert ome.Trainer(ome.TrainConfig.from_params(params), out=out, work=work).fit().trained
"""


@pytest.mark.slow
def test_a_program_of_the_users_own_trains_on_several_processes(settings, work, tmp_path, fitted, alone: Path) -> None:
    section = settings.model_dump(mode="json")
    section["stages"] = [stage | {"steps": 3, "warmup_steps": 1} for stage in section["stages"]]
    params = write_params(tmp_path / "params.yaml", section)
    for kept in ("stores", "tokenizers"):
        shutil.copytree(work / kept, tmp_path / "work" / kept)
    processes.run(2, "-c", PROGRAM, str(params), str(tmp_path / "model"), str(tmp_path / "work"))
    logs = [next((root / "work" / "runs").glob("*/log.jsonl")) for root in (tmp_path, alone.parent)]
    entries, wanted = ([json.loads(line) for line in log.read_text("utf-8").splitlines()] for log in logs)
    assert [entry["loss"] for entry in entries] == pytest.approx([entry["loss"] for entry in wanted], rel=1e-3)
    assert SentenceTransformer(str(tmp_path / "model"), device="cpu").encode(["a"]).shape == (1, 32)
