"""The card of a published mix: the mix's own, and what a reader elsewhere needs besides: columns, languages, licenses,
evaluation sets, settings, and how to train on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from curation.mixing.card import dataset_card
from open_ml_embed.core.markdown import markdown_text
from open_ml_embed.core.version import code_commit, version
from sources.manifest import Manifest

LICENSES = "LICENSES.md"
SAMPLE_COLUMNS = {
    "row_id": "identifier, the same in every build of the row",
    "source": "name of the source",
    "subset": "a language, a direction or a part of the source",
    "provenance": "every source and subset that has the sample, its own first",
    "license": "the strictest license of those sources",
    "family": "retrieval, clustering or classification: how negatives are to be used",
    "task": "type of the task",
    "language": "of the query: ISO 639-3, or the name of a programming language",
    "positive_language": "of the positive",
    "query": "the query, with its instruction where the mix has any",
    "other_queries": "other wordings of the query, from duplicates",
    "positive": "text of the positive",
    "query_cluster": "number; queries with the same one are equal or near-duplicates",
    "positive_id": "`document_id` of the positive",
    "other_positive_ids": "`document_id` of further positives",
    "negative_ids": "`document_id` of the hard negatives, given ones before mined ones",
}
DOCUMENT_COLUMNS = {
    "document_id": "number, from 0 on in the order of the files",
    "text": "the text",
    "cluster": "number; documents with the same one are equal or near-duplicates, never negatives of each other",
    "source": "name of the source",
    "subset": "a language, a direction or a part of the source",
}
_LANGUAGES = 30
"""Languages in the table of the card; `statistics/languages.tsv` has all."""
_TRAINERS = {
    "train3d, of open-ml-embed": "train3d fit --set stages.0.mix={folder}",
    "sentence-transformers": "curate export {folder} --format sentence-transformers --to data",
    "FlagEmbedding": "curate export {folder} --format flagembedding --to data",
    "Tevatron": "curate export {folder} --format tevatron --to data",
    "ms-swift": "curate export {folder} --format ms-swift --to data",
}


@dataclass(frozen=True)
class Facts:
    """What is known of a mix that is published.

    Attributes:
        title: of the mix.
        stats: as `curation.mixing.card.dataset_card` takes them.
        manifests: of its sources.
        settings: of the build, without paths of the machine; empty if it is not known.
        contamination: evaluation set → source → rows with one of its texts, which are not in the mix; null: not known.
        left_out: sources that are left out, since their licenses do not allow it or nobody wants them published.
        selection: settings of the mix file that decide which rows it takes, and their values.
        corpora: whose documents are negatives, and which have no samples.

    """

    title: str
    stats: dict[str, Any]
    manifests: list[Manifest]
    settings: Mapping[str, Any] = field(default_factory=dict)
    contamination: Mapping[str, Mapping[str, int]] | None = None
    left_out: Sequence[str] = ()
    selection: Sequence[tuple[str, str]] = ()
    corpora: Sequence[Manifest] = ()


def published_card(facts: Facts, repository: str) -> str:
    """Return the card as Markdown with YAML front matter."""
    parts = [
        dataset_card(
            facts.title,
            facts.stats,
            facts.manifests,
            license_link=LICENSES,
            selection=facts.selection,
            corpora=facts.corpora,
        ).rstrip("\n"),
        _columns(),
        _languages(facts.stats["languages"]),
        _contamination(facts.contamination),
        _training(repository),
        _made(facts),
    ]
    return "\n\n".join(parts) + "\n"


def licenses(manifests: Sequence[Manifest]) -> str:
    """Return the file of all licenses, in Markdown."""
    lines = [
        f"| {m.name} | {m.license.id} | {'yes' if m.license.commercial else 'no'} | "
        f"{'yes' if m.license.redistribution else 'no'} | {markdown_text(m.license.note)} |"
        for m in manifests
    ]
    table = "\n".join(
        ["| source | license | commercial use | redistribution | note |", "| --- | --- | --- | --- | --- |"]
    )
    about = "Every sample names the strictest license of its sources in the column `license`."
    return f"# Licenses\n\n{about}\n\n{table}\n" + "\n".join(lines) + "\n"


def _columns() -> str:
    tables = []
    for name, columns in (("samples", SAMPLE_COLUMNS), ("documents", DOCUMENT_COLUMNS)):
        rows = "\n".join(f"| `{column}` | {what} |" for column, what in columns.items())
        tables.append(f"| `{name}` | |\n| --- | --- |\n{rows}")
    return "## Columns\n\n" + "\n\n".join(tables)


def _languages(counts: Mapping[str, int]) -> str:
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_LANGUAGES]
    rows = "\n".join(f"| {markdown_text(name)} | {count:,} |" for name, count in most)
    about = "Samples with a language on either side" + (
        f", the {_LANGUAGES} largest; `statistics/languages.tsv` has all {len(counts)}."
        if len(counts) > _LANGUAGES
        else "."
    )
    return f"## Languages\n\n{about}\n\n| language | samples |\n| --- | ---: |\n{rows}"


def _contamination(found: Mapping[str, Mapping[str, int]] | None) -> str:
    title = "## Evaluation sets"
    if found is None:
        return f"{title}\n\nIt is not known which evaluation sets were taken out of this mix."
    if not found:
        return f"{title}\n\nNo evaluation set was taken out of this mix."
    rows = "\n".join(f"| {markdown_text(name)} | {sum(of.values()):,} |" for name, of in sorted(found.items()))
    about = (
        "Rows that hold a text of one of these sets, equal, near or contained, are not in the mix. "
        "`statistics/contamination.tsv` has them by source."
    )
    return f"{title}\n\n{about}\n\n| evaluation set | rows left out |\n| --- | ---: |\n{rows}"


def _training(repository: str) -> str:
    folder = repository.rpartition("/")[2]
    rows = "\n".join(f"| {name} | `{command.format(folder=f'./{folder}')}` |" for name, command in _TRAINERS.items())
    get = f"hf download {repository} --repo-type dataset --local-dir {folder}"
    return f"## Training on it\n\n```sh\n{get}\n```\n\n| trainer | command |\n| --- | --- |\n{rows}"


def _made(facts: Facts) -> str:
    commit = code_commit()
    made = f"open-ml-embed {version()}" + (f", commit {commit}" if commit else "")
    lines = [f"## How it was made\n\nBy {made}."]
    if facts.left_out:
        lines.append(f"Published without the sources {', '.join(facts.left_out)}, and the samples that they have too.")
    if facts.settings:
        text = yaml.safe_dump(dict(facts.settings), sort_keys=False, allow_unicode=True, width=100)
        lines.append(f"Settings that are not the defaults:\n\n```yaml\n{text}```")
    return "\n\n".join(lines)
