"""Reads files with NeMo Automodel's retrieval data set and trains two steps of its recipe: `JOB.json RESULT.json`."""

import json
import sys
from pathlib import Path

import tiny
import torch
from nemo_automodel._transformers.retrieval import BiEncoderModel
from nemo_automodel.components.config.loader import ConfigNode
from nemo_automodel.components.datasets.llm.retrieval_dataset import load_datasets, make_retrieval_dataset
from nemo_automodel.recipes.retrieval import TrainBiEncoderRecipe

PASSAGES = 3


def config(job, folder):
    """Return what a configuration file of the recipe says."""
    parts = "nemo_automodel.components.datasets.llm"
    return {
        "seed": 1,
        "step_scheduler": {"global_batch_size": 4, "local_batch_size": 4, "max_steps": 2, "num_epochs": 1,
                           "ckpt_every_steps": 100, "val_every_steps": 100},
        "dist_env": {"backend": "gloo", "timeout_minutes": 1},
        "model": {"_target_": encoder, "pretrained_model_name_or_path": f"{folder}/model"},
        "tokenizer": {"_target_": "transformers.AutoTokenizer.from_pretrained",
                      "pretrained_model_name_or_path": f"{folder}/model"},
        "dataset": {"_target_": f"{parts}.retrieval_dataset.make_retrieval_dataset", "model_type": "bi_encoder",
                    "data_dir_list": job["files"], "data_type": "train", "n_passages": PASSAGES},
        "dataloader": {"collate_fn": {"_target_": f"{parts}.retrieval_collator.BiEncoderCollator", "q_max_len": 64,
                                      "p_max_len": 64}, "shuffle": True},
        "optimizer": {"_target_": "torch.optim.AdamW", "lr": 1e-2},
        "checkpoint": {"enabled": False, "checkpoint_dir": f"{folder}/trained"},
        "distributed": {"strategy": "ddp"},
    }  # fmt: skip


def encoder(pretrained_model_name_or_path, **_):
    """Return its model, on the CPU: its `NeMoAutoModelBiEncoder` puts the same one on a GPU, or stops without one."""
    return BiEncoderModel.build(pretrained_model_name_or_path, pooling="avg", l2_normalize=True, dtype=torch.float32)


def trained(job, folder):
    """Train, and return what a test wants to know of it."""
    # The recipe resets a counter of the GPU's memory: without a GPU, that one call has nothing to reset.
    if not torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats = lambda: None
    recipe = TrainBiEncoderRecipe(ConfigNode(config(job, folder)))
    recipe.setup()
    (model,) = recipe.model_parts
    before = tiny.fingerprint(model)
    recipe.run_train_validation_loop()
    lines = [json.loads(line) for line in (folder / "trained/training.jsonl").read_text("utf-8").splitlines()]
    return {"steps": len(lines), "losses": tiny.losses(lines), "moved": tiny.fingerprint(model) != before}


def main(job, folder):
    """Do the job."""
    tokens = tiny.tokenizer(job["texts"], folder / "model")
    tiny.model("llama", tokens, folder / "model", num_key_value_heads=1)
    rows, corpora = load_datasets(job["files"])
    samples = make_retrieval_dataset(data_dir_list=job["files"], n_passages=PASSAGES)
    return {
        "rows": rows.to_list(),
        "corpora": {name: {n: c.get_document_by_id(n)["text"] for n in c.get_all_ids()} for name, c in corpora.items()},
        "samples": [[sample["question"], *sample["doc_text"]] for sample in samples],
        "trained": trained(job, folder),
    }


if __name__ == "__main__":
    result = main(json.loads(Path(sys.argv[1]).read_text("utf-8")), Path(sys.argv[2]).parent)
    Path(sys.argv[2]).write_text(json.dumps(result), "utf-8")
