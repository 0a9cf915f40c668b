"""Training on keeps the factors of a token embedding, whatever form the backbone keeps them in."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from open_ml_embed.core.errors import SettingsError, StageError
from tests.support.synthetic import params_for, write_params
from train.cli import app
from train.config_file import load_settings
from train.loop.run import Run, load


def run_on(folder: Path, mix: Path, tmp_path: Path, **changes: object) -> Run:
    section = params_for(mix, backbone={"kind": "pretrained", "path": str(folder)}, **changes)
    return Run(load_settings(write_params(tmp_path / "on.yaml", section), None)[1], tmp_path / "work")


@pytest.fixture
def exported(fitted: Path, params: Path, tmp_path: Path):
    def make(*options: str) -> Path:
        arguments = ["export", "--params", str(params), "--model", str(fitted), "--to", str(tmp_path / "e"), *options]
        CliRunner().invoke(app, arguments, catch_exceptions=False)
        return tmp_path / "e"

    return make


def upstream(folder: Path) -> Path:
    """Let a folder look as one of the public trainer: a table, U.pth and V.pth, in bfloat16."""
    factors = load_file(folder / "train3d" / "factors.safetensors")
    shutil.rmtree(folder / "train3d")
    torch.save(torch.nn.Parameter(factors["left"].bfloat16()), folder / "U.pth")
    torch.save(torch.nn.Parameter(factors["right"].bfloat16()), folder / "V.pth")
    state = load_file(folder / "model.safetensors")
    state["embed_tokens.weight"] = (factors["left"] @ factors["right"]).bfloat16().float()
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    return folder


@pytest.mark.parametrize("form", ["model", "compatible", "efficient", "upstream"])
@pytest.mark.parametrize("lazily", [False, True])
def test_every_rank_starts_where_it_was(
    fitted: Path, mix: Path, settings, exported, tmp_path: Path, form: str, *, lazily: bool
) -> None:
    folder = fitted if form == "model" else exported("--mode", "efficient" if form == "efficient" else "compatible")
    if form == "upstream":
        folder = upstream(folder)
    run = run_on(folder, mix, tmp_path)
    before = load(fitted, settings)[0]
    if lazily:
        model = run.empty_model()
        model.load_state_dict({name: tensor.read() for name, tensor in run.first_weights().items()}, assign=True)
    else:
        model = run.model()[0]
    near = {"rtol": 0.02, "atol": 1e-3} if form == "upstream" else {"rtol": 1e-6, "atol": 1e-7}
    for rank in (8, 16):
        torch.testing.assert_close(model.embedding.product(rank), before.embedding.product(rank), **near)
    wanted = before.state_dict()
    for name, value in model.state_dict().items():
        if "embed" not in name:
            assert torch.equal(value, wanted[name]), name


def test_weights_read_one_by_one_are_those_of_the_whole_model(fitted: Path, mix: Path, tmp_path: Path) -> None:
    shutil.copytree(fitted, tmp_path / "plain")
    shutil.rmtree(tmp_path / "plain" / "train3d")
    for ranks in ([8, 16], []):
        run = run_on(tmp_path / "plain", mix, tmp_path, ranks=ranks)
        whole = run.model()[0].state_dict()
        read = {name: tensor.read() for name, tensor in run.first_weights().items()}
        assert read.keys() == whole.keys()
        assert all(torch.equal(read[name], value) for name, value in whole.items())


def test_a_decomposition_would_move_the_small_ranks(fitted: Path, mix: Path, settings, tmp_path: Path) -> None:
    """The reason for keeping the factors; if this fails, they are not needed."""
    shutil.copytree(fitted, tmp_path / "plain")
    shutil.rmtree(tmp_path / "plain" / "train3d")
    anew = run_on(tmp_path / "plain", mix, tmp_path).model()[0].embedding.product(8)
    before = load(fitted, settings)[0].embedding.product(8)
    assert (anew - before).norm() > 0.05 * before.norm()


def test_a_plain_table_is_the_product(fitted: Path, mix: Path, settings, exported, tmp_path: Path) -> None:
    wanted = load(fitted, settings)[0].embedding.product(16)
    for mode in ("compatible", "efficient"):
        run = run_on(exported("--mode", mode), mix, tmp_path, ranks=[])
        torch.testing.assert_close(run.model()[0].embedding.product(32), wanted)
        (table,) = [tensor for name, tensor in run.first_weights().items() if "embed" in name]
        torch.testing.assert_close(table.read(), wanted)


def test_ranks_go_up_to_the_stored_one(mix: Path, exported, tmp_path: Path) -> None:
    folder = exported("--rank", "8")
    assert run_on(folder, mix, tmp_path, ranks=None).shape.ranks == (8,)
    with pytest.raises(SettingsError, match="trained at rank 8 and below") as caught:
        assert run_on(folder, mix, tmp_path, ranks=[8, 16]).shape
    assert "up to 8" in caught.value.remedy


def test_factors_of_other_weights_are_refused(mix: Path, exported, tmp_path: Path) -> None:
    folder = exported()
    state = load_file(folder / "model.safetensors")
    state["embed_tokens.weight"] += torch.randn_like(state["embed_tokens.weight"])
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    for make in (lambda run: run.model(), lambda run: run.first_weights()):
        with pytest.raises(StageError, match="changed afterwards") as caught:
            make(run_on(folder, mix, tmp_path))
        assert "factors.safetensors" in caught.value.where
        assert "delete that file" in caught.value.remedy


def test_the_key_follows_the_factors(mix: Path, exported, tmp_path: Path) -> None:
    folder = exported()
    key = run_on(folder, mix, tmp_path).key
    factors = load_file(folder / "train3d" / "factors.safetensors")
    save_file({name: value + 1 for name, value in factors.items()}, folder / "train3d" / "factors.safetensors")
    assert run_on(folder, mix, tmp_path).key != key
