"""Mean and first-token pooling: the states, the exports, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer, EuroBertConfig

from open_ml_embed.core.errors import SettingsError
from tests.support import reference
from tests.support.synthetic import params_for, write_params
from tests.support.tiny_models import ARCHITECTURES, embedder, texts
from tests.train.export.test_export import segments_of
from train.config_file import load_settings
from train.data.tokenizer import encoder_of
from train.export.export import Cut, export
from train.export.onnx import write_onnx
from train.loop.fit import fit
from train.loop.loop import Trainer
from train.loop.run import Run, Shape, load
from train.model.embedder import Embedder
from train.model.embedding import nest

SEGMENTS = texts([5, 1, 17, 3, 3, 9])
WORDS = ["kabel lodun", "", "a text far longer than the model takes " * 8, "mifir"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("pooling", ["last", "mean", "cls"])
def test_states_are_pooled_as_one_text_at_a_time(architecture: str, pooling: str) -> None:
    model = embedder(architecture, chunk_tokens=9)
    model.pooling = pooling
    plain, parameters = reference.plain_backbone(model)
    plain.norm = torch.nn.Identity()
    del parameters["norm.weight"]
    found = model(SEGMENTS)
    for i, ids in enumerate(reference.split(SEGMENTS)):
        arguments = {"input_ids": torch.from_numpy(ids.astype(np.int64))[None], "output_hidden_states": True}
        output = torch.func.functional_call(plain, parameters, kwargs=arguments)
        for at, layer in enumerate(model.layers):
            states = model.norm(output.hidden_states[layer][0])
            wanted = {"last": states[-1], "mean": states.mean(0), "cls": states[0]}[pooling]
            torch.testing.assert_close(found[at, i], wanted, rtol=1e-6, atol=1e-6)


def test_every_token_of_a_mean_gets_a_gradient() -> None:
    model = embedder("eurobert")
    for pooling, all_tokens in (("mean", True), ("cls", False)):
        model.pooling = pooling
        model.zero_grad()
        model(SEGMENTS)[0, 0].sum().backward()  # one layer of attention lets every token reach the first
        assert bool(model.embedding.left.grad[SEGMENTS.ids[:5]].abs().sum(1).gt(0).all()), (pooling, all_tokens)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.filterwarnings("ignore")
def test_exports_pool_alike(run: Run, tmp_path: Path, pooling: str) -> None:
    config = EuroBertConfig(vocab_size=len(run.tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=2,
                            num_attention_heads=2, num_key_value_heads=1, head_dim=8, pad_token_id=0)  # fmt: skip
    backbone = nest(AutoModel.from_config(config).eval(), [4, 8])
    model = Embedder(backbone, layers=[1, 2], chunk_tokens=64, pooling=pooling).eval()
    shape = Shape((1, 2), (8, 16), (4, 8))
    export(model, run.tokenizer, tmp_path, cut=Cut(2, 16, 8), shape=shape, prompts={}, instructed=False)
    encoder = encoder_of(run.tokenizer, max_length=24)
    with torch.no_grad():
        states = model(segments_of([encoder.encode(text).ids for text in WORDS]))[-1]
    wanted = torch.nn.functional.normalize(states, dim=1)
    found = SentenceTransformer(str(tmp_path), device="cpu").encode(WORDS, show_progress_bar=False)
    torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=0, atol=1e-5)
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX is optional")
    pytest.importorskip("onnxscript", reason="ONNX is optional")
    session = onnxruntime.InferenceSession(str(write_onnx(tmp_path, dim=16, pooling=pooling)))
    fed = AutoTokenizer.from_pretrained(tmp_path)(WORDS, padding=True, truncation=True, return_tensors="np")
    fed = {name: fed[name].astype("int64") for name in ("input_ids", "attention_mask")}
    (vectors,) = session.run(["sentence_embedding"], fed)
    torch.testing.assert_close(torch.from_numpy(vectors), wanted, rtol=0, atol=1e-5)


def test_a_run_pools_as_its_settings_say(mix: Path, tmp_path: Path) -> None:
    section = params_for(mix, pooling="mean")
    section["stages"] = [section["stages"][0] | {"steps": 4}]
    settings = load_settings(write_params(tmp_path / "params.yaml", section), None)[1]
    run = Run(settings, tmp_path / "work")
    fit(run, tmp_path / "model", resume=True, say=print)
    pooled = json.loads((tmp_path / "model" / "1_Pooling" / "config.json").read_text("utf-8"))
    assert pooled["pooling_mode_mean_tokens"] is True
    assert pooled["pooling_mode_lasttoken"] is False
    assert "mean of all tokens" in (tmp_path / "model" / "README.md").read_text("utf-8")
    model = load(tmp_path / "model", settings)[0]
    encoder = encoder_of(run.tokenizer, max_length=24)
    with torch.no_grad():
        wanted = torch.nn.functional.normalize(
            model(segments_of([encoder.encode(text).ids for text in WORDS]))[-1], dim=1
        )
    found = SentenceTransformer(str(tmp_path / "model"), device="cpu").encode(WORDS, show_progress_bar=False)
    torch.testing.assert_close(torch.from_numpy(found), wanted, rtol=0, atol=1e-5)


def test_the_first_token_of_a_causal_model_is_refused(mix: Path, tmp_path: Path) -> None:
    section = params_for(mix, pooling="cls")
    settings = load_settings(write_params(tmp_path / "params.yaml", section), None)[1]
    with pytest.raises(SettingsError, match="in a causal backbone it sees no other") as caught:
        Trainer(Run(settings, tmp_path / "work"))
    assert "mean or last" in caught.value.remedy


def test_a_tokenizer_without_a_first_token_is_refused(fitted: Path, mix: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(fitted)
    config = EuroBertConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=24, num_hidden_layers=3,
                            num_attention_heads=2, num_key_value_heads=1, head_dim=16, pad_token_id=0)  # fmt: skip
    AutoModel.from_config(config).save_pretrained(tmp_path / "b")
    tokenizer.save_pretrained(tmp_path / "b")
    section = params_for(mix, pooling="cls", backbone={"kind": "pretrained", "path": str(tmp_path / "b")})
    settings = load_settings(write_params(tmp_path / "params.yaml", section), None)[1]
    with pytest.raises(SettingsError, match="begins texts with no such token"):
        Trainer(Run(settings, tmp_path / "work"))
