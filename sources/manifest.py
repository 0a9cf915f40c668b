"""The manifest of a dataset: pydantic model of `manifests/sources/<name>.yaml`.

Unknown fields are errors, so that a typo is not silently ignored.
Strings under `tables` and `shape` may contain `{name}` placeholders, which are filled from the `vars` of each subset.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from open_ml_embed.core.names import LONGEST, check_inside, check_name, check_path, check_value
from open_ml_embed.core.registry import one_of
from open_ml_embed.core.section import Section
from sources.access import Access, Open
from sources.formats import READERS
from sources.languages import LanguageTag, check_tag

Family = Literal["retrieval", "clustering", "classification"]
"""Loss family: the terms of the 3D-ML objective that a sample is used in (ML-Embed, section on training data)."""

Task = Literal[
    "bitext-mining", "citation-prediction", "claim-verification", "code-to-code", "code-to-text",
    "domain-classification", "instruction", "intent-classification", "language-classification",
    "linguistic-acceptability", "nli", "paraphrase", "question-answering", "sentiment", "sts",
    "summarization", "text-to-code", "title-matching", "topic-classification",
]  # fmt: skip

Collection = Literal["ml-embed", "f2llm-v2", "kalm", "community", "offline"]
"""`ml-embed`: one of the 121 sources of ML-Embed's corpus. `f2llm-v2`: one of the other 36 of F2LLM-v2's corpus, whose
157 are these and the 121. `kalm`: a data set of KaLM-Embedding's open fine-tuning data. `community`: added later, from
the Hub or another origin. `offline`: real texts that need no Hub."""

INCLUDES: Mapping[str, tuple[Collection, ...]] = {"f2llm-v2": ("ml-embed",)}
"""Collection → the collections whose sources are also its own. A manifest states one collection, the smallest."""

ArrowType = Literal["string", "bool", "int64", "float64", "list<string>", "struct", "list<struct>", "any"]
"""Declared type of a raw column. Columns are cast to it; `struct`, `list<struct>` and `any` stay as in the file."""

CleanName = Literal[
    "encoding", "escapes", "list", "entities", "tags", "jats", "placeholders", "treebank", "invisible", "hard-wraps",
    "detokenize",
]  # fmt: skip
"""Name of a cleaning operation; `sources.cleaning` describes each."""

TextExpr = str | list[str]
"""A dotted path to a raw column (`translation.en`), or several paths whose texts are joined by one space."""


Name = Annotated[str, AfterValidator(check_name)]
Inside = Annotated[str, AfterValidator(check_inside)]
"""A relative path or glob that does not leave its folder."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class HubOrigin(Section):
    """A dataset repository on the Hub, fetched through huggingface-hub at a pinned revision."""

    kind: Literal["hub"] = "hub"
    repo: Annotated[Inside, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    """Repository, `owner/name`."""
    ref: Inside = "main"
    """Branch, tag or commit; `curate lock` pins it to a commit."""
    mirrors: list[Inside] = []
    """Other repositories with the same file paths (`owner/name` or `owner/name@ref`), tried in order if `repo` is gone
    or gated."""


class AptOrigin(Section):
    """Debian indexes or packages, fetched by apt with a private state and the machine's own sources."""

    kind: Literal["apt"] = "apt"
    indexes: list[Literal["Packages", "Translation"]] = []
    """Indexes of the archive: the lists of packages, and the translated descriptions."""
    packages: list[str] = []
    """Packages that are downloaded and unpacked, by name."""


class PythonOrigin(Section):
    """Python source files of the interpreter's standard library and of installed distributions."""

    kind: Literal["python"] = "python"
    stdlib: bool = True
    """Take the modules of the standard library."""
    distributions: list[str] = []
    """Distribution names; distributions that are not installed are skipped with a log message."""


class UrlOrigin(Section):
    """Files at plain URLs, `<base>/<file name>`; tables list full file names, without wildcards."""

    kind: Literal["url"] = "url"
    base: str = Field(pattern=r"^https?://\S+[^/]$")
    """Address of the folder of all files."""
    sha256: dict[str, Digest] = {}
    """File name → SHA-256, if the publisher states one."""


class ManualOrigin(Section):
    """Files that a person must download: the address, and the name of the target folder below `local_root`."""

    kind: Literal["manual"] = "manual"
    url: str
    """Page where the files are to be had."""
    folder: Annotated[str, AfterValidator(check_path)]
    """Folder below `sources.local_root` where they are put."""
    sha256: dict[str, Digest] = {}
    """File name → SHA-256, if the publisher states one."""


Origin = Annotated[HubOrigin | AptOrigin | PythonOrigin | UrlOrigin | ManualOrigin, Field(discriminator="kind")]


class RawTable(Section):
    """One kind of raw file: its location, its format, and its required fields."""

    files: list[Inside] = Field(min_length=1)
    """Globs over the origin's file names (`sources.globs`)."""
    repo: Annotated[Inside, Field(pattern=r"^[\w.-]+/[\w.-]+(@[\w./-]+)?$")] | None = None
    """Hub only: the repository of this table, if it is not the origin's; `@ref` may follow."""
    format: Annotated[str, one_of(READERS)]
    """A name in `sources.formats.READERS`."""
    fields: dict[str, ArrowType]
    """Column → type. Other columns of the file are not read."""
    other_names: dict[str, list[str]] = {}
    """Field → names of its column in other revisions or copies; a column with any of these names is read as the
    field."""
    optional: list[str] = []
    """Fields that a file may lack; they are then null."""
    header: list[str] | None = None
    """Column names of a csv or tsv file without a header line, in file order."""
    encoding: str = "utf-8"
    """Text encoding of the files, by its Python name; a byte-order mark in a file takes precedence."""
    record_path: str = "item"
    """Path to the records of a nested JSON file: object keys, and `item` for the elements of an array, joined by dots
    (`data.item.paragraphs.item`)."""
    members: list[str] | None = None
    """Globs over member names, if the files are archives (zip, tar)."""

    @model_validator(mode="after")
    def _names_of_fields(self) -> RawTable:
        if unknown := sorted(set(self.other_names) - set(self.fields)):
            raise ValueError(f"other_names has {', '.join(unknown)}, which `fields` does not declare")
        if unknown := sorted(set(self.optional) - set(self.fields)):
            raise ValueError(f"optional has {', '.join(unknown)}, which `fields` does not declare")
        if unknown := sorted(set(self.optional) & set(self.other_names)):
            raise ValueError(f"{', '.join(unknown)} has other names, so it cannot be optional")
        return self

    @field_validator("encoding")
    @classmethod
    def _of_text(cls, value: str) -> str:
        try:
            "".encode(value)  # not `codecs.lookup`, which also finds codecs that are not text encodings
        except LookupError:
            raise ValueError(f"{value!r} is no encoding of text; utf-8, utf-16-le, windows-1252, gb18030 are") from None
        return value


class LangColumn(Section):
    """A declared language that varies by row: a raw column and the mapping of its values to tags."""

    column: str
    """Dotted path of the raw column."""
    map: dict[str, LanguageTag] = {}
    """Raw value → tag, for values that `sources.languages.tag_of` does not know or maps wrongly."""
    count: int | None = Field(default=None, ge=1)
    """Number of languages of the source in the published corpus, if known."""
    languages: list[LanguageTag] = []
    """Tags that the rows are known to have, besides those of `map`, so that a plan and a search can list them."""


class Subset(Section):
    """One subset of a source (a configuration, a language, a direction): the unit for mining pools and caps."""

    query_lang: LanguageTag | LangColumn
    """Language of the query, as `deu-Latn` or `python-Code`, or the raw column that states it."""
    positive_lang: LanguageTag | LangColumn | None = None
    """Null: the language of the query."""
    samples: int | None = Field(default=None, ge=0)
    """Rows of this subset in the published corpus, if known."""
    instruction: str | None = Field(default=None, min_length=1)
    """Task instruction of this subset, in one line; null: that of the source."""
    vars: dict[str, Annotated[str, AfterValidator(check_value)]] = {}
    """Placeholder → value, for the strings under `tables` and `shape`."""

    @field_validator("instruction")
    @classmethod
    def _of_one_line(cls, value: str | None) -> str | None:
        return value if value is None else one_line(value)


def one_line(instruction: str) -> str:
    """Return an instruction without blanks around it.

    Raises:
        ValueError: it has several lines.

    """
    if "\n" in instruction.strip():
        raise ValueError("an instruction is one line")
    return instruction.strip()


class ShapeSpec(Section):
    """The shape that turns raw records into rows, and its arguments (see `sources.shapes`)."""

    kind: str
    """Name of the shape."""
    args: dict[str, Any] = {}
    """Arguments of the shape."""


class License(Section):
    """SPDX identifier or `LicenseRef-…`, and the uses that the license allows."""

    id: str = Field(pattern=r"^(LicenseRef-)?[A-Za-z0-9][A-Za-z0-9.+-]*( (AND|OR) [A-Za-z0-9.+-]+)*$")
    """SPDX expression, or `LicenseRef-…` for terms that have no identifier."""
    commercial: bool
    """Commercial use is allowed."""
    redistribution: bool
    """The texts may be passed on; `curate publish` refuses sources where they may not."""
    note: str = ""
    """Conditions, or where the license is stated."""


class Manifest(Section):
    """Description of one dataset."""

    name: str = Field(pattern=r"^[a-z0-9_]+$", max_length=LONGEST)
    """Name of the source, which is that of its file."""
    title: str
    """Name for people."""
    collection: Collection
    """Collection that the source belongs to."""
    task: Task
    """What a query and its positive have to do with each other."""
    family: Family
    """Terms of the 3D-ML objective that its samples are used in."""
    symmetric: bool = False
    """Query and positive are the same kind of text; some passages then get an instruction too."""
    origin: Origin
    """Where the raw files are."""
    tables: dict[str, RawTable] = Field(min_length=1)
    """Name of a table → its files, format and columns."""
    where: dict[str, list[str | int | float | bool]] = {}
    """Raw column → accepted values; other records are filtered (counted, not quarantined)."""
    shape: ShapeSpec
    """How records become rows."""
    clean: list[CleanName] | dict[Literal["query", "positive"], list[CleanName]] = []
    """Cleaning operations (`sources.cleaning`), for both sides of a row or by side; negatives are treated as
    positives."""
    subsets: dict[Name, Subset] = Field(min_length=1)
    """Name of a subset → its languages."""
    license: License
    """License of the texts."""
    access: Access = Open()
    """Whether everybody can fetch it: `open`, `gated` (terms to accept), `manual`, or `dead` (gone)."""
    citation: str = Field(min_length=3)
    """Whom to cite."""
    samples: int = Field(ge=0)
    """Rows of this source in the published corpus; in other collections, rows counted when the manifest was written."""
    instruction: str = Field(min_length=10)
    """Task instruction in one line: what the query asks for, and what has to be retrieved."""
    download: int | None = Field(default=None, ge=1)
    """Bytes of the raw files, to three digits; null if unknown."""
    download_basis: str = ""
    """What `download` measures, if it is not exactly the files taken: some of them, the whole repository, or the same
    records in another form. The number is then an order of magnitude."""
    confidence: Literal["high", "medium", "low"] = "high"
    """Confidence in the raw schema of this manifest; high: read from the files or from their dataset card."""
    priority: int = 50
    """Of duplicates in several sources, the source with the lower number keeps its copy."""
    notes: str = ""
    """What else there is to know."""

    @field_validator("instruction")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return one_line(value)

    def instruction_of(self, subset: str) -> str:
        """Return the instruction of the queries of a subset."""
        return self.subsets[subset].instruction or self.instruction

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
        """Return the cleaning operations for the texts of one side of a row."""
        return self.clean if isinstance(self.clean, list) else self.clean.get(side, [])

    def bound(self, subset: str) -> Manifest:
        """Return a copy of this manifest with only `subset`, and with its placeholders filled in."""
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
        """Return the language columns of all subsets."""
        langs = (lang for s in self.subsets.values() for lang in (s.query_lang, s.positive_lang))
        return [lang for lang in langs if isinstance(lang, LangColumn)]

    def language_count(self) -> int:
        """Return the known number of languages of the source; scripts of one language are not counted separately."""
        declared = {tag.rpartition("-")[0] for tag in self.languages()}
        return max([len(declared), *(column.count or 0 for column in self.language_columns())])

    def languages(self) -> list[str]:
        """Return the declared tags of all subsets, sorted; rows may have others if a column states the language."""
        tags: set[str] = set()
        for subset in self.subsets.values():
            for lang in (subset.query_lang, subset.positive_lang):
                if isinstance(lang, str):
                    tags.add(check_tag(lang))
                elif lang is not None:
                    tags.update(lang.map.values(), lang.languages)
        return sorted(tags)


def _filled(value: object, fill: dict[str, str]) -> object:
    """Replace `{name}` in every string below `value`; unknown placeholders stay unchanged."""
    if isinstance(value, str):
        for name, text in fill.items():
            value = value.replace("{" + name + "}", text)
        return value
    if isinstance(value, dict):
        return {_filled(k, fill): _filled(v, fill) for k, v in value.items()}
    if isinstance(value, list):
        return [_filled(v, fill) for v in value]
    return value
