"""Effect of nested training: plain and nested models, cut in embedding rank, depth, and dimensions.

    .venv/bin/python -m benchmarks.train_effects --docs         # all seeds; writes tables and pictures to docs/
    .venv/bin/python -m benchmarks.train_effects --smoke        # two minutes: runs everything with too few steps

The kinds of models differ only in what is nested: nothing (plain), layers (MLL), dimensions (MRL), or both and the
ranks of the token embedding (3D). Ranks alone are nested as in the paper, in a model that is already trained: the plain
model is trained further for as many steps, unchanged (plain, on) or with a nested embedding (MEL). Each model is then
cut: its token embedding to smaller ranks (of a plain model by SVD), its depth, and its vectors. The metric is nDCG@10
of held-out queries of the sample's retrieval mix (made by `python3 tasks.py demo`; without it, of a generated language
of word-for-word ciphers). Finished trainings are kept below `--work`, and interrupted ones are resumed.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "out" / "sample" / "mixes" / "retrieval"
DOCS = ROOT / "docs"
KINDS = {"plain": (), "MLL": ("layers",), "MRL": ("dims",), "3D": ("ranks", "layers", "dims")}
TRAINED_ON = {"plain, on": (), "MEL": ("ranks",)}
LAYERS, DIMS, RANKS = (1, 2, 4), (8, 16, 32, 64, 128), (8, 16, 32, 64, 128)
AXES = {"rank": RANKS, "layers": LAYERS, "dim": DIMS}
COMPARED = {"rank": ("plain, on", "MEL"), "layers": ("plain", "MLL", "3D"), "dim": ("plain", "MRL", "3D")}
COLOURS = ("tab:gray", "tab:blue", "tab:orange")
TITLES = {"rank": "rank of the token embedding", "layers": "layers", "dim": "dimensions"}
SEEDS = (0, 1, 2)
METRIC = "ndcg@10"


def settings_of(kind: str, seed: int, mix: Path, work: Path, *, smoke: bool) -> Any:
    """Return the training settings of one kind of model."""
    from train.config import TrainSettings

    nested = (KINDS | TRAINED_ON)[kind]
    new = {"kind": "random-qwen3", "vocab_size": 8192, "hidden_size": DIMS[-1], "layers": LAYERS[-1], "heads": 2,
           "kv_heads": 1, "head_dim": 64, "intermediate_size": 256}  # fmt: skip
    trained = {"kind": "pretrained", "path": str(work / f"plain-{seed}")}
    stage = {"name": "effects", "mix": str(mix), "steps": 6 if smoke else 200, "batch_size": 32 if smoke else 96}
    return TrainSettings.model_validate(
        {
            "backbone": trained if kind in TRAINED_ON else new,
            "max_length": 48, "threads": 1, "seed": seed, "checkpoint_every": 100,
            "ranks": RANKS if "ranks" in nested else [],
            "objective": {"layers": LAYERS if "layers" in nested else [], "dims": DIMS if "dims" in nested else []},
            "optimizer": {"embedding_rate": 12},
            "stages": [stage | {"learning_rate": 3e-4, "warmup_steps": 30, "negatives": {"retrieval": 2}}],
            "evaluation": {"mix": str(mix), "queries": 100 if smoke else 1000},
        }
    )  # fmt: skip


def run_one(kind: str, seed: int, mix: Path, work: Path, *, smoke: bool) -> dict[str, Any]:
    """Train a model, cut it along every axis, and return its scores by axis and size."""
    import torch

    from open_ml_embed.factorized.embedding import FactorizedEmbedding
    from train.evaluation.evaluate import cells
    from train.evaluation.retrieval_metrics import make_pool, metrics
    from train.export.export import choose, export
    from train.loop.loop import Trainer
    from train.loop.run import Run, Shape
    from train.model.embedding import PlainEmbedding

    settings = settings_of(kind, seed, mix, work, smoke=smoke)
    trainer = Trainer(Run(settings, work))
    began = time.perf_counter()
    for _ in trainer.steps():
        pass
    seconds = time.perf_counter() - began
    model = trainer.model.eval()
    if kind == "plain":
        tokenizer, folder = trainer.run.tokenizer, work / f"plain-{seed}"
        export(model, tokenizer, folder, cut=choose(trainer.shape), shape=trainer.shape, prompts={}, instructed=False)
    if isinstance(model.embedding, PlainEmbedding):
        # Factors of the whole table by SVD: the first r columns are the best approximation of rank r.
        table = model.embedding.weight.detach()
        model.backbone.set_input_embeddings(FactorizedEmbedding.from_weight(table, table.shape[1]))
    model.layers = LAYERS
    store = trainer.stages[0].store
    pool = make_pool(store, **settings.evaluation.model_dump(exclude={"mix"}))
    found = {
        (layers, dim, rank): metrics(places)[METRIC]
        for layers, dim, rank, places in cells(model, Shape(LAYERS, DIMS, RANKS), store, pool)
    }
    full = (LAYERS[-1], DIMS[-1], RANKS[-1])
    order = ("layers", "dim", "rank")
    scores = {
        axis: {
            size: found[tuple(size if name == axis else whole for name, whole in zip(order, full, strict=True))]
            for size in AXES[axis]
        }
        for axis in AXES
    }
    assert torch.isfinite(model.embedding.left).all()
    return {"kind": kind, "seed": seed, "seconds": seconds, "queries": len(pool.queries),
            "documents": len(pool.documents), "full": found[full], "scores": scores}  # fmt: skip


def made_up(root: Path) -> Path:
    """Write a mix whose documents are ciphers of their queries, for machines without the sample build."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if root.is_dir():
        return root
    rng = random.Random(0)
    words = [a + b + c for a in "kltmnprs" for b in "aeiou" for c in ("bel", "dun", "fir", "gom", "hat", "lin")]
    cipher = dict(zip(words, rng.sample([w[::-1] for w in words], len(words)), strict=True))
    texts = [rng.sample(words, rng.randint(2, 6)) for _ in range(12_000)]
    rows = [
        {"source": "cipher", "subset": "all", "family": "retrieval", "query": " ".join(text), "query_cluster": i,
         "positive_id": i, "negative_ids": rng.sample(range(len(texts)), 4)}
        for i, text in enumerate(texts)
    ]  # fmt: skip
    documents = [{"document_id": i, "text": " ".join(cipher[w] for w in t), "cluster": i} for i, t in enumerate(texts)]
    for folder in ("samples", "documents"):
        (root / folder).mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows[1000:]), root / "samples" / "train-00000.parquet")
    pq.write_table(pa.Table.from_pylist(rows[:1000]), root / "samples" / "validation-00000.parquet")
    pq.write_table(pa.Table.from_pylist(documents), root / "documents" / "documents-00000.parquet")
    return root


