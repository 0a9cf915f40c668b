"""Tables by language: one label a sample beside the published corpus, by mix, by source; and KaLM-Embedding's data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import langcodes
import pyarrow as pa

from curation.mixing.files import SPLITS, MixFiles
from curation.report import published
from curation.report.inputs import Inputs
from curation.report.labels import Label, Plain, label_of, labels_of
from curation.report.shard_statistics import SourceSurvey
from curation.report.tables.form import Column, Form, ReportTable, share
from curation.report.tables.sources import samples_of

_NAMES = {"hbs": "Serbo-Croatian"}
"""Names of macrolanguages that langcodes replaces by one member."""
CORPUS = "corpus"
"""Name of all rows of the build, beside those of the mixes."""
GROUPS = ("English", "Chinese", "other")
_CHINESE = frozenset(
    {"zho", "cmn", "yue", "wuu", "nan", "hak", "gan", "hsn", "cdo", "cjy", "cpx", "czh", "czo", "mnp", "lzh"}
)
"""ISO 639-3 codes that count as Chinese: the macrolanguage and its members."""

_CODE = Column("code", "tag", "ISO 639-3 code (`zxx`: no language), or the name of a programming language.")
_NAME = Column("language", "name", "English name.")
_KIND = Column("kind", "name", "natural or programming.")
_MIX = Column("mix", "name", "Name of the mix.")

LANGUAGES = Form(
    "languages",
    "normalize",
    "The languages that sources declare, one for each row, beside those of the published corpus (arXiv 2603.19223: 282 "
    "natural, 44 programming): natural ones first, the most rows first, then those only published. A row has its "
    "programming language, or else the language of its query; so the rows add up to those of the build.",
    ("kind", "code"),
    (
        _CODE,
        _NAME,
        _KIND,
        Column("rows", "count", "Rows with this language."),
        Column("share", "share", "Share of all rows."),
        Column("on_either_side", "count", "Rows that have the language on either side; these do not add up."),
        Column("sources", "count", "Sources with the language on either side."),
        Column("published", "count", "Samples of the published corpus; null if it does not have the language."),
        Column("published_share", "share", "Their share of the published corpus."),
        Column("difference", "count", "Rows less published samples."),
        Column("share_difference", "points", "Share of the rows less published share."),
    ),
)
MIX_LANGUAGES = Form(
    "mix_languages",
    "mix",
    "The same of each mix: a row for each mix and language, the most samples first.",
    ("mix", "kind", "code"),
    (
        _MIX,
        _CODE,
        _NAME,
        _KIND,
        Column("samples", "count", "Samples with this language."),
        Column("share", "share", "Share of the samples of the mix."),
    ),
)
SOURCE_LANGUAGES = Form(
    "source_languages",
    "normalize",
    "The languages of each source, one for each row: a row for each source and language, the most rows first.",
    ("source", "kind", "code"),
    (
        Column("source", "name", "Name of the source."),
        _CODE,
        _NAME,
        _KIND,
        Column("rows", "count", "Rows with this language."),
        Column("share", "share", "Share of the rows of the source."),
    ),
)
RING = Form(
    "ring",
    "mix",
    "English, Chinese and all other languages, programming ones included, of the corpus, of each mix, and of "
    "KaLM-Embedding's training data as arXiv 2603.19223 gives them.",
    ("of", "language"),
    (
        Column("of", "name", "corpus, the name of a mix, or KaLM-Embedding."),
        _NAME,
        Column("rows", "count", "Rows or samples; null for KaLM-Embedding."),
        Column("share", "share", "Share of them."),
    ),
)
KALM = Form(
    "kalm_datasets",
    "mix",
    "The data sets of KaLM-Embedding's open training data beside the sources of the build with the same data: the "
    "largest first. Pairs are those of arXiv 2604.02045, after its decontamination.",
    ("dataset",),
    (
        Column("dataset", "name", "Data set of KaLM-Embedding."),
        Column("language", "name", "en, zh, multi or en/code."),
        Column("pairs", "count", "Pairs; null where the number is unknown."),
        Column("share", "share", "Share of all counted pairs."),
        Column("sources", "name", "Sources of the build with the same data, separated by commas; null: none."),
        Column("related", "name", "Sources of the build with another version of the data; null: none."),
        Column("rows", "count", "Rows of the sources with the same data; null: none has it."),
        Column("rows_share", "share", "Their share of all rows."),
    ),
)
FORMS = (LANGUAGES, MIX_LANGUAGES, SOURCE_LANGUAGES, RING, KALM)


def fill(inputs: Inputs, surveys: Mapping[str, SourceSurvey]) -> Iterator[ReportTable]:
    """Fill the tables of this module."""
    by_source = {source: _labels(of_source) for source, of_source in surveys.items()}
    corpus: Counter[Label] = Counter()
    for counts in by_source.values():
        corpus.update(counts)
    mixes = {name: _mix_labels(inputs, name, surveys) for name in inputs.made_mixes}
    yield LANGUAGES.fill(_languages(corpus, surveys))
    yield MIX_LANGUAGES.fill((name, *row) for name, counts in mixes.items() for row in _counted(counts))
    yield SOURCE_LANGUAGES.fill((source, *row) for source, counts in by_source.items() for row in _counted(counts))
    yield RING.fill(
        [*_ring(CORPUS, corpus), *(row for name in mixes for row in _ring(name, mixes[name])), *_kalm_ring()]
    )
    yield KALM.fill(_kalm(inputs))


def english_name(code: str) -> str:
    """Return the English name of a language, or its code if there is no name."""
    published_name = published.languages().get(code)
    name = _NAMES.get(code) or (published_name and published_name[0]) or langcodes.Language.get(code).display_name("en")
    return code if name.startswith("Unknown language") else name


def _title(label: Label) -> str:
    return label.code if label.kind == "programming" else english_name(label.code)


def _labels(survey: SourceSurvey) -> Counter[Label]:
    counts: Counter[Label] = Counter()
    for tags, rows in survey.tags.items():
        counts[label_of(*tags)] += rows
    return counts


def _counted(counts: Counter[Label]) -> list[tuple[object, ...]]:
    ordered = sorted(counts, key=lambda label: (-counts[label], label))
    return [(name.code, _title(name), name.kind, counts[name], share(counts[name], counts.total())) for name in ordered]


def _languages(corpus: Counter[Label], surveys: Mapping[str, SourceSurvey]) -> list[tuple[object, ...]]:
    either: Counter[Label] = Counter()
    sources: Counter[Label] = Counter()
    for survey in surveys.values():
        of_source: Counter[Label] = Counter()
        for tags, count in survey.tags.items():
            for label in labels_of(tags):
                of_source[label] += count
        either.update(of_source)
        sources.update(of_source.keys())
    known = {Label(code, "natural"): samples for code, (_, samples) in published.languages().items()}
    known |= {Label(name, "programming"): samples for name, samples in published.programming_languages().items()}
    every, whole = corpus.total(), sum(known.values())
    rows: list[tuple[object, ...]] = []
    order = sorted(
        {*corpus, *either, *known},
        key=lambda name: (name.kind == "programming", -corpus[name], -either[name], -known.get(name, 0), name.code),
    )
    for label in order:
        count, ours = corpus[label], share(corpus[label], every)
        theirs = share(known[label], whole) if label in known else None
        rows.append(
            (
                label.code,
                _title(label),
                label.kind,
                count,
                ours,
                either[label],
                sources[label],
                known.get(label),
                theirs,
                count - known[label] if label in known else None,
                None if ours is None or theirs is None else round(ours - theirs, 6),
            )
        )
    return rows


def _mix_labels(inputs: Inputs, mix: str, surveys: Mapping[str, SourceSurvey]) -> Counter[Label]:
    """Count the samples of a mix by language."""
    files = MixFiles(inputs.build.mix(mix))
    columns = ["source", "language", "positive_language"]
    plain = {source: _plain(survey) for source, survey in surveys.items()}
    counts: Counter[Label] = Counter()
    for split in SPLITS if sum(samples_of(inputs.made_mixes[mix]).values()) else ():
        if not _has(inputs, mix, split):
            continue
        for batch in files.read(split, columns):
            groups = pa.Table.from_batches([batch]).group_by(columns).aggregate([([], "count_all")]).to_pydict()
            for source, *sides, n in zip(*(groups[name] for name in (*columns, "count_all")), strict=True):
                counts[plain[source].label(*sides)] += n
    return counts


def _has(inputs: Inputs, mix: str, split: str) -> bool:
    return bool(inputs.made_mixes[mix].stats["counts"][split])


def _plain(survey: SourceSurvey) -> Plain:
    labels = [label for tags in survey.tags for label in labels_of(tags)]
    return Plain(
        frozenset(label.code for label in labels if label.kind == "programming"),
        frozenset(label.code for label in labels if label.kind == "natural"),
    )


def _group(label: Label) -> str:
    if label.kind == "natural" and label.code == "eng":
        return "English"
    return "Chinese" if label.kind == "natural" and label.code in _CHINESE else "other"


def _ring(name: str, counts: Counter[Label]) -> Iterator[tuple[object, ...]]:
    groups = Counter(dict.fromkeys(GROUPS, 0))
    for label, rows in counts.items():
        groups[_group(label)] += rows
    for group in GROUPS:
        yield name, group, groups[group], share(groups[group], groups.total())


def _kalm_ring() -> Iterator[tuple[object, ...]]:
    for group in GROUPS:
        yield published.KALM, group, None, published.KALM_SHARES[group]


def _kalm(inputs: Inputs) -> Iterator[tuple[object, ...]]:
    rows_of = {source: entry["rows"] for source, entry in inputs.rows.stats["sources"].items()}
    whole = sum(dataset.pairs or 0 for dataset in published.kalm_datasets())
    for dataset in published.kalm_datasets():
        same, related = ([s for s in names if s in rows_of] for names in (dataset.sources, dataset.related))
        rows = sum(rows_of[s] for s in same) if same else None
        yield (
            dataset.name,
            dataset.language,
            dataset.pairs,
            None if dataset.pairs is None else share(dataset.pairs, whole),
            ", ".join(same) or None,
            ", ".join(related) or None,
            rows,
            None if rows is None else share(rows, sum(rows_of.values())),
        )
