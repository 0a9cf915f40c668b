"""Corruption of every kind of file of a build: no verb believes it, `verify --deep` names it, `--repair` mends it."""

from __future__ import annotations

import os
import random
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
        "corruption: bytes, other files, folders, links, foreign JSON, in work/ and out/; then a verb, verify, repair"
    )
    rng = random.Random(seed)
    verbs.load()
    with tempfile.TemporaryDirectory() as folder:
        stages = verbs.Stages(Path(folder))
        last = len(verbs.VERBS) - 1
        whole = stages.after[last]
        shutil.copytree(stages.root / "work", stages.folder / str(last + 1) / "work")
        shutil.copytree(stages.root / "out", stages.folder / str(last + 1) / "out")
        for _ in range(count):
            stages.restore(last + 1)
            files = [
                path for top in ("work", "out") for path in sorted((stages.root / top).rglob("*")) if path.is_file()
            ]
            # An export holds no record of what it should be.
            files = [path for path in files if "exported" not in path.parts]
            path, way = rng.choice(files), rng.choice(WAYS)
            name = str(path.relative_to(stages.root))
            way(path, files, rng)
            verb = rng.choice([*verbs.VERBS, ("status",), ("show", "pairs"), ("status", "--json")])
            fault = _fault(stages, name, verb, whole)
            result.count(f"{name}, {way.__name__.strip('_')}, then {' '.join(verb)}: {fault}" if fault else "")
    return result


def _fault(stages: verbs.Stages, name: str, verb: tuple[str, ...], whole: dict[str, bytes]) -> str:
    """Run a verb, `verify` and the repair; return what is wrong."""
    code = verbs.run(stages.root, verb, stages.log)
    fault = verbs.fault_in(stages.log, code)
    if fault:
        return fault
    believed = [other for other in verbs.differing(stages.root, whole) if not other.startswith(name)]
    discarded = [other for other in believed if not (stages.root / other).exists()]
    if code == 0 and set(believed) - set(discarded):
        return f"it ended well, and {believed[:3]} differ"
    code = verbs.run(stages.root, REPAIR, stages.log)
    fault = verbs.fault_in(stages.log, code)
    if fault or code:
        return f"the repair ended with {code}: {fault or stages.log.read_text()[-300:]}"
    code = verbs.run(stages.root, VERIFY, stages.log)
    if code:
        return f"after the repair: {stages.log.read_text()[-300:]}"
    for step in verbs.VERBS:  # what is not a fault to `verify`, such as a file of a step that is gone
        verbs.run(stages.root, step, stages.log)
    left = [other for other in verbs.differing(stages.root, whole) if "exported" not in other]
    return f"after the repair {left[:3]} differ" if left else ""


os.environ.setdefault("COLUMNS", "120")
