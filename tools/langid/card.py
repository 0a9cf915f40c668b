"""Model card of the bundled identifier: training data, coverage of languages, and accuracy by language."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import polars as pl
import pyarrow as pa

from curation.langid.codes import POLICIES, corpus_languages, fold
from curation.langid.confidence import LEAST, SHORT
from curation.langid.evaluation import Evaluation, score
from curation.langid.interface import answer
from curation.langid.model import PRIOR, Bundled, Weights
from curation.langid.scripts import COMPACT, FOREIGN, LATIN_WEIGHT, SHARE
from tools.langid.calibrate import Answers, cut, evaluate, report
from tools.langid.run import FEWEST, PRECISION, Collected, balanced
from tools.langid.train import Recipe

_DECIDED = f"""\
Code and script are decided together, so that there are no tags such as `rus-Latn`:

1. The letters of a text are counted by script (`curation/langid/scripts.py`). In a text of several scripts a Latin
   letter counts as {LATIN_WEIGHT} of another, as Latin names in other scripts are commoner than the reverse. Scripts
   that cover {SHARE:.0%} of what the best one covers may be the text's; Han may be Chinese or Japanese, Han with kana
   is Japanese, with hangul Korean. Where more than {FOREIGN:.0%} of the letters are of other scripts, these are left
   out.
2. The likeliest label in one of these scripts is the answer, and the label's script is the tag's (`Hans` and `Hant` are
   answered as `Hani`). A text in a script that no label has gets `und` and its own script.
3. Backends whose labels have no script (lid.176, CLD2, heliport) are asked for several answers. The first counts whose
   language is written in a script of the text, by `curation/langid/data/written_in.tsv`.
4. A text of fewer than {SHORT} letters (a character of Han, kana or hangul counts for {COMPACT}) says too little by
   itself. The bundled model adds what share of the published corpus a language has, with a weight of
   {PRIOR:g} × (1 / letters − 1 / {SHORT}); and every backend's answer is withheld (`und`) where its confidence is below
   {LEAST}. No text so short overrules what its source declares (`languages.trust`).
"""
_CONFIDENCE = """\
A confidence is how often such an answer is right, if all languages of the corpus are equally frequent: 0.8 is right
four times of five. It is made of the model's score and the number of letters (`curation/langid/confidence.py`), never
falls where either rises, and is never above the score. Its coefficients are measured by `python -m tools.langid
calibrate` on texts cut to 1, 2, 3, 5 and 8 words (or characters, where a script has no spaces) and whole ones, for each
backend and each group of scripts; those of the bundled model on UDHR, MediaWiki and package descriptions, each answered
by a model that had no text of it. So it is lower than the share that is right in the held-out texts below, which are of
kinds that this model has learnt from. The fastText coefficients were measured with lid.176, and are used for every
fastText model.
"""
EACH = 100
"""Most held-out texts of a label in a domain."""


def held_out(data: Collected, labels: tuple[str, ...] | None = None) -> dict[str, pl.DataFrame]:
    """Return the test texts of each domain, at most `EACH` of each label, in a fixed order."""
    domains = sorted(data.test["domain"].unique())
    known = labels or tuple(sorted(data.test["label"].unique()))
    return {domain: balanced(data.test.filter(pl.col("domain") == domain), known, EACH) for domain in domains}


def scored(model: Bundled, texts: pl.DataFrame) -> Evaluation:
    """Score a model on labeled texts; labels and answers are mapped to the codes of the corpus."""
    answers = answer(model, texts["text"].to_arrow().cast(pa.string()), "corpus")
    return score(
        texts["label"].to_list(),
        answers["code"],
        answers["confidence"].to_numpy(),
        claimed=model.claimed,
        policy="corpus",
    )


def coverage(labels: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the codes among the corpus's 282 that the model can answer exactly, by policy and for any policy."""
    codes = {label.rpartition("-")[0] for label in labels}
    answered: dict[str, set[str]] = {policy: {fold(code, policy) for code in codes} for policy in POLICIES}
    answered["any"] = set().union(*answered.values())
    return {policy: sorted(set(corpus_languages()) & codes) for policy, codes in answered.items()}


