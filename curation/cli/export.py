"""`curate export`: a mix in the format of another trainer."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from curation.cli.mixes import find_mix
from curation.cli.options import AsJson, DryRun, Params, ProfileName
from curation.export.exporters import EXPORTERS
from curation.export.options import Options
from curation.pipeline.opening import PARAMS
from open_ml_embed.core.errors import SettingsError
from open_ml_embed.core.printing import print_json, print_text

_DEFAULT = Options()


def export(
    mix: Annotated[str, typer.Argument(help="A mix of the profile, or the folder of any.")],
    format_name: Annotated[str, typer.Option("--format", help=f"One of {', '.join(EXPORTERS.names())}.")],
    to: Annotated[Path, typer.Option("--to", help="The folder to write: new, empty, or an earlier export.")],
    profile: ProfileName = None, params: Params = PARAMS,
    split: Annotated[
        str | None, typer.Option(help="train or validation; default: train, and of beir validation.")
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option(help="Only samples with it on either side: deu, python; can be repeated.")
    ] = None,
    source: Annotated[list[str] | None, typer.Option(help="Only samples of it; can be repeated.")] = None,
    license: Annotated[
        str | None, typer.Option(help="commercial or redistribution: what all sources of a sample must allow.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many samples, drawn by --seed.")] = None,
    negatives: Annotated[
        int | None, typer.Option(help="Negatives a row, the first ones; default: the format's own, or all there are.")
    ] = None,
    shortage: Annotated[
        str, typer.Option(help="Rows with fewer than the format needs: drop, or repeat what they have.")
    ] = _DEFAULT.shortage,
    seed: Annotated[int, typer.Option(help="Of the order, and of what --limit draws.")] = _DEFAULT.seed,
    shard_rows: Annotated[int, typer.Option(help="Rows a file.")] = _DEFAULT.shard_rows,
    temperature: Annotated[
        float | None, typer.Option(help="With --limit: shares of sources are their rows ** (1 / temperature).")
    ] = None,
    weight: Annotated[
        list[str] | None, typer.Option(help="With --limit: SOURCE=FACTOR of its share, 0 for none; can be repeated.")
    ] = None,
    files: Annotated[
        str | None, typer.Option(help="parquet, jsonl or jsonl.zst, where the format's reader takes several.")
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help="Of formats of token ids: the folder of the model that will be trained.")
    ] = None,
    *, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Write a mix in the format of another trainer; docs/formats.md says which there are."""
    from curation.export.readme import REASONS
    from curation.export.run import export as write

    chosen: dict[str, Any] = {"split": split, "license": license, "shortage": shortage, "files": files}
    options = Options(
        languages=tuple(language or ()), sources=tuple(source or ()), limit=limit, negatives=negatives, seed=seed,
        shard_rows=shard_rows, temperature=temperature, weights=_weights(weight or []), tokenizer=tokenizer, **chosen,
    )  # fmt: skip
    done = write(find_mix(mix, profile, params)[0], format_name, to, options, dry_run=dry_run)
    if as_json:
        print_json({**asdict(done), "to": str(to), "dry_run": dry_run})
        return
    families = ", ".join(f"{name} {count:,}" for name, count in done.families.items())
    written = "would be written" if dry_run else f"in {len(done.files)} files"
    print_text(f"{done.mix} → {to}: {done.samples:,} of {done.total:,} samples of {done.split} ({families}), {written}")
    for reason, count in done.left_out.items():
        print_text(f"  left out: {count:,} {REASONS[reason]}")
    if done.repeated:
        print_text(f"  repeated negatives: {done.repeated:,} samples")
    for note in done.notes:
        print_text(f"  {note}")


def _weights(words: list[str]) -> dict[str, float]:
    """Return source → factor, from words such as `squad=2`."""
    found = {}
    for word in words:
        source, mark, number = word.rpartition("=")
        try:
            found[source] = float(number)
        except ValueError:
            mark = ""
        if not mark:
            raise SettingsError(f"{word!r} is no factor", where="--weight", remedy="write SOURCE=FACTOR, as squad=2")
    return found
