"""Whether the result of a step is current: made from what there is now, with all its tables in their places.

The one rule for everything a step reads. A result counts when its step's file is there, when the steps that it was made
from count, when its facts (`curation.pipeline.dependencies`) are those of now, and when its files are there in their
full size. What does not count is refused, with what differs and the first verb of the chain that has to be run again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from curation.build import STEPS, Build, Facts, Inputs, StepResult, open_hashes, title
from curation.pipeline.dependencies import RESULT_OF, Context, facts_of, needs
from curation.pipeline.overrides import overridden
from curation.raw_files import missing_raw
from open_ml_embed.core.errors import CorpusError, StageError

MOST_SAID = 3
"""Differences that a message names."""


@dataclass(frozen=True)
class State:
    """How a step's result stands.

    Attributes:
        kind: `done`; `stale`: made from something else than there is now; `missing`: not run; `lost`: run, but its
            files are gone; `refused`: run, but what became of some of its sources keeps it from counting.
        result: what its file says; null where there is none.
        why: what differs, a sentence; empty where it is done.
        remedy: the first command of the chain that has to be run again.

    """

    kind: Literal["done", "stale", "missing", "lost", "refused"]
    result: StepResult | None = None
    why: str = ""
    remedy: str = ""

    @property
    def known(self) -> bool:
        """Tell whether what the step made is known, be its files there or not."""
        return self.kind in ("done", "lost")


@dataclass
class Checker:
    """Checks the results of one build; each is looked at once, so that one object answers for one moment.

    Attributes:
        build: the profile.
        away: this machine has no need of shards and raw files: only mixes and the steps' files have to be here.

    """

    build: Build
    away: bool = False
    _states: dict[str, State] = field(default_factory=dict)
    _results: dict[str, StepResult | StageError | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hashes = open_hashes(self.build)

    def require(self, step: str, *, refused: bool = False) -> StepResult:
        """Return the result of a step, which must be current; one that was refused only where `refused` asks for it.

        Raises:
            StageError: it is not.

        """
        state = self.state(step)
        if refused and state.kind == "refused" and state.result is not None:
            return state.result
        return self._all([step])[step]

    def inputs(self, step: str) -> Inputs:
        """Return what a step reads, all of it current; see `require`."""
        build = self.build
        results = self._all(needs(step, build, self._known))
        made_from = facts_of(step, Context(build, results, {}, self.hashes))
        self.hashes.save()
        return Inputs(build, step, results, made_from)

    def state(self, step: str) -> State:
        """Return how a step's result stands."""
        if step not in self._states:
            self._states[step] = self._look(step)
        return self._states[step]

    def states(self) -> dict[str, State]:
        """Return how every step stands, in the order they run."""
        from curation.mixing.recipe import built_mixes

        mixes = built_mixes(self.build.profile, self.build.root)
        steps = (*STEPS, *(f"mix-{name}" for name in mixes), "report")
        found = {step: self.state(step) for step in steps}
        found["fetch"] = self.state("fetch")  # what `normalize` would need of it is known by now
        self.hashes.save()
        return found

    def _all(self, steps: Iterable[str]) -> dict[str, StepResult]:
        found: dict[str, StepResult] = {}
        for step in steps:
            state = self.state(step)
            if state.result is None or state.kind != "done":
                self.hashes.save()
                raise StageError(state.why, where=f"profile {self.build.name}", remedy=state.remedy)
            found[step] = state.result
        return found

    def _read(self, step: str) -> StepResult | StageError | None:
        if step not in self._results:
            try:
                self._results[step] = self.build.read(step)
            except StageError as error:
                self._results[step] = error
        return self._results[step]

    def _known(self, step: str) -> StepResult | None:
        found = self._read(step)
        return None if isinstance(found, StageError) else found

    def _look(self, step: str) -> State:
        result = self._read(step)
        if isinstance(result, StageError):
            return State("missing", why=result.what, remedy=result.remedy)
        build = overridden(self.build, step, result.overrides) if result else self.build
        own = command(build, step, result)
        try:
            before = {need: self.state(need) for need in needs(step, build, self._known)}
            broken = next((state for state in before.values() if not state.known), None)
            if result is None:
                state = State("missing", None, f"step {title(step)} has not been run", broken.remedy if broken else own)
            elif broken:
                state = State("stale", result, broken.why, broken.remedy)
            else:
                results = {need: found.result for need, found in before.items() if found.result is not None}
                context = Context(build, results, result.made_from, self.hashes, self.away)
                state = self._compared(step, result, facts_of(step, context), own)
        except CorpusError as error:  # a manifest, a mix file or a setting that cannot be read
            if result is None:
                return State("missing", None, f"step {title(step)} has not been run", own)
            said = f"{error.where}: {error.what}" if error.where else error.what
            return State("stale", result, f"step {title(step)} is stale: {said}", error.remedy or own)
        return self._with_raw(state) if step == "normalize" and state.kind != "done" else state

    def _compared(self, step: str, result: StepResult, now: Facts, own: str) -> State:
        if not result.made_from:
            return State("stale", result, f"step {title(step)} is stale: it was made by an older version", own)
        differing = list(differences(result.made_from, now))
        if differing:
            return State("stale", result, f"step {title(step)} is stale: {_listed(differing)}", own)
        lost = self._lost(step, result)
        if lost:
            return State("lost", result, f"step {title(step)} was run, but {lost}", own)
        if result.refused:
            names = ", ".join(result.refused)
            why = f"step {title(step)} does not count as done: {names} failed in it"
            return State("refused", result, why, f"run `{own}` again: it says what to do for each")
        return State("done", result)

    def _lost(self, step: str, result: StepResult) -> str | None:
        """Say which files of a result are gone or cut; null: none."""
        place = self.build.place(step)
        in_work = place.root == self.build.store.root
        if self.away and in_work:
            return None
        sizes = place.sizes(file.path for file in result.files)
        gone = [file.path for file in result.files if sizes[file.path] is None]
        folder = f"{'work' if in_work else 'out'}/{self.build.name}/"
        if gone:
            noun = "shards are" if in_work else "files are"
            return f"{len(gone)} of its {len(result.files)} {noun} missing from {folder} (the first: {gone[0]})"
        cut = next((file for file in result.files if sizes[file.path] != file.bytes), None)
        if cut is None:
            return None
        return f"{folder}{cut.path} has {sizes[cut.path]} bytes, and {cut.bytes} were written"

    def _with_raw(self, state: State) -> State:
        """Let `fetch` go first where rows have to be made again from raw files that are no longer here."""
        fetched = self.state("fetch")
        if self.away or fetched.kind != "done" or fetched.result is None:
            return state
        pools = None
        if state.kind == "lost" and state.result is not None:
            sizes = self.build.store.sizes(file.path for file in state.result.files)
            broken = [file.path for file in state.result.files if sizes[file.path] != file.bytes]
            pools = {(source, subset) for source, subset in (path.split("/")[1:3] for path in broken)}
        raw = missing_raw(self.build, fetched.result, pools)
        if raw is None:
            return state
        why = f"{state.why}; and the raw file {raw} is missing"
        self._states["fetch"] = State(
            "lost", fetched.result, f"step fetch was run, but {raw} is missing", command(self.build, "fetch")
        )
        return State(state.kind, state.result, why, command(self.build, "fetch"))


