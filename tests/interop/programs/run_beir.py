"""Reads a folder with BEIR's loader, evaluates and trains two steps with what BEIR has: `JOB.json RESULT.json`."""

import json
import math
import sys
from pathlib import Path

import tiny
from beir.datasets.data_loader import GenericDataLoader
from beir.retrieval.evaluation import EvaluateRetrieval
from beir.retrieval.models import SentenceBERT
from beir.retrieval.search.dense import DenseRetrievalExactSearch
from beir.retrieval.train import TrainRetriever
from sentence_transformers import SentenceTransformer, losses


def trained(corpus, queries, judged, folder):
    """Train, and return what a test wants to know of it."""

    class Loss(losses.MultipleNegativesRankingLoss):
        """The loss that BEIR's examples train with; it keeps its values."""

        seen = []

        def forward(self, *args, **kwargs):
            value = super().forward(*args, **kwargs)
            self.seen.append(float(value))
            assert math.isfinite(self.seen[-1])
            return value

    model = SentenceTransformer(str(folder / "model"), device="cpu")
    before = tiny.fingerprint(model)
    retriever = TrainRetriever(model=model, batch_size=4)
    pairs = retriever.load_train(corpus, queries, judged)
    loader, loss = retriever.prepare_train(pairs), Loss(model=model)
    retriever.fit(
        train_objectives=[(loader, loss)], epochs=1, steps_per_epoch=2, warmup_steps=0,
        output_path=str(folder / "trained"), evaluator=retriever.load_dummy_evaluator(), optimizer_params={"lr": 1e-2},
    )  # fmt: skip
    moved = tiny.fingerprint(model) != before
    return {
        "pairs": [pair.texts for pair in pairs],
        "steps": len(loss.seen),
        "losses": loss.seen,
        "moved": moved,
    }


def main(job, folder):
    """Do the job."""
    corpus, queries, judged = GenericDataLoader(job["folder"]).load(split="test")
    tokens = tiny.tokenizer(job["texts"], folder / "model")
    tiny.model("bert", tokens, folder / "model")
    search = EvaluateRetrieval(
        DenseRetrievalExactSearch(SentenceBERT(str(folder / "model")), batch_size=16), score_function="cos_sim"
    )
    found = search.retrieve(corpus, queries)
    ndcg, _, recall, _ = search.evaluate(judged, found, [1, 1000])
    return {
        "corpus": corpus,
        "queries": queries,
        "judged": judged,
        "scores": {**ndcg, **recall},
        "trained": trained(corpus, queries, judged, folder),
    }


if __name__ == "__main__":
    result = main(json.loads(Path(sys.argv[1]).read_text("utf-8")), Path(sys.argv[2]).parent)
    Path(sys.argv[2]).write_text(json.dumps(result), "utf-8")
