"""Reads files with ms-swift's loader and template and trains two steps of `swift sft`: `JOB.json RESULT.json`."""

import json
import sys
from pathlib import Path

import tiny
from swift.pipelines import SwiftSft


def main(job, folder):
    """Do the job."""
    tokens = tiny.tokenizer(job["texts"], folder / "model", template="$0")
    tiny.model("qwen3", tokens, folder / "model", head=True, num_key_value_heads=1, head_dim=16)
    made = SwiftSft(
        [
            "--model", f"{folder}/model", "--model_type", "qwen3_emb", "--task_type", "embedding",
            "--loss_type", "infonce", "--tuner_type", "full", "--dataset", *job["files"], "--split_dataset_ratio", "0",
            "--max_length", "512",
            "--output_dir", f"{folder}/trained", "--max_steps", "2", "--per_device_train_batch_size", "4",
            "--learning_rate", "1e-2", "--logging_steps", "1", "--save_strategy", "no", "--report_to", "none",
            "--torch_dtype", "float32", "--use_cpu", "true", "--use_hf", "true", "--gradient_checkpointing", "false",
            "--gradient_accumulation_steps", "1", "--dataloader_num_workers", "0", "--dataset_num_proc", "1",
            "--attn_impl", "sdpa", "--lazy_tokenize", "false",
        ]
    )  # fmt: skip
    loaded, _ = made.args.load_dataset()
    rows = [loaded[k] for k in range(len(loaded))]
    before = tiny.fingerprint(made.model)
    done = made.run()
    return {
        "rows": rows,
        "samples": [texts(made.template.encode(row), made.template.tokenizer) for row in rows],
        "trained": {
            "steps": done["global_step"],
            "losses": tiny.losses(done["log_history"]),
            "moved": tiny.fingerprint(made.model) != before,
        },
    }


def texts(encoded, tokens):
    """Return what the model reads of a sample: the query, the positive and the negatives, as text."""
    ids = [encoded["anchor_input_ids"], encoded["positive_input_ids"], *encoded.get("negative_input_ids", [])]
    return [tokens.decode(line) for line in ids]


if __name__ == "__main__":
    result = main(json.loads(Path(sys.argv[1]).read_text("utf-8")), Path(sys.argv[2]).parent)
    Path(sys.argv[2]).write_text(json.dumps(result), "utf-8")
