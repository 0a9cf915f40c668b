"""What a run would do, for `--dry-run`: the state of each step, what an earlier run left, bytes to fetch, minutes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from curation.build import Build, title
from curation.mixing.recipe import built_mixes
from curation.pipeline.estimate import load_rates, size_of, worker_seconds
from curation.pipeline.expected_rows import expected_rows
from curation.pipeline.freshness import Checker, State
from curation.pipeline.plan import downloads, size
from curation.pipeline.status import duration
from open_ml_embed.core.errors import StageError
from open_ml_embed.core.store import MARKER
from open_ml_embed.core.words import counted
from sources import registry

TASKS_OF = {
    "normalize": "rows", "identify": "languages", "measure": "quality", "dedup": "clusters",
    "decontaminate": "contamination", "mine": "mined",
}  # fmt: skip
"""Step → the operation whose finished tasks are counted: the one that takes most of its time, or writes its tables."""


@dataclass(frozen=True)
class Planned:
    """What a run would do with a step.

    Attributes:
        state: see `curation.pipeline.freshness.State`; a `done` step is left as it is.
        why: why it would run; empty if it would not.
        tasks_kept: finished tasks of earlier runs; those whose inputs have not changed are not done again.
        bytes: of all raw files, as manifests or a probe state them; null if none is known, and for other steps.
        seconds: estimate, from the rates of `curate plan`; null without a rate.

    """

    state: str
    why: str
    tasks_kept: int = 0
    bytes: int | None = None
    seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as data for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        if self.state == "done":
            return "is current"
        said = [f"would run: {self.why}"]
        if self.tasks_kept:
            said.append(f"{counted(self.tasks_kept, 'task')} of earlier runs here")
        if self.bytes is not None:
            said.append(f"about {size(self.bytes)} of raw files, less those that are here")
        if self.seconds is not None:
            said.append(f"about {duration(self.seconds)}")
        return "; ".join(said)


def planned(build: Build, wanted: Iterable[str]) -> dict[str, Planned]:
    """Return step → what a run would do with it, by the steps' names on the command line.

    Args:
        build: the profile, with the workers that would be used.
        wanted: steps by the names of their files, in the order they run.

    """
    states = Checker(build).states()
    seconds = _seconds(build, states["normalize"])
    found = {}
    for step in wanted:
        state, kind = states[step], step.partition("-")[0]
        if state.kind == "done":
            found[title(step)] = Planned("done", "")
            continue
        kept = build.store.count(TASKS_OF[step], MARKER) if step in TASKS_OF else 0
        whole = _bytes(build) if step == "fetch" else None
        found[title(step)] = Planned(state.kind, state.why, kept, whole, seconds.get(kind))
    return found


def _seconds(build: Build, normalized: State) -> dict[str, float]:
    """Return kind of step → estimate of the seconds that it takes with the build's workers; nothing without rates."""
    if not registry.file("rates.yaml", build.root).is_file():  # `CORPUS_MANIFESTS` names another folder
        return {}
    try:
        manifests = build.manifests()
    except StageError:  # no source is chosen: a step that needs some says so
        return {}
    rates, profile = load_rates(build.root), build.profile
    made = normalized.result.stats["sources"] if normalized.result and normalized.known else {}
    sizes = []
    for manifest in manifests:
        rows = made[manifest.name]["rows"] if manifest.name in made else expected_rows(manifest, profile)
        sizes.append((manifest.task, rows, len(manifest.subsets)))
    whole, mixes = size_of(rates, sizes), len(built_mixes(profile, build.root))
    found = {step: worker_seconds(rate, whole) / build.workers.number for step, rate in rates.steps.items()}
    if "mix" in found and mixes:
        found["mix"] /= 2  # the rate is that of the two mixes of the corpus
    return found


def _bytes(build: Build) -> int | None:
    """Return the bytes of all raw files as far as they are stated; null if none are."""
    stated = [download.bytes for download in downloads(build, build.manifests()).values() if download.bytes is not None]
    return sum(stated) if stated else None