def means(results: list[dict[str, Any]], kind: str, axis: str) -> dict[int, tuple[float, float, float]]:
    """Return size → (mean, minimum, maximum) over the seeds."""
    own = [result["scores"][axis] for result in results if result["kind"] == kind]
    by_size = {int(size): [scores[size] for scores in own] for size in own[0]}
    return {size: (float(np.mean(v)), min(v), max(v)) for size, v in by_size.items()}


def tables(results: list[dict[str, Any]]) -> Iterator[str]:
    """Yield one Markdown table per axis."""
    seeds = len({result["seed"] for result in results})
    for axis, sizes in AXES.items():
        yield f"| {TITLES[axis]} | {' | '.join(map(str, sizes))} |\n| --- |{' --- |' * len(sizes)}"
        for kind in COMPARED[axis]:
            cells = [
                f"{mean:.3f} ± {(most - least) / 2:.3f}"
                for mean, least, most in (means(results, kind, axis)[size] for size in sizes)
            ]
            label = {"plain, on": "plain, trained on, cut by SVD", "MEL": "MEL, trained on"}.get(kind, kind)
            yield f"| {label} | {' | '.join(cells)} |"
        yield ""
    first = results[0]
    yield (
        f"nDCG@10, mean and half the range of {seeds} seeds; {first['queries']:,} held-out queries in "
        f"{first['documents']:,} documents."
    )


