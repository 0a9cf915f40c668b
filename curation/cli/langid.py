"""`curate langid`: identify the languages of lines, and evaluate an identifier on labeled files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, cast

import typer

from curation.langid.settings import BACKENDS, LanguageSettings
from open_ml_embed.core.errors import SettingsError, UnknownNameError
from open_ml_embed.core.printing import print_json

if TYPE_CHECKING:
    import pyarrow as pa

    from curation.langid.evaluation import Evaluation

app = typer.Typer(no_args_is_help=True, help="Identify the languages of lines, and evaluate identifiers.")

Backend = Annotated[str, typer.Option("--backend", help="bundled, cld2, fasttext, heliport, or a plugin's backend.")]
Model = Annotated[str | None, typer.Option("--model", help="A model file, or owner/name:file on the Hub.")]
Folding = Annotated[str, typer.Option("--policy", help="Macrolanguages: individual, macro or corpus.")]

_DEFAULT = LanguageSettings()
CHUNK = 1 << 20
"""Most bytes that are read at once; a slow pipe gives fewer."""
SHOWN = 15
"""Languages in the table of the worst ones."""


@app.command()
def predict(
    path: Annotated[Path | None, typer.Argument(help="A file of lines; default or -: standard input.")] = None,
    backend: Backend = _DEFAULT.backend, model: Model = None, policy: Folding = _DEFAULT.policy,
    top_k: Annotated[int, typer.Option("--top-k", min=1, help="Languages for each line, best first.")] = 1,
) -> None:  # fmt: skip
    """Write code-Script<TAB>confidence for every line, in order."""
    import pyarrow as pa

    from curation.langid.interface import identify

    settings = language_settings(backend, model, policy)
    with _opened(path) as stream:
        for lines in _chunks(stream):
            results = identify(pa.array(lines, pa.string()), settings, top_k=top_k if top_k > 1 else None)
            sys.stdout.write("".join(f"{line}\n" for line in _rows(results)))
            sys.stdout.flush()


@app.command()
def evaluate(
    paths: Annotated[list[Path], typer.Argument(help="Labeled files, or folders of Parquet files.")],
    backend: Backend = _DEFAULT.backend, model: Model = None, policy: Folding = _DEFAULT.policy,
    split: Annotated[str | None, typer.Option("--split", help="Only rows of this split, if there are any.")] = "test",
    *, as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:  # fmt: skip
    """Evaluate a backend: accuracy and macro F1 over its own, the corpus's and the largest languages, and for each."""
    from curation.langid.evaluation import evaluate

    settings = language_settings(backend, model, policy)
    files = [file for path in paths for file in (sorted(path.glob("*.parquet")) if path.is_dir() else [path])]
    if not files:
        raise SettingsError("no labeled files", where=", ".join(map(str, paths)))
    results = {str(file): evaluate(file, settings, split=split) for file in files}
    if as_json:
        by_file = {name: asdict(result) for name, result in results.items()}
        print_json({**settings.model_dump(include={"backend", "model", "policy"}), "files": by_file})
    else:
        print_scores(results)


def print_scores(results: dict[str, Evaluation]) -> None:
    """Print the scores of each file; if there is only one file, also the languages with the lowest F1."""
    from open_ml_embed.core.fitting_table import Table
    from open_ml_embed.core.terminal import Terminal

    console = Terminal()
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


def language_settings(backend: str, model: str | None, policy: str) -> LanguageSettings:
    """Return the language settings that the options describe.

    Raises:
        UnknownNameError: the backend or the policy does not exist; the message has the nearest.

    """
    from typing import get_args

    policies = get_args(LanguageSettings.model_fields["policy"].annotation)
    for kind, name, known in (("backend", backend, BACKENDS.names()), ("policy", policy, policies)):
        if name not in known:
            raise UnknownNameError(kind, name, known, where=f"--{kind}")
    chosen: dict[str, Any] = {"backend": backend, "model": model, "policy": policy}
    return LanguageSettings(**chosen)


def _opened(path: Path | None) -> AbstractContextManager[BinaryIO]:
    if path is None or str(path) == "-":
        return nullcontext(sys.stdin.buffer)
    if not path.is_file():
        raise SettingsError("no such file", where=str(path))
    return path.open("rb")


def _chunks(stream: BinaryIO) -> Iterator[list[str]]:
    """Yield lists of lines as they arrive. Only a line feed ends a line; invalid UTF-8 becomes U+FFFD."""
    remainder = b""
    while block := cast("BufferedReader", stream).read1(CHUNK):
        *lines, remainder = (remainder + block).split(b"\n")
        if lines:
            yield [line.removesuffix(b"\r").decode("utf-8", "replace") for line in lines]
    if remainder:
        yield [remainder.decode("utf-8", "replace")]


def _rows(table: pa.Table) -> Iterator[str]:
    lists = table["alternatives"].to_pylist() if "alternatives" in table.column_names else [[]] * len(table)
    columns = (table[name].to_pylist() for name in ("code", "script", "confidence"))
    for code, script, confidence, alternatives in zip(*columns, lists, strict=True):
        more = "".join(f"\t{other['code']}\t{other['confidence']:.4f}" for other in alternatives[1:])
        yield f"{code}-{script}\t{confidence:.4f}{more}"