def command(build: Build, step: str, result: StepResult | None = None) -> str:
    """Return the command that runs a step again, with what its command line said before."""
    overrides = result.overrides if result else {}
    options = "".join(f" --evaluation {folder}" for folder in overrides.get("evaluation", ()))
    options += f" --teacher {overrides['teacher']}" if "teacher" in overrides else ""
    return build.command(f"curate {title(step)}{options}")


def differences(then: Facts, now: Facts) -> Iterator[str]:
    """Yield what differs between two sets of facts, a sentence each.

    >>> list(differences({"settings": {"dedup": {"threshold": 0.8}}}, {"settings": {"dedup": {"threshold": 0.7}}}))
    ['setting dedup.threshold changed (0.8, now 0.7)']

    """
    for path, old, new in _leaves(then, now, ()):
        yield _sentence(path, old, new)


def _listed(differing: list[str]) -> str:
    more = [f"and {len(differing) - MOST_SAID} more"] if len(differing) > MOST_SAID else []
    return "; ".join([*differing[:MOST_SAID], *more])


_NOTHING = object()


def _leaves(then: object, now: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object, object]]:
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted({*then, *now}):
            yield from _leaves(then.get(key, _NOTHING), now.get(key, _NOTHING), (*path, key))
    elif then != now:
        yield path, then, now