def draw(results: list[dict[str, Any]], path: Path) -> None:
    """Plot the three axes side by side."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "effects", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(9.6, 3.0), layout="constrained")
        for plot, (axis, sizes) in zip(figure.subplots(1, 3, sharey=True), AXES.items(), strict=True):
            for kind, color in zip(COMPARED[axis], COLOURS, strict=False):
                values = np.array([means(results, kind, axis)[size] for size in sizes])
                plot.fill_between(range(len(sizes)), values[:, 1], values[:, 2], color=color, alpha=0.2, linewidth=0)
                plot.plot(range(len(sizes)), values[:, 0], "o-", color=color, markersize=3, label=kind)
            plot.set_xticks(range(len(sizes)), [str(size) for size in sizes])
            plot.set_xlabel(TITLES[axis])
            plot.set_ylim(bottom=0)
            plot.grid(axis="y", alpha=0.3)
            plot.legend(frameon=False)
        figure.get_axes()[0].set_ylabel("nDCG@10")
        figure.savefig(path, metadata={"Date": None})


def check(results: list[dict[str, Any]]) -> None:
    """Assert that the effects have the same direction as the published ones."""
    for axis, (plain, nested, *_) in COMPARED.items():
        smallest = AXES[axis][0]
        cut, own = (means(results, kind, axis)[smallest][0] for kind in (plain, nested))
        assert own > 1.2 * cut, f"{nested} should beat a plain model cut to {smallest} {axis}"


def write_docs(results: list[dict[str, Any]]) -> None:
    """Write the tables between the marks in docs/training.md, and the picture beside that file."""
    draw(results, DOCS / "training-effects.svg")
    page = DOCS / "training.md"
    before, _, rest = page.read_text("utf-8").partition("<!-- effects -->\n")
    after = rest.partition("<!-- /effects -->\n")[2]
    text = "\n".join(tables(results))
    page.write_text(f"{before}<!-- effects -->\n{text}\n<!-- /effects -->\n{after}", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=ROOT / "work" / "effects")
    parser.add_argument("--processes", type=int, default=2, help="runs at once, one thread each")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--docs", action="store_true", help="write tables and picture into docs/")
    parser.add_argument("--one", nargs=3, metavar=("KIND", "SEED", "MIX"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    work = options.work / "smoke" if options.smoke else options.work
    if options.one:
        kind, seed, mix = options.one
        print(json.dumps(run_one(kind, int(seed), Path(mix), work, smoke=options.smoke)))
        return
    mix = SAMPLE if SAMPLE.is_dir() and not options.smoke else made_up(options.work / "cipher")
    seeds = SEEDS[:1] if options.smoke else SEEDS
    jobs = [(kind, seed) for kinds in (KINDS, TRAINED_ON) for seed in seeds for kind in kinds]

    def child(job: tuple[str, int]) -> dict[str, Any]:
        command = [
            sys.executable,
            "-m",
            "benchmarks.train_effects",
            "--work",
            str(options.work),
            "--one",
            job[0],
            str(job[1]),
            str(mix),
        ]
        command += ["--smoke"] if options.smoke else []
        said = subprocess.run(command, capture_output=True, text=True, check=False)
        if said.returncode:
            raise SystemExit(said.stderr)
        result: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
        print(f"{job[0]} seed {job[1]}: nDCG@10 {result['full']:.3f} whole, {result['seconds']:.0f} s", flush=True)
        return result

    first = child(jobs[0])  # alone: it makes tokenizer and token ids for all
    with ThreadPoolExecutor(options.processes) as pool:
        results = [first, *pool.map(child, jobs[1:])]
    print("\n".join(tables(results)))
    if not options.smoke:
        check(results)
    if options.docs:
        write_docs(results)


if __name__ == "__main__":
    main()
