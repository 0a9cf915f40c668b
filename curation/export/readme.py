"""The README of an export: what is in the columns, how many rows, what was left out, and the command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

import yaml

from curation.export.options import Options

if TYPE_CHECKING:
    from curation.export.exporters import Exporter
    from curation.export.run import Exported

REASONS = {
    "source": "of another source than was asked for",
    "language": "in other languages than were asked for",
    "license": "a source's license does not allow what was asked for",
    "family": "of a loss family that the format has no place for",
    "negatives": "fewer hard negatives than a row needs",
    "limit": "over the limit",
}
"""Why samples are left out, in the order they are asked about."""


def readme(exporter: Exporter, done: Exported, groups: Mapping[str, int], options: Options) -> str:
    """Return Markdown, with the folders as configurations for the Hub's dataset loader."""
    columns = "\n".join(f"| `{name}` | {what} |" for name, what in exporter.columns.items())
    files = "\n".join(f"| `{pattern}` | {rows:,} |" for pattern, rows in groups.items() if rows)
    lost = "\n".join(f"| {REASONS.get(why, why)} | {count:,} |" for why, count in done.left_out.items())
    sources = "\n".join(f"| {name} | {count:,} |" for name, count in done.sources.items())
    repeated = f"\n{done.repeated:,} samples have fewer negatives than a row has: theirs are there again.\n"
    parts = [
        f"---\n{yaml.safe_dump({'configs': _configs(done, groups)}, sort_keys=False)}---\n",
        f"# {done.mix}: {exporter.title}\n",
        f"{done.samples:,} of the {done.total:,} samples of the split {done.split}, in an order drawn with seed "
        f"{options.seed}. {exporter.reader[0].upper()}{exporter.reader[1:]}\n",
        f"```sh\n{command(done, options)}\n```\n",
        f"| column | what it holds |\n| --- | --- |\n{columns}\n",
        exporter.usage,
        "\n".join(f"- {note}" for note in done.notes) + "\n" if done.notes else "",
        f"| files | rows |\n| --- | ---: |\n{files}\n",
        f"| left out | samples |\n| --- | ---: |\n{lost}\n" if lost else "No sample was left out.\n",
        repeated.lstrip() if done.repeated else "",
        f"| source | samples |\n| --- | ---: |\n{sources}\n",
        "The licenses of the sources are in the dataset card of the mix.\n",
    ]
    return "\n".join(part for part in parts if part)


def command(done: Exported, options: Options) -> str:
    """Return the command that writes the same, but for where."""
    default = Options()
    words = ["curate", "export", done.mix, "--format", done.format, "--to", "FOLDER"]
    for name, value in (("language", options.languages), ("source", options.sources)):
        for one in value:
            words += [f"--{name}", one]
    for source, weight in options.weights.items():
        words += ["--weight", f"{source}={weight:g}"]
    for name in (
        "split", "license", "limit", "temperature", "negatives", "shortage", "seed", "shard_rows", "files", "tokenizer",
    ):  # fmt: skip
        value = getattr(options, name)
        if value != getattr(default, name):
            words += [f"--{name.replace('_', '-')}", str(value)]
    return shlex.join(words)


def _configs(done: Exported, groups: Mapping[str, int]) -> list[dict[str, object]]:
    """Return the configurations for the Hub's dataset loader: of tables that one of its readers takes.

    It reads all configurations of a folder with one reader, by the names of the first files. With a file of tabs among
    them, it takes JSON lines for one column of texts, without a word.
    """
    return [
        {"config_name": _config_name(pattern), "data_files": [{"split": done.split, "path": pattern}]}
        for pattern, rows in groups.items()
        if rows and pattern.endswith((".parquet", ".jsonl", ".jsonl.zst"))
    ]


def _config_name(pattern: str) -> str:
    """Return the innermost folder of shards; the name of a file that is alone."""
    folder, _, name = pattern.rpartition("/")
    return folder.rpartition("/")[2] if folder and "*" in name else name.partition(".")[0]
