"""What a manifest says about one dataset: the pydantic model behind every `manifests/sources/<name>.yaml`.

Extra fields are refused, so a typing error in a manifest is an error, not a silently ignored line.
Strings under `tables` and `shape` may hold `{name}` placeholders, filled per subset from its `vars`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from open_ml_embed.core.registry import one_of
from open_ml_embed.core.section import Section
from sources.access import Access, Open
from sources.formats import READERS
from sources.languages import LanguageTag, check_tag

Family = Literal["retrieval", "clustering", "classification"]
"""Loss family: which terms of the 3D-ML objective a sample feeds (ML-Embed, section on training data)."""

Task = Literal[
    "bitext-mining", "citation-prediction", "claim-verification", "code-to-code", "code-to-text",
    "domain-classification", "instruction", "intent-classification", "language-classification",
    "linguistic-acceptability", "nli", "paraphrase", "question-answering", "sentiment", "sts",
    "summarization", "text-to-code", "title-matching", "topic-classification",
]  # fmt: skip

Collection = Literal["ml-embed", "community", "offline"]
"""`ml-embed`: one of the 121 of the published corpus. `community`: added to them since, from a hub or another origin.
`offline`: real text that needs no hub."""

ArrowType = Literal["string", "bool", "int64", "float64", "list<string>", "struct", "list<struct>", "any"]
"""Type a raw column must be castable to; `struct`, `list<struct>` and `any` are left as the file has them."""

CleanName = Literal[
    "encoding", "escapes", "list", "entities", "tags", "jats", "placeholders", "treebank", "invisible", "hard-wraps",
    "detokenize",
]  # fmt: skip
"""An operation of `sources.cleaning`, which says what each does."""

TextExpr = str | list[str]
"""A dotted path to a raw column (`translation.en`), or several whose texts are joined by one space."""


Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class HubOrigin(Section):
    """A dataset repository on the Hub, fetched through huggingface-hub at a pinned revision."""

    kind: Literal["hub"] = "hub"
    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    ref: str = "main"
    mirrors: list[str] = []
    """Other repositories with the same file paths (`owner/name` or `owner/name@ref`), tried in order when the first
    is gone or gated."""


class AptOrigin(Section):
    """Debian indexes or packages, through a private apt state that reuses the machine's own sources."""

    kind: Literal["apt"] = "apt"
    indexes: list[Literal["Packages", "Translation"]] = []
    packages: list[str] = []


class PythonOrigin(Section):
    """Python source files of the interpreter's standard library and of installed distributions."""

    kind: Literal["python"] = "python"
    stdlib: bool = True
    distributions: list[str] = []
    """Distribution names; those not installed are passed over with a line in the log."""


class UrlOrigin(Section):
    """Files behind plain addresses, `<base>/<file name>`; tables name them in full, without wildcards."""

    kind: Literal["url"] = "url"
    base: str = Field(pattern=r"^https?://\S+[^/]$")
    sha256: dict[str, Digest] = {}
    """File name → checksum, where the publisher states one."""


class ManualOrigin(Section):
    """Files that a person has to fetch: where from, and how the folder below `local_root` is called."""

    kind: Literal["manual"] = "manual"
    url: str
    folder: str
    sha256: dict[str, Digest] = {}
    """File name → checksum, where the publisher states one."""


Origin = Annotated[HubOrigin | AptOrigin | PythonOrigin | UrlOrigin | ManualOrigin, Field(discriminator="kind")]


class RawTable(Section):
    """One kind of raw file: where it lies, how it is read, which fields it must have."""

    files: list[str] = Field(min_length=1)
    """Globs over the origin's file names (`sources.globs`)."""
    repo: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+(@[\w./-]+)?$")
    """Hub only: where this table lies in another repository than the origin's, perhaps at its own `@ref`."""
    format: Annotated[str, one_of(READERS)]
    """A name in `sources.formats.READERS`."""
    fields: dict[str, ArrowType]
    other_names: dict[str, list[str]] = {}
    """Field → what its column is called in other revisions or copies; whichever a file has is read as the field."""
    header: list[str] | None = None
    """Column names of a csv or tsv file that has no header line, in file order."""
    encoding: str = "utf-8"
    """Of the text in the files, by Python's name for it; a byte-order mark in a file says more."""
    record_path: str = "item"
    """Where the records of a nested JSON file are: the keys on the way, and `item` for what an array holds, joined by
    dots (`data.item.paragraphs.item`)."""
    members: list[str] | None = None
    """Globs over member names, where the files are archives (zip, tar)."""

    @model_validator(mode="after")
    def _names_of_fields(self) -> RawTable:
        if unknown := sorted(set(self.other_names) - set(self.fields)):
            raise ValueError(f"other_names has {', '.join(unknown)}, which `fields` does not declare")
        return self

    @field_validator("encoding")
    @classmethod
    def _of_text(cls, value: str) -> str:
        try:
            "".encode(value)  # not `lookup`, which knows codecs that are none of text
        except LookupError:
            raise ValueError(f"{value!r} is no encoding of text; utf-8, utf-16-le, windows-1252, gb18030 are") from None
        return value


class LangColumn(Section):
    """A declared language that differs by row: a raw column and how its values map to tags."""

    column: str
    map: dict[str, LanguageTag] = {}
    """Raw value → tag, for values that `sources.languages.tag_of` does not know or would get wrong."""
    count: int | None = Field(default=None, ge=1)
    """How many languages the published corpus has of it, where that is known."""
    languages: list[LanguageTag] = []
    """Tags that its rows are known to have, beside those of `map`: so a plan and a search know them by name."""


