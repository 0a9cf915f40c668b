"""Debian package descriptions with classes: the archive section (clustering), or a two-way question over debtags.

The texts come from `sources.adapters.debian`, the classes from the package index. The shape `label` makes the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
from pydantic import Field, model_validator

from sources.adapters import debian
from sources.manifest import RawTable
from sources.parts import Context, RawBatch
from sources.shapes import label

PER_FILE = False

_ROWS = 65_536


class Args(debian.Args):
    """Arguments of the adapter: those of `debian`, and the source of the class."""

    question: str | None = None
    """Key in `questions`; null: the class is the archive section."""
    questions: dict[str, dict[str, list[str]]] = Field(default={})
    """Question → answer in words → its debtags. Packages with tags of both answers, or of none, are left out."""
    separator: str = Field(default="\n\n", min_length=1)
    """Text between synopsis and long description."""

    @model_validator(mode="after")
    def _known(self) -> Args:
        if self.question is not None and len(self.questions.get(self.question, {})) != 2:
            raise ValueError(f"questions must have {self.question!r} with exactly two answers")
        return self


def drafts(context: Context, args: Args) -> Iterator[pa.Table]:
    """Yield one row for each description whose class is known."""
    if args.question is None:
        shape = label.Args(mode="clustering", text="text", label="class")
    else:
        names = {answer: answer for answer in args.questions[args.question]}
        shape = label.Args(mode="classification", text="text", label="class", names=names)
    texts = RawTable(files=["*"], format="deb822", fields={"text": "string", "class": "string"})
    joined = replace(
        context,
        manifest=context.manifest.model_copy(update={"tables": {"texts": texts}}),
        read=lambda _: _labeled(context, args),
    )
    yield from label.drafts(joined, shape)


def _labeled(context: Context, args: Args) -> Iterator[RawBatch]:
    """Yield descriptions and their classes as records with two fields, `text` and `class`."""
    classes = _classes(context, args)
    rows: list[tuple[str, str, int]] = []
    file = ""
    for item in debian.described(context, args, admit=lambda *keys: any(key in classes for key in keys)):
        name = classes.get(item.package) or classes[item.md5]
        if rows and (item.file != file or len(rows) == _ROWS):
            yield _batch(rows, file)
            rows = []
        file = item.file
        rows.append((item.title + args.separator + item.body, name, item.record))
    if rows:
        yield _batch(rows, file)


def _batch(rows: list[tuple[str, str, int]], file: str) -> RawBatch:
    texts, classes, records = (list(column) for column in zip(*rows, strict=True))
    return RawBatch(pa.table({"text": texts, "class": classes}), file, pa.array(records, pa.int64()))


def _classes(context: Context, args: Args) -> dict[str, str]:
    """Return classes by package name and, for renamed packages, by MD5 of the description; the first entry wins."""
    classes: dict[str, str] = {}
    field = "Section" if args.question is None else "Tag"
    for batch in context.read("packages"):
        columns = (batch.columns[name].to_pylist() for name in ("Package", "Description-md5", field))
        for package, md5, value in zip(*columns, strict=True):
            name = _class_of(value, args) if value else None
            if name is not None:
                for key in (package, md5):
                    if key:
                        classes.setdefault(key, name)
    return classes


def _class_of(value: str, args: Args) -> str | None:
    if args.question is None:
        return value.rpartition("/")[2]
    tags = set(value.replace("\n", " ").replace(",", " ").split())
    answers = [answer for answer, debtags in args.questions[args.question].items() if tags.intersection(debtags)]
    return answers[0] if len(answers) == 1 else None
