"""Drafts the manifest of a dataset from a sample of it; lines that are guesses have a comment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from open_ml_embed.core.errors import ManifestError
from open_ml_embed.core.validation_errors import refusal
from sources.draft.sample import Sample, look_at
from sources.draft.shape import Guess, guess_shape
from sources.fetch import FetchOptions
from sources.languages import LanguageCodeError, is_tag, tag_of
from sources.manifest import Manifest
from sources.shapes import check_shape

Identify = Callable[[list[str]], list[str]]
"""n texts → n language tags; `und-…` and `zxx-…` where there is no answer."""
LOOKED_AT = 200
"""Most texts of a column whose language is identified."""
_SURE = 0.9
_WIDE = 10_000


@dataclass(frozen=True)
class Draft:
    """A drafted manifest.

    Attributes:
        manifest: the validated manifest.
        yaml: the text of the file, with a comment `# guessed: why` on each line that is a guess.
        guesses: section → reason, for these lines.

    """

    manifest: Manifest
    yaml: str
    guesses: dict[str, str]

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.manifest.name


def draft_manifest(dataset: str, options: FetchOptions, identify: Identify, name: str | None = None) -> Draft:
    """Draft the manifest of a dataset from its file names, the head of one file, and its card.

    Args:
        dataset: `owner/name` of the Hub, or the path of a file or folder.
        options: endpoint of the Hub, and `local_root`.
        identify: identifies the languages of texts.
        name: of the source; None: derived from the name of the dataset.

    Raises:
        CorpusError: see `sources.draft.sample.look_at` and `sources.draft.shape.guess_shape`.

    """
    sample = look_at(dataset, options)
    guess = guess_shape(sample, dataset)
    lines = list(_lines(sample, guess, dataset, name or sample.name, identify))
    text = "\n".join(line.text for line in lines) + "\n"
    try:
        manifest = Manifest.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        remedy = "give another --name, or write the manifest by hand"
        raise refusal(error, Manifest, ManifestError, where=dataset, remedy=remedy) from None
    for subset in manifest.subsets:
        check_shape(manifest.bound(subset))
    return Draft(manifest, text, {line.section: line.why for line in lines if line.why})


@dataclass(frozen=True)
class _Line:
    section: str
    value: Any
    why: str = ""
    indent: int = 0

    @property
    def text(self) -> str:
        shown = "" if self.value is None else f" {_flow(self.value)}"
        comment = f"  # guessed: {' '.join(self.why.split())}" if self.why else ""
        return f"{'  ' * self.indent}{_flow(self.section)}:{shown}{comment}"


def _flow(value: object) -> str:
    written = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, sort_keys=False, width=_WIDE)
    return str(written).removesuffix("\n").removesuffix("\n...")


def _lines(sample: Sample, guess: Guess, dataset: str, name: str, identify: Identify) -> Iterator[_Line]:
    card = sample.card
    yield _Line("name", name)
    yield _Line("title", card.title or name.replace("_", " ").capitalize(), "" if card.title else "from the name")
    yield _Line("collection", "community")
    yield _Line("task", guess.task, "from the names of the columns")
    yield _Line("family", guess.family, f"the loss for {guess.kind} records")
    if guess.symmetric:
        yield _Line("symmetric", value=True)
    yield _Line("origin", sample.origin)
    yield from _table(sample, guess)
    yield _Line("shape", None)
    yield _Line("kind", guess.kind, guess.why, 1)
    yield _Line("args", guess.args, guess.names_why, 1)
    yield _Line("subsets", None)
    yield from _subsets(sample, guess, identify)
    license, why = card.license()
    yield _Line("license", license, why)
    citation = card.citation()
    yield _Line("citation", citation or f"Unknown, {dataset}", "from the card" if citation else "the card has none")
    yield _Line("samples", sample.records or 0, sample.records_why or "unknown: write the number of rows")
    yield _Line("instruction", guess.instruction, "a line for the task; say it in words of this dataset")
    yield _Line("confidence", "medium")


def _table(sample: Sample, guess: Guess) -> Iterator[_Line]:
    yield _Line("tables", None)
    yield _Line("records", None, "", 1)
    yield _Line("files", sample.files, sample.files_why, 2)
    yield _Line("format", sample.format, "", 2)
    fields = list(dict.fromkeys([*guess.fields, *([lang] if (lang := _language_column(sample)) else [])]))
    unused = [name for name in sample.columns if name not in fields]
    why = f"types from the first {len(sample.rows)} records"
    why += f"; not read: {', '.join(unused[:8])}{', …' if len(unused) > 8 else ''}" if unused else ""
    yield _Line("fields", {name: sample.columns[name] for name in fields}, why, 2)
    if sample.header is not None:
        yield _Line("header", sample.header, "the first line holds values, not names", 2)
    if sample.record_path is not None:
        yield _Line("record_path", sample.record_path, "", 2)


def _language_column(sample: Sample) -> str | None:
    """Return the column that states the language of each record, if its values are language codes."""
    if sample.languages:
        return None
    for name in sample.columns:
        if name.lower() not in ("lang", "language", "lang_code", "language_code") or sample.columns[name] != "string":
            continue
        values = {str(value) for value in sample.values(name)}
        if len(values) > 1 and all(_tag(value) for value in values):
            return name
    return None


def _tag(code: str) -> str | None:
    with suppress(LanguageCodeError):
        return tag_of(code)
    return None


def _subsets(sample: Sample, guess: Guess, identify: Identify) -> Iterator[_Line]:
    if sample.languages:
        for folder, tag in sample.languages.items():
            yield _Line(folder, {"query_lang": tag}, "from the name of the folder", 1)
        return
    if (column := _language_column(sample)) is not None:
        tags = sorted({known for value in sample.values(column) if (known := _tag(str(value)))})
        lang = {"column": column, "languages": tags}
        yield _Line("all", {"query_lang": lang}, f"{column} holds language codes; more may follow the head", 1)
        return
    query, why = _language(sample, guess.query, identify)
    positive, other = (query, "") if guess.positive == guess.query else _language(sample, guess.positive, identify)
    short = query.partition("-")[0]
    subset: dict[str, Any] = {"query_lang": query}
    if positive != query:
        subset["positive_lang"] = positive
        short, why = f"{short}_{positive.partition('-')[0]}", f"query {why}; positive {other}"
    yield _Line(short, subset, why, 1)


def _language(sample: Sample, path: str, identify: Identify) -> tuple[str, str]:
    """Return the language of the texts at a path, and how it was found."""
    texts = list(_texts(sample, path))[:LOOKED_AT]
    counts = Counter(tag for tag in (identify(texts) if texts else []) if is_tag(tag) and tag[:3] not in ("und", "zxx"))
    stated = list(dict.fromkeys(tag for code in sample.card.languages if (tag := _tag(code))))
    last = path.rpartition(".")[2]
    if len(last) <= 3 and (named := _tag(last)) is not None and "." in path:
        return named, f"{path} is called so"
    total = sum(counts.values())
    best, count = counts.most_common(1)[0] if counts else ("", 0)
    if (
        len(stated) == 1
        and not best.endswith("-Code")
        and (best == stated[0] or count < _SURE * len(texts) or not best)
    ):
        return stated[0], f"the card says so; identified in {counts[stated[0]]} of {len(texts)} texts"
    if not best:
        return "eng-Latn", "no language was identified: check it"
    others = [tag for tag, number in counts.most_common(4)[1:] if number > (1 - _SURE) * total]
    more = f"; others: {', '.join(others)}, which need subsets or a language column" if others else ""
    return best, f"identified in {count} of {len(texts)} texts{more}"


def _texts(sample: Sample, path: str) -> Iterator[str]:
    """Yield the texts at a path of the records that were read."""
    head, *steps = path.split(".") if path not in sample.columns else [path]
    for value in sample.values(head):
        values = [value]
        for step in [*steps, None]:
            values = [inner for one in values for inner in (one if isinstance(one, list) else [one])]
            if step is not None:
                values = [one.get(step) for one in values if isinstance(one, dict)]
        yield from (one for one in values if isinstance(one, str) and one.strip())
