"""Freshness: check whether the result of a step is current.

A result is current if its step's file exists, if the results that it was made from are current, if its facts
(`curation.pipeline.dependencies`) have not changed, and if its files exist in full size. Any other result is refused,
with a message about what differs and the first command to run again.
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
    """State of a step's result.

    Attributes:
        kind: `done`; `stale`: made from other inputs than the current ones; `missing`: the step has not been run;
            `lost`: its files are missing; `refused`: some of its sources failed, so no other step uses it.
        result: content of the step's file; null if there is none.
        why: what differs, as a sentence; empty if done.
        remedy: the first command to run again.

    """

    kind: Literal["done", "stale", "missing", "lost", "refused"]
    result: StepResult | None = None
    why: str = ""
    remedy: str = ""

    @property
    def known(self) -> bool:
        """Tell whether the content of the result is current, even if its files are missing."""
        return self.kind in ("done", "lost")


@dataclass
class Checker:
    """Checks the results of one build. Each result is checked once and the answer cached.

    Attributes:
        build: the profile.
        away: shards and raw files may be missing; only mixes and step files must be on this machine.

    """

    build: Build
    away: bool = False
    _states: dict[str, State] = field(default_factory=dict)
    _results: dict[str, StepResult | StageError | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.hashes = open_hashes(self.build)

    def require(self, step: str, *, refused: bool = False) -> StepResult:
        """Return the current result of a step.

        Args:
            step: its name.
            refused: also accept a result that was refused.

        Raises:
            StageError: the result is missing or not current.

        """
        state = self.state(step)
        if refused and state.kind == "refused" and state.result is not None:
            return state.result
        return self._all([step])[step]

    def inputs(self, step: str) -> Inputs:
        """Return the results that a step reads, and its facts.

        Raises:
            StageError: one of the results is missing or not current.

        """
        build = self.build
        results = self._all(needs(step, build, self._known))
        made_from = facts_of(step, Context(build, results, {}, self.hashes))
        self.hashes.save()
        return Inputs(build, step, results, made_from)

    def state(self, step: str) -> State:
        """Return the state of a step's result."""
        if step not in self._states:
            self._states[step] = self._look(step)
        return self._states[step]

    def states(self) -> dict[str, State]:
        """Return the state of every step, in the order in which they run."""
        from curation.mixing.recipe import built_mixes

        mixes = built_mixes(self.build.profile, self.build.root)
        steps = (*STEPS, *(f"mix-{name}" for name in mixes), "report")
        states_by_step = {step: self.state(step) for step in steps}
        # the check of `normalize` may have changed this state: raw files that it needs are missing
        states_by_step["fetch"] = self.state("fetch")
        self.hashes.save()
        return states_by_step

    def _all(self, steps: Iterable[str]) -> dict[str, StepResult]:
        results: dict[str, StepResult] = {}
        for step in steps:
            state = self.state(step)
            if state.result is None or state.kind != "done":
                self.hashes.save()
                raise StageError(state.why, where=f"profile {self.build.name}", remedy=state.remedy)
            results[step] = state.result
        return results

    def _read(self, step: str) -> StepResult | StageError | None:
        if step not in self._results:
            try:
                self._results[step] = self.build.read(step)
            except StageError as error:
                self._results[step] = error
        return self._results[step]

    def _known(self, step: str) -> StepResult | None:
        result = self._read(step)
        return None if isinstance(result, StageError) else result

    def _look(self, step: str) -> State:
        result = self._read(step)
        if isinstance(result, StageError):
            return State("missing", why=result.what, remedy=result.remedy)
        build = overridden(self.build, step, result.overrides) if result else self.build
        own_command = command(build, step, result)
        try:
            states_before = {need: self.state(need) for need in needs(step, build, self._known)}
            not_done = next((state for state in states_before.values() if not state.known), None)
            if result is None:
                state = State(
                    "missing",
                    None,
                    f"step {title(step)} has not been run",
                    not_done.remedy if not_done else own_command,
                )
            elif not_done:
                state = State("stale", result, not_done.why, not_done.remedy)
            else:
                results = {need: found.result for need, found in states_before.items() if found.result is not None}
                context = Context(build, results, result.made_from, self.hashes, self.away)
                state = self._compared(step, result, facts_of(step, context), own_command)
        except CorpusError as error:  # a manifest, a mix file or a setting that cannot be read
            if result is None:
                return State("missing", None, f"step {title(step)} has not been run", own_command)
            message = f"{error.where}: {error.what}" if error.where else error.what
            return State("stale", result, f"step {title(step)} is stale: {message}", error.remedy or own_command)
        return self._with_raw(state) if step == "normalize" and state.kind != "done" else state

    def _compared(self, step: str, result: StepResult, current: Facts, own_command: str) -> State:
        if not result.made_from:
            return State("stale", result, f"step {title(step)} is stale: it was made by an older version", own_command)
        differing = list(differences(result.made_from, current))
        if differing:
            return State("stale", result, f"step {title(step)} is stale: {_listed(differing)}", own_command)
        lost = self._lost(step, result)
        if lost:
            return State("lost", result, f"step {title(step)} was run, but {lost}", own_command)
        if result.refused:
            names = ", ".join(result.refused)
            why = f"step {title(step)} does not count as done: {names} failed in it"
            return State("refused", result, why, f"run `{own_command}` again: it says what to do for each")
        return State("done", result)

    def _lost(self, step: str, result: StepResult) -> str | None:
        """Describe the files of a result that are missing or truncated; null if there are none."""
        store = self.build.place(step)
        is_work = store.root == self.build.store.root
        if self.away and is_work:
            return None
        paths = result.files.column("path")
        sizes = store.sizes(paths)
        missing = [path for path in paths if sizes[path] is None]
        folder = f"{'work' if is_work else 'out'}/{self.build.name}/"
        if is_work and self.build.is_remote:
            folder = f"{store.root}/"
        if missing:
            noun = "shards are" if is_work else "files are"
            return f"{len(missing)} of its {len(result.files)} {noun} missing from {folder} (the first: {missing[0]})"
        for path, written in zip(paths, result.files.column("bytes"), strict=True):
            if sizes[path] != written:
                return f"{folder}{path} has {sizes[path]} bytes, and {written} were written"
        return None

    def _with_raw(self, state: State) -> State:
        """Change the remedy to `fetch` if rows must be made again and their raw files are missing."""
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
    """Return the command that runs a step again, with the overrides of its last run."""
    overrides = result.overrides if result else {}
    options = "".join(f" --evaluation {folder}" for folder in overrides.get("evaluation", ()))
    options += f" --teacher {overrides['teacher']}" if "teacher" in overrides else ""
    return build.command(f"curate {title(step)}{options}")


