"""The dataset card of a mix: YAML front matter for the Hub, and a description for readers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import yaml

from curation.mixing.filters import FILTERS
from open_ml_embed.core.markdown import markdown_text
from sources.manifest import Manifest

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
          (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"))  # fmt: skip

_BODY = """
# {title}

{samples:,} samples ({train:,} train, {validation:,} validation) over {documents:,} documents, in {languages} languages.

- `samples`: a query, its positive, and the numbers of its hard negatives.
- `documents`: every text once, by number. Documents of one `cluster` are the same or near-duplicates and must not
  count as negatives of each other.

```python
from datasets import load_dataset

samples = load_dataset("parquet", data_files={{"train": "samples/train-*.parquet"}}, split="train")
documents = load_dataset("parquet", data_files="documents/*.parquet", split="train")
sample = samples[0]
negatives = documents[sample["negative_ids"]]["text"]
```

Rows that share a query are on one side of the split; training rows whose document is held out are left out.

| source | family | train | validation | license | commercial use |
| --- | --- | ---: | ---: | --- | --- |
{rows}
{selection}
## Citations

{citations}
"""


def dataset_card(
    title: str,
    stats: dict[str, Any],
    manifests: list[Manifest],
    *,
    license_link: str | None = None,
    selection: Sequence[tuple[str, str]] = (),
    corpora: Sequence[Manifest] = (),
) -> str:
    """Return the card as Markdown with YAML front matter.

    Args:
        title: of the mix.
        stats: statistics of the step `mix`: its `counts`, `languages`, and `train` and `validation` of its `sources`;
            and, if they are known, its `filters`.
        manifests: of the sources in the mix.
        license_link: file of the repository that has all licenses; null: there is none.
        selection: settings of the mix file that decide which rows it takes, and their values.
        corpora: whose documents may be negatives, and which have no samples.

    """
    counts = stats["counts"]
    front = {
        "pretty_name": title,
        "license": "other",
        "license_name": "see-the-table-of-sources",
        **({"license_link": license_link} if license_link else {}),
        "language": sorted(code for code in stats["languages"] if len(code) == 3 and code.isalpha()),
        "multilinguality": "multilingual",
        "size_categories": [next((name for most, name in _SIZES if counts["samples"] < most), "n>100M")],
        "task_categories": ["sentence-similarity", "feature-extraction", "text-retrieval"],
        "tags": ["embeddings", "hard-negatives", *sorted({m.family for m in manifests})],
        "configs": [
            {
                "config_name": "samples",
                "default": True,
                "data_files": [
                    {"split": split, "path": f"samples/{split}-*.parquet"} for split in ("train", "validation")
                ],
            },
            {"config_name": "documents", "data_files": "documents/*.parquet"},
        ],
    }
    rows = "\n".join(
        f"| {m.name} | {m.family} | {stats['sources'][m.name]['train']:,} | "
        f"{stats['sources'][m.name]['validation']:,} | {m.license.id} | {'yes' if m.license.commercial else 'no'} |"
        for m in manifests
    )
    rows += "".join(
        f"\n| {m.name} | documents only | – | – | {m.license.id} | {'yes' if m.license.commercial else 'no'} |"
        for m in corpora
    )
    body = _BODY.format(
        title=markdown_text(title),
        languages=len(stats["languages"]),
        rows=rows,
        selection=_selection(selection, stats),
        citations="\n".join(f"- {markdown_text(m.title)}: {markdown_text(m.citation)}" for m in (*manifests, *corpora)),
        **counts,
    )
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n{body}"


def _selection(selection: Sequence[tuple[str, str]], stats: dict[str, Any]) -> str:
    """Return the section on what the mix file takes, and how many rows that leaves out; empty if it takes all."""
    if not selection:
        return ""
    lines = ["", "## Selection", "", "Of the rows of these sources, the mix file takes:", ""]
    lines += [f"- `{setting}`: {markdown_text(value)}" for setting, value in selection]
    if "filters" in stats:
        counts = sum((Counter(of) for of in stats["filters"].values()), Counter[str]())
        left_out = {name: counts[name] for name in FILTERS if counts[name]}
        for reason in ("over-cap", "not-drawn"):
            left_out[reason] = sum(of[reason] for of in stats["sources"].values())
        rows = [f"| {name} | {count:,} |" for name, count in left_out.items() if count]
        lines += ["", "| left out by | rows |", "| --- | ---: |", *rows] if rows else ["", "It leaves out no row."]
    return "\n".join([*lines, ""])