def write_card(weights: Weights, data: Collected, recipe: Recipe, sources: Path, docs: Path) -> Path:
    """Write the card and its reliability diagram.

    Args:
        weights: the trained model.
        data: the texts for training and for scoring.
        recipe: of the training.
        sources: path of `sources.tsv` beside the collected texts.
        docs: folder for the card.

    Returns:
        Path of the card.

    """
    model = Bundled.of(weights)
    domains = {name: texts for name, texts in held_out(data, weights.labels).items() if len(texts)}
    scores = {name: scored(model, texts) for name, texts in domains.items()}
    whole = scored(model, pl.concat(domains.values()))
    _diagram(whole, docs / "langid-reliability.svg")
    covered = coverage(weights.labels)
    lacking = sorted(set(corpus_languages()) - set(covered["any"]))
    parts = [
        "# The bundled language identifier\n",
        "A linear model over hashed character n-grams (curation/langid/features.py), "
        f"{len(weights.labels)} labels of language and script, {weights.embedding.nbytes / 1e6:.1f} MB of 8-bit "
        "weights. Made by `python -m tools.langid collect` and `python -m tools.langid train`, this page by "
        "`python -m tools.langid card`.\n",
        "## Recipe\n",
        "\n".join(f"- {name}: {value}" for name, value in asdict(recipe).items()) + "\n",
        "## Texts\n",
        _sources(sources),
        f"{len(data.train):,} texts for training, {len(data.test):,} held out, by document: a message held out in one "
        "language is held out in all.\n",
        "## Coverage of the corpus's 282 codes\n",
        "Strictly: the very code is answered, under the policy named. A macrolanguage and its usual member cannot both "
        "be answered under one policy.\n",
        "\n".join(f"- {policy}: {len(found)}" for policy, found in covered.items()),
        f"\nNot answered under any: {', '.join(lacking) or 'none'}.\n",
        "## Figures, by domain\n",
        f"At most {EACH} held-out texts of each label; training had other texts of the same domains. Out of domain: "
        "`python3 tasks.py bench langid`.\n",
        _domains(scores),
        "## How a text gets its tag\n",
        _DECIDED,
        "## Confidence\n",
        _CONFIDENCE,
        _by_length(domains, model),
        f"Over whole texts the confidence is {whole.calibration_error:.3f} from the share that is right, on average. A "
        "label's threshold is the score of the model, before it is turned into a confidence, from which its answers "
        f"are right {PRECISION:.0%} of the time; labels with fewer than {FEWEST} answers, and those that are right as "
        "often anyway, have 0.\n",
        "![How often answers of each confidence are right](langid-reliability.svg)\n",
        "## Languages\n",
        _languages(whole, weights),
    ]
    path = docs / "langid-model.md"
    path.write_text("\n".join(parts), "utf-8")
    return path


def _by_length(domains: dict[str, pl.DataFrame], model: Bundled) -> str:
    answers = Answers.joined([evaluate(model, cut(texts)) for texts in domains.values()])
    rows = [
        [
            line.letters,
            f"{line.answers:,}",
            *(f"{share:.3f}" for share in (line.right, line.score, line.confidence)),
            f"{line.sure:,}",
            f"{line.sure_wrong:,}",
        ]
        for line in report(answers, model.calibration)
    ]
    return _table(["letters", "answers", "right", "score", "confidence", "0.9 and more", "of these wrong"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _sources(path: Path) -> str:
    listed = pl.read_csv(path, separator="\t", infer_schema=False).with_columns(pl.col("rows").cast(pl.Int64))
    rows = []
    for (domain,), group in listed.group_by("domain", maintain_order=True):
        packages = [f"{p} {v}" for p, v in zip(group["package"], group["version"], strict=True)]
        shown = ", ".join(packages[:4]) + (f" and {len(packages) - 4} more" if len(packages) > 4 else "")
        rows.append([str(domain), shown, ", ".join(sorted(set(group["license"]))), f"{group['rows'].sum():,}"])
    return _table(["domain", "packages", "license", "texts"], rows)


def _domains(scores: dict[str, Evaluation]) -> str:
    rows = []
    for name, result in scores.items():
        for kind in ("corpus", "largest"):
            s = result.sets[kind]
            rows.append([name, kind, str(s.languages), f"{s.texts:,}", f"{s.accuracy:.3f}", f"{s.macro_f1:.3f}"])
    return _table(["domain", "set", "languages", "texts", "accuracy", "macro F1"], rows)


def _languages(whole: Evaluation, weights: Weights) -> str:
    names = corpus_languages()
    thresholds: dict[str, float] = {}
    for label, threshold in zip(weights.labels, weights.threshold.tolist(), strict=True):
        code = fold(label.rpartition("-")[0], "corpus")
        thresholds[code] = max(threshold, thresholds.get(code, 0.0))
    rows = []
    for each in sorted(whole.languages, key=lambda each: each.code):
        if each.code in names and each.texts:
            shares = [f"{share:.3f}" for share in (each.precision, each.recall, each.f1)]
            taken_for = ", ".join(f"{code} {count}" for code, count in each.confused.items())
            limit = f"{thresholds.get(each.code, 0):.2f}"
            rows.append([each.code, names[each.code].name, f"{each.texts:,}", *shares, limit, taken_for])
    return _table(["code", "language", "texts", "precision", "recall", "F1", "threshold", "taken for"], rows)


def _diagram(whole: Evaluation, path: Path) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot()
    filled = [b for b in whole.reliability if b.texts]
    axes.plot([0, 1], [0, 1], color="#9aa4b2", linewidth=1, linestyle="--")
    axes.plot([b.confidence for b in filled], [b.accuracy for b in filled], color="#2f6fdb", marker="o")
    axes.set(xlabel="confidence", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1))
    with mpl.rc_context({"svg.hashsalt": "langid", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})
