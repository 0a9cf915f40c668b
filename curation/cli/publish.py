"""`curate publish`: a mix as a dataset of the Hub."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from curation.cli.mixes import find_mix
from curation.cli.options import AsJson, DryRun, Params, ProfileName
from curation.pipeline.opening import PARAMS
from open_ml_embed.core.printing import print_json, print_text

if TYPE_CHECKING:
    from curation.publish.upload import Published

Public = Annotated[bool, typer.Option("--public", help="Let everybody read it; a new repository is private without.")]
Branch = Annotated[str, typer.Option(help="To commit to; made if it is not there.")]
Endpoint = Annotated[str | None, typer.Option(help="URL of another Hub; default: HF_ENDPOINT, or huggingface.co.")]


def publish(
    mix: Annotated[str, typer.Argument(help="A mix of the profile, or the folder of any.")],
    to: Annotated[str, typer.Option("--to", help="The repository, owner/name; made if it is not there.")],
    profile: ProfileName = None,
    params: Params = PARAMS,
    without: Annotated[
        list[str] | None,
        typer.Option(help="Leave a source out, and the samples that it has too; can be repeated."),
    ] = None,
    branch: Branch = "main",
    endpoint: Endpoint = None,
    *,
    public: Public = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Publish a mix on the Hub, with card, licenses and statistics; private unless --public.

    Sources whose licenses do not allow it are refused by name. A run that was stopped goes on: what the Hub has is not
    sent again.
    """
    from curation.publish.run import manifest_finder, publish_mix
    from curation.publish.upload import Repository

    folder, build = find_mix(mix, profile, params)
    if endpoint is None and build is not None:
        endpoint = build.profile.sources.endpoint
    done = publish_mix(
        folder,
        Repository(to, "dataset", public, branch, endpoint),
        manifest_of=manifest_finder(folder, build),
        build=build,
        without=tuple(without or ()),
        dry_run=dry_run,
    )
    left = done.without
    if as_json:
        print_json(
            {**asdict(done.published), "without": asdict(left) if left else None, "public": public, "dry_run": dry_run}
        )
        return
    if left:
        counts = f"{left.samples:,} samples, {left.documents:,} documents, {left.negatives:,} negatives"
        print_text(f"left out with {', '.join(without or ())}: {counts}")
    print_published(mix, to, done.published, public=public, dry_run=dry_run)


def print_published(what: str, to: str, done: Published, *, public: bool, dry_run: bool) -> None:
    """Print what is in a repository of the Hub now, or would be.

    Args:
        what: mix or model.
        to: the repository.
        done: what publishing returned.
        public: whether everybody can read a new repository.
        dry_run: whether nothing was uploaded; then every file is listed.

    """
    for name, size in done.files.items() if dry_run else ():
        print_text(f"  {name}: {size:,} bytes")
    seen = "everybody can read it" if public else "private"
    state = "would be uploaded" if dry_run else f"at {done.commit}"
    print_text(f"{what} → {to} ({seen}): {len(done.files)} files, {sum(done.files.values()):,} bytes, {state}")
    if done.removed:
        print_text(f"  removed there: {', '.join(done.removed[:5])}")
