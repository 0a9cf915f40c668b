"""Reads folders with FlagEmbedding's data sets and trains two steps with its runner: `JOB.json RESULT.json`."""

import json
import sys
from pathlib import Path

import tiny
from FlagEmbedding.finetune.embedder.encoder_only.base import (
    EncoderOnlyEmbedderDataArguments,
    EncoderOnlyEmbedderModelArguments,
    EncoderOnlyEmbedderRunner,
    EncoderOnlyEmbedderTrainingArguments,
)
from transformers import HfArgumentParser


def runner(job, folder, *, by_folder):
    """Return a runner as its command line makes it."""
    parser = HfArgumentParser(
        (EncoderOnlyEmbedderModelArguments, EncoderOnlyEmbedderDataArguments, EncoderOnlyEmbedderTrainingArguments)
    )
    model, data, training = parser.parse_args_into_dataclasses(
        [
            "--model_name_or_path", f"{folder}/model", "--train_data", *job["folders"],
            "--cache_path", f"{folder}/cache", "--query_max_len", "64", "--passage_max_len", "64",
            "--train_group_size", "3",
            "--query_instruction_for_retrieval", "unused", "--query_instruction_format", job["format"],
            "--same_dataset_within_batch", str(by_folder), "--output_dir", f"{folder}/trained-{by_folder}",
            "--max_steps", "2", "--per_device_train_batch_size", "4", "--learning_rate", "1e-2", "--logging_steps", "1",
            "--save_strategy", "no", "--report_to", "none", "--use_cpu", "True", "--dataloader_num_workers", "0",
        ]
    )  # fmt: skip
    return EncoderOnlyEmbedderRunner(model_args=model, data_args=data, training_args=training)


def trained(made):
    """Train, and return what a test wants to know of it."""
    before = tiny.fingerprint(made.model)
    made.run()
    losses, state = tiny.losses(made.trainer.state.log_history), made.trainer.state
    return {"steps": state.global_step, "losses": losses, "moved": tiny.fingerprint(made.model) != before}


def main(job, folder):
    """Do the job."""
    tokens = tiny.tokenizer(job["texts"], folder / "model")
    tiny.model("bert", tokens, folder / "model")
    mixed, batched = runner(job, folder, by_folder=False), runner(job, folder, by_folder=True)
    rows = mixed.train_dataset
    batches = [batched.train_dataset[k] for k in range(len(batched.train_dataset))]
    batched.train_dataset.refresh_epoch()
    return {
        "rows": rows.dataset.to_list(),
        "samples": [rows[k][:2] for k in range(len(rows))],
        "batches": [{"queries": q, "passages": p, "alone": bool(alone)} for q, p, _, alone in batches],
        "trained": {"mixed": trained(mixed), "batched": trained(batched)},
    }


if __name__ == "__main__":
    result = main(json.loads(Path(sys.argv[1]).read_text("utf-8")), Path(sys.argv[2]).parent)
    Path(sys.argv[2]).write_text(json.dumps(result), "utf-8")
