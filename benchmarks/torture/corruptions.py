"""Corruption of every kind of file of a build: no verb believes it, `verify --deep` names it, `--repair` mends it."""

from __future__ import annotations

import os
import random
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.torture import verbs
from benchmarks.torture.rows import Row
from tests.support.corruption import corrupt

VERIFY = ("verify", "--deep")
REPAIR = ("verify", "--deep", "--repair")


def _bytes(path: Path, others: list[Path], rng: random.Random) -> None:
    del others
    corrupt(path, rng)


def _foreign(path: Path, others: list[Path], rng: random.Random) -> None:
    """Put another file of the same kind in its place, with the same name."""
    same = [other for other in others if other.suffixes == path.suffixes and other.read_bytes() != path.read_bytes()]
    if same:
        _replaced(path, rng.choice(same).read_bytes())
    else:
        corrupt(path, rng)


def _gone(path: Path, others: list[Path], rng: random.Random) -> None:
    del others, rng
    path.unlink()


def _folder(path: Path, others: list[Path], rng: random.Random) -> None:
    del others, rng
    path.unlink()
    path.mkdir()


def _loop(path: Path, others: list[Path], rng: random.Random) -> None:
    """Put a link to itself in its place."""
    del others, rng
    path.unlink()
    path.symlink_to(path.name)


def _json(path: Path, others: list[Path], rng: random.Random) -> None:
    """Put JSON of another shape in its place."""
    del others
    _replaced(
        path, rng.choice([b"null", b"[]", b"{}", b'{"key": 3}', b"[" * 100_000, b'"x"', b'{"outputs": {}, "stats": 1}'])
    )


def _replaced(path: Path, data: bytes) -> None:
    path.unlink()
    path.write_bytes(data)


WAYS: tuple[Callable[[Path, list[Path], random.Random], None], ...] = (
    _bytes, _bytes, _bytes, _foreign, _foreign, _gone, _folder, _loop, _json,
)  # fmt: skip


def row(count: int, seed: int) -> Row:
    """Try `count` corruptions."""
    result = Row(
        "corruption: bytes, other files, folders, links, foreign JSON, of builds and trainings; then the repair"
    )
    rng = random.Random(seed)
    verbs.load()
    with tempfile.TemporaryDirectory() as folder, verbs.Stages(Path(folder)) as stages:
        last = len(verbs.VERBS) - 1
        whole = stages.after[last]
        stages.keep(last + 1)
        for _ in range(count):
            stages.restore(last + 1)
            files = [
                path for top in ("work", "out") for path in sorted((stages.root / top).rglob("*")) if path.is_file()
            ]
            files = [path for path in files if _has_record(path.relative_to(stages.root))]
            path, way = rng.choice(files), rng.choice(WAYS)
            name = str(path.relative_to(stages.root))
            way(path, files, rng)
            if _is_trained(name):
                verb = rng.choice([*verbs.TRAINING, ("status",)])
                fault = _trained_fault(stages, name, verb, whole)
            else:
                verb = rng.choice([*verbs.VERBS, ("status",), ("show", "pairs"), ("status", "--json")])
                fault = _fault(stages, name, verb, whole)
            result.count(f"{name}, {way.__name__.strip('_')}, then {' '.join(verb)}: {fault}" if fault else "")
    return result


def _is_trained(name: str) -> bool:
    """Tell whether the trainer wrote a file: `verify` names it, and the trainer makes it again."""
    return name.startswith(("work/tiny/train/", "out/tiny/model", "out/tiny/evaluation"))