def differences(then: Facts, now: Facts) -> Iterator[str]:
    """Yield a sentence for each difference between two sets of facts.

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
    """Describe one difference; `path` is the path of the value in the facts."""
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
    source, *file_path = path
    if file_path and file_path[0]:
        return f"raw file {file_path[0]} {what}"
    if file_path:
        return f"raw files of {source} are not what its manifest asks for: {_shown(new)}"
    return f"raw files of {source} {'lie' if what == 'was added' else 'are no longer'} below sources.local_root"


def _shown(value: object) -> str:
    text = "none" if value is None or value is _NOTHING else str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def save_as_made(build: Build, result: StepResult) -> None:
    """Save a result that a benchmark or a test wrote, with the current facts."""
    steps = {step: build.read(step) for step in needs(result.step, build, build.read)}
    results = {step: result_of_step for step, result_of_step in steps.items() if result_of_step is not None}
    result.made_from = facts_of(result.step, Context(build, results, {}, open_hashes(build)))
    build.save(result)


def load(build: Build, step: str) -> StepResult:
    """Return the current result of a step; see `Checker`.

    Raises:
        StageError: it is missing or not current; the remedy is the first command to run again.

    """
    return Checker(build).require(step)


def inputs_of(build: Build, step: str) -> Inputs:
    """Return the current results that a step reads, and its facts.

    Raises:
        StageError: see `load`.

    """
    return Checker(build).inputs(step)
