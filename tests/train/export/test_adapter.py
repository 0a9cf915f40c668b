"""The low-rank updates alone: the real peft loads them onto the backbone, and the vectors are those of the export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer, Qwen3Config

from open_ml_embed.core.errors import SettingsError
from tests.support.encoders import write_encoder
from tests.support.synthetic import params_for, write_params
from train.config_file import load_settings
from train.loop.fit import fit
from train.loop.run import Run

peft = pytest.importorskip("peft", reason="peft is optional")
TEXTS = ["kabel lodun", "", "a text far longer than the model takes " * 8, "mifir TEBIM"]


def qwen(folder: Path, fitted: Path) -> Path:
    tokenizer = AutoTokenizer.from_pretrained(fitted)
    config = Qwen3Config(vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=2,
                         head_dim=8, num_attention_heads=2, num_key_value_heads=1)  # fmt: skip
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")  # peft asks for it
@pytest.mark.parametrize(
    ("kind", "lora", "ranks"),
    [
        ("qwen3", {"rank": 2}, [4, 8]),
        ("qwen3", {"rank": 2, "dora": True}, [4, 8]),
        ("qwen3", {"rank": 2, "alpha": 3, "embedding": False}, []),
        ("bert", {"rank": 2, "dora": True, "embedding": False}, []),
        ("modernbert", {"rank": 2}, [4, 8]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_peft_loads_it_onto_the_backbone(kind: str, lora: dict, ranks: list, mix: Path, fitted: Path, tmp_path) -> None:
    base = qwen(tmp_path / "base", fitted) if kind == "qwen3" else write_encoder(tmp_path / "base", kind)
    section = params_for(
        mix, backbone={"kind": "pretrained", "path": str(base)}, lora=lora, ranks=ranks, pooling="mean"
    )
    section["stages"] = [section["stages"][0] | {"steps": 6, "learning_rate": 0.02, "warmup_steps": 1}]
    settings = load_settings(write_params(tmp_path / "params.yaml", section), None)[1]
    out = tmp_path / "model"
    fit(Run(settings, tmp_path / "work"), out, resume=True, say=print)
    wanted = torch.from_numpy(SentenceTransformer(str(out), device="cpu").encode(TEXTS, show_progress_bar=False))

    plain = AutoModel.from_pretrained(base).eval()
    fed = AutoTokenizer.from_pretrained(out)(TEXTS, padding=True, truncation=True, return_tensors="pt")

    @torch.no_grad()
    def vectors(model) -> torch.Tensor:
        states, mask = model(**fed).last_hidden_state, fed["attention_mask"][..., None]
        return torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=1)

    before = vectors(plain)
    adapted = peft.PeftModel.from_pretrained(plain, str(out / "adapter")).eval()
    torch.testing.assert_close(vectors(adapted), wanted, rtol=0, atol=1e-5)
    assert (before - wanted).abs().max() > 1e-3, "training has moved the vectors"
    torch.testing.assert_close(vectors(adapted.merge_and_unload()), wanted, rtol=0, atol=1e-5)
    with safe_open(out / "adapter" / "adapter_model.safetensors", "pt") as file:
        names = list(file.keys())
    assert any("embed" in name for name in names) == lora.get("embedding", True)
    assert any("magnitude" in name for name in names) == lora.get("dora", False)
    config = json.loads((out / "adapter" / "adapter_config.json").read_text("utf-8"))
    assert (config["r"], config["use_dora"]) == (2, lora.get("dora", False))
    assert str(tmp_path) not in json.dumps(config)


def test_a_run_without_updates_leaves_no_adapter(fitted: Path) -> None:
    assert not (fitted / "adapter").exists()


def test_ranks_that_nobody_trains_are_refused(mix: Path, tmp_path: Path) -> None:
    section = params_for(mix, lora={"embedding": False})
    with pytest.raises(SettingsError, match="needs a plain token embedding"):
        load_settings(write_params(tmp_path / "params.yaml", section), None)