def _fault(stages: verbs.Stages, name: str, verb: tuple[str, ...], whole: dict[str, bytes]) -> str:
    """Run a verb, `verify` and the repair; return what is wrong."""
    fault = _believed(stages, name, verb, whole)
    if fault:
        return fault
    fault = _with_remedy(stages, REPAIR)
    if fault:
        return f"the repair {fault}"
    code = verbs.run(stages.root, VERIFY, stages.log)
    if code:
        return f"after the repair: {stages.log.read_text()[-300:]}"
    # What is no fault to `verify`, such as a file of a step that is gone.
    code = verbs.run(stages.root, ("run",), stages.log)
    if code:
        return f"after the repair, `run` ended with {code}: {stages.log.read_text()[-300:]}"
    if _differing(stages, whole):  # such as a marker that is gone: nothing reads it while the step is done
        for step in verbs.project.STEPS:
            verbs.run(stages.root, step, stages.log)
    left = _differing(stages, whole)
    return f"after the repair {left[:3]} differ" if left else ""


def _trained_fault(stages: verbs.Stages, name: str, verb: tuple[str, ...], whole: dict[str, bytes]) -> str:
    """Run a verb and `verify`; do what the findings say, and train; return what is wrong."""
    fault = _believed(stages, name, verb, whole)
    if fault:
        return fault
    before = _differing(stages, whole)
    code = verbs.run(stages.root, (*VERIFY, "--json"), stages.log)
    fault = verbs.fault_in(stages.log, code)
    if fault:
        return f"verify: {fault}"
    for named in re.findall(r"delete the folder (\S+):", stages.log.read_text("utf-8", "replace")):
        shutil.rmtree(stages.root / named, ignore_errors=True)
    for step in verbs.TRAINING[:3]:
        fault = _with_remedy(stages, step)
        if fault:
            return f"after the remedy, {' '.join(step)} {fault}"
    code = verbs.run(stages.root, VERIFY, stages.log)
    if code:
        return f"after the remedy: {stages.log.read_text()[-300:]}"
    # A complete run needs no checkpoint, and makes none again.
    left = [other for other in _differing(stages, whole) if "/checkpoints/" not in other]
    return f"{before[:3]} differed, and after the remedy {left[:3]}" if left else ""


def _with_remedy(stages: verbs.Stages, step: tuple[str, ...]) -> str:
    """Run a command; if it ends with an error, do what that says and run it again."""
    code = verbs.run(stages.root, step, stages.log)
    said = stages.log.read_text("utf-8", "replace")
    if code == 1 and (named := re.search(r"error (\S+): something else stands there", said)):
        path = Path(named[1])
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        code = verbs.run(stages.root, step, stages.log)
    elif code == 1 and "--no-resume` trains again" in said:
        code = verbs.run(stages.root, ("train3d", "fit", "--no-resume"), stages.log)
    fault = verbs.fault_in(stages.log, code)
    return f"ended with {code}: {fault or stages.log.read_text()[-300:]}" if fault or code else ""


def _believed(stages: verbs.Stages, name: str, verb: tuple[str, ...], whole: dict[str, bytes]) -> str:
    """Run a verb; return what is wrong with its end, or with what it made of the file."""
    code = verbs.run(stages.root, verb, stages.log)
    fault = verbs.fault_in(stages.log, code)
    if fault:
        return fault
    believed = [other for other in verbs.differing(stages.root, whole) if not other.startswith(name)]
    discarded = [other for other in believed if not (stages.root / other).exists()]
    if code == 0 and set(believed) - set(discarded):
        return f"it ended well, and {believed[:3]} differ"
    return ""


def _differing(stages: verbs.Stages, whole: dict[str, bytes]) -> list[str]:
    return [name for name in verbs.differing(stages.root, whole) if _has_record(Path(name))]


def _has_record(path: Path) -> bool:
    """Tell whether a record says what a file should hold: none does for exports, and for a model's card."""
    in_model = any(part.startswith("model") for part in path.parts)
    # `rounding.json` says how a run began, and a damaged one is as none.
    kept = not {"exported", "small"} & set(path.parts) and path.name != "rounding.json"
    return kept and not (in_model and path.name == "README.md")


os.environ.setdefault("COLUMNS", "120")
