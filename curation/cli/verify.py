"""`curate verify`."""

from __future__ import annotations

from typing import Annotated

import typer

from curation.cli.options import Address, AsJson, Count, DryRun, Engine, Params, ProfileName
from curation.pipeline.lock import alone
from curation.pipeline.opening import PARAMS, open_build
from open_ml_embed.core.printing import print_text


def verify(
    profile: ProfileName = None,
    params: Params = PARAMS,
    workers: Count = 0,
    engine: Engine = "local",
    ray_address: Address = None,
    *,
    deep: Annotated[bool, typer.Option("--deep", help="Read every file and compare its hash.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Delete what is damaged, and make it again.")] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Check that shards, markers, results, mixes, raw files and models still are what was written."""
    from curation.verify.printing import print_verified
    from curation.verify.run import end, repaired
    from curation.verify.run import verify as check

    build = open_build(profile, params, workers, engine, ray_address)
    if dry_run:
        print_text(f"verify: work/{build.name}, work/evaluations, out/{build.name} and the raw files that fetch listed")
        return
    with alone(build):
        if repair:
            found, left = repaired(build, deep=deep)
        else:
            found, left = check(build, deep=deep), None
    print_verified(build.name, found, left, deep=deep, as_json=as_json)
    end(build, left or found, after_repair=repair)