class Subset(Section):
    """One subset (a language, a direction): the unit that mining pools and caps can be stated for."""

    query_lang: LanguageTag | LangColumn
    positive_lang: LanguageTag | LangColumn | None = None
    """Null: as the query."""
    samples: int | None = Field(default=None, ge=0)
    vars: dict[str, str] = {}


class ShapeSpec(Section):
    """Which recurring shape turns raw records into rows, with its arguments (see `sources.shapes`)."""

    kind: str
    args: dict[str, Any] = {}


class License(Section):
    """SPDX identifier or `LicenseRef-…`, with what it allows."""

    id: str = Field(pattern=r"^(LicenseRef-)?[A-Za-z0-9][A-Za-z0-9.+-]*( (AND|OR) [A-Za-z0-9.+-]+)*$")
    commercial: bool
    redistribution: bool
    note: str = ""


class Manifest(Section):
    """One dataset."""

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    title: str
    collection: Collection
    task: Task
    family: Family
    symmetric: bool = False
    """Query and positive are the same kind of text: instructions go on some passages too."""
    origin: Origin
    tables: dict[str, RawTable] = Field(min_length=1)
    where: dict[str, list[str | int | float | bool]] = {}
    """Raw column → admitted values; other records are filtered (counted, not quarantined)."""
    shape: ShapeSpec
    clean: list[CleanName] | dict[Literal["query", "positive"], list[CleanName]] = []
    """What mends the texts (`sources.cleaning`): of all sides of a row, or by side; negatives are as positives."""
    subsets: dict[str, Subset] = Field(min_length=1)
    license: License
    access: Access = Open()
    citation: str = Field(min_length=3)
    samples: int = Field(ge=0)
    """Rows the published corpus has of this source (of other collections: rows measured when it was written)."""
    instruction: str = Field(min_length=10)
    """What is asked and what is to be found, in this project's words."""
    download: int | None = Field(default=None, ge=1)
    """Bytes of the raw files, to three digits; null where nobody has stated them."""
    download_basis: str = ""
    """What was stated instead, where `download` is not of just the files taken: some of them, the whole repository, the
    same records in another form. The figure is then an order of magnitude."""
    confidence: Literal["high", "medium", "low"] = "high"
    """How sure the raw schema is that this manifest states: high was read from the files or their card."""
    priority: int = 50
    """Which source keeps a duplicate: the lower number."""
    notes: str = ""

    @field_validator("instruction")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if "\n" in value.strip():
            raise ValueError("an instruction is one line")
        return value.strip()

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        declared = [s.samples for s in self.subsets.values() if s.samples is not None]
        if declared and len(declared) == len(self.subsets) and sum(declared) != self.samples:
            raise ValueError(f"samples is {self.samples} but the subsets sum to {sum(declared)}")
        if self.download_basis and self.download is None:
            raise ValueError("download_basis says what `download` is of, and there is no `download`")
        if self.access.kind == "manual" and self.origin.kind != "manual":
            raise ValueError(f"access is manual, but the origin is {self.origin.kind}")
        return self

    def cleaning(self, side: Literal["query", "positive"]) -> list[CleanName]:
        """Return the operations that mend the texts of one side of a row."""
        return self.clean if isinstance(self.clean, list) else self.clean.get(side, [])

    def bound(self, subset: str) -> Manifest:
        """Return this manifest with the placeholders of `subset` filled in and only that subset left."""
        chosen = self.subsets[subset]
        fill = {"subset": subset, **chosen.vars}
        return self.model_copy(
            update={
                "tables": {
                    name: RawTable.model_validate(_filled(table.model_dump(), fill))
                    for name, table in self.tables.items()
                },
                "shape": ShapeSpec.model_validate(_filled(self.shape.model_dump(), fill)),
                "subsets": {subset: chosen},
            }
        )

    def language_columns(self) -> list[LangColumn]:
        """Return the raw columns that tell a language by row, over all subsets."""
        said = (lang for s in self.subsets.values() for lang in (s.query_lang, s.positive_lang))
        return [lang for lang in said if isinstance(lang, LangColumn)]

    def language_count(self) -> int:
        """Return how many languages, scripts apart, the source is known to have."""
        declared = {tag.rpartition("-")[0] for tag in self.languages()}
        return max([len(declared), *(column.count or 0 for column in self.language_columns())])

    def languages(self) -> list[str]:
        """Declared tags over all subsets, sorted; rows may add others where a column tells the language."""
        tags: set[str] = set()
        for subset in self.subsets.values():
            for lang in (subset.query_lang, subset.positive_lang):
                if isinstance(lang, str):
                    tags.add(check_tag(lang))
                elif lang is not None:
                    tags.update(lang.map.values(), lang.languages)
        return sorted(tags)


def _filled(value: object, fill: dict[str, str]) -> object:
    """Replace `{name}` in every string below `value`; braces around unknown names stay as they are."""
    if isinstance(value, str):
        for name, text in fill.items():
            value = value.replace("{" + name + "}", text)
        return value
    if isinstance(value, dict):
        return {_filled(k, fill): _filled(v, fill) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, fill) for v in value]
    return value
