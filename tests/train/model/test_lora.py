from __future__ import annotations

import sys

import pytest
import torch

from open_ml_embed.core.errors import SettingsError
from tests.support.tiny_models import ARCHITECTURES, batch_of, embedder, form_of, gradients, texts
from train.config import Lora
from train.distributed.parallel import Group, spread
from train.loop.step import backward
from train.model.embedder import Embedder
from train.model.lora import add_lora, folded_state


def adapted(architecture: str = "qwen3", **settings: float) -> Embedder:
    pytest.importorskip("peft", reason="peft is optional")
    model = embedder(architecture)
    torch.manual_seed(0)
    add_lora(model, Lora.model_validate({"rank": 2, **settings}))
    return model


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(SettingsError, match="peft"):
        add_lora(embedder(), Lora())


def test_a_model_without_additions_is_its_own_state() -> None:
    model = embedder()
    state = model.state_dict()
    assert folded_state(model).keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in folded_state(model).items())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_additions_and_embedding_train_and_fold_into_a_plain_model(architecture: str) -> None:
    model, plain, segments = adapted(architecture), embedder(architecture), texts([4, 4, 9])
    torch.testing.assert_close(model(segments), plain(segments))
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert all("lora" in name or "embed_tokens" in name for name in trained)
    assert sum("lora_B" in name for name in trained) == 3 * 7
    assert sum("embed_tokens" in name for name in trained) == 2
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in trained:
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
    plain.load_state_dict(folded_state(model))
    torch.testing.assert_close(model(segments), plain(segments))
    assert not torch.allclose(model(segments), embedder(architecture)(segments))


def test_cached_gradients_of_additions_with_dropout_are_those_of_a_whole_step() -> None:
    found = []
    model, batch = adapted(dropout=0.4), batch_of()
    model.chunk_tokens = 20
    for tokens in (0, 1 << 40):
        torch.manual_seed(3)
        backward(spread(model, Group()), batch, form_of(model), whole_tokens=tokens)
        found.append(gradients(model))
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][name], gradient) for name, gradient in found[1].items())


@pytest.mark.parametrize("architecture", [*ARCHITECTURES, "bert"])
def test_rows_of_dora_fold_into_a_plain_model(architecture: str) -> None:
    model, plain, segments = adapted(architecture, dora=True), embedder(architecture), texts([4, 4, 9])
    torch.testing.assert_close(model(segments), plain(segments))
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert any("magnitude" in name for name in trained)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in trained:
                parameter.add_(torch.rand_like(parameter), alpha=0.1)
    plain.load_state_dict(folded_state(model))
    torch.testing.assert_close(model(segments), plain(segments))
    assert not torch.allclose(model(segments), embedder(architecture)(segments))