def _what(old: object, new: object) -> str:
    if old is _NOTHING:
        return "was added"
    return "is gone" if new is _NOTHING else "changed"


def _sentence(path: tuple[str, ...], old: object, new: object) -> str:
    """Say what differs, where `path` leads to among the facts."""
    kind, *rest = path
    name, what = ".".join(rest), _what(old, new)
    unit = "version " if kind == "operations" else ""
    values = (
        f" ({unit}{_shown(old)}, now {_shown(new)})"
        if kind in ("settings", "operations") and _NOTHING not in (old, new)
        else ""
    )
    if kind == "raw":
        return _of_raw(rest, what, new)
    if kind == "evaluation" and rest[1:]:
        name, what = rest[0], f"{what} (its {'files' if rest[1] == 'files' else 'description'})"
    elif kind == "sources" and rest[1:]:
        name, what = rest[0], f"{what} ({'.'.join(rest[1:])})"
    elif kind == "sources" and what != "changed":
        return f"source {name} {what}"
    elif kind == "contamination" and None in (old, new):
        before = "before step decontaminate was run" if old is None else "with evaluation sets, and now there are none"
        return f"it was made {before}"
    return _SENTENCES.get(kind, f"{kind} {{name}} {{what}}").format(name=name, what=what) + values


_SENTENCES = {
    "settings": "setting {name} {what}",
    "operations": "operation {name} {what}",
    "sources": "manifest of {name} {what}",
    "files": "raw files of {name} {what}",
    "skipped": "source {name} {what} among those that this machine cannot fetch",
    "lock": "the lock of {name} {what}",
    "models": "the files of {name} {what}",
    "evaluation": "evaluation set {name} {what}",
    "order": "the order of the evaluation sets {what}",
    "recipe": "the mix file {what} ({name})",
    "recipes": "the mix file of {name} {what}",
    "results": "step {name} was run again",
    "evaluation.json": "evaluation.json {what}",
    "mixes": "the mix of stage {name} {what}",
    "stage_order": "the order of the stages {what}",
    "backbone": "the files of the backbone {what}",
    "version": "the trainer is of another version",
    **{name: f"it was made from other {name}" for name in (*RESULT_OF.values(), "contamination")},
}


def _of_raw(path: list[str], what: str, new: object) -> str:
    source, *name = path
    if name and name[0]:
        return f"raw file {name[0]} {what}"
    if name:
        return f"raw files of {source} are not what its manifest asks for: {_shown(new)}"
    return f"raw files of {source} {'lie' if what == 'was added' else 'are no longer'} below sources.local_root"


def _shown(value: object) -> str:
    text = "none" if value is None or value is _NOTHING else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def save_as_made(build: Build, result: StepResult) -> None:
    """Save a result whose tables were written by other hands, a benchmark's or a test's, as made from what is there."""
    steps = {step: build.read(step) for step in needs(result.step, build, build.read)}
    results = {step: found for step, found in steps.items() if found is not None}
    result.made_from = facts_of(result.step, Context(build, results, {}, open_hashes(build)))
    build.save(result)


def load(build: Build, step: str) -> StepResult:
    """Read a step's file, which must be current: made from what there is now, its tables in their places.

    Raises:
        StageError: it is not, or the step has not been run; the remedy is the first verb to run again.

    """
    return Checker(build).require(step)


def inputs_of(build: Build, step: str) -> Inputs:
    """Return the results that a step reads, all of them current, and what its own is made from.

    Raises:
        StageError: see `load`.

    """
    return Checker(build).inputs(step)
