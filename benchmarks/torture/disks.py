"""Full disks and read-only folders: a verb ends in words, and goes on to the same bytes once there is room.

A small file system in memory is mounted over `work/`, `out/` or the temporary folder, in a mount namespace of the
verb's process, so that nobody else sees it. That needs root, or user namespaces.
"""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import tempfile
from pathlib import Path

from benchmarks.torture import verbs
from benchmarks.torture.rows import Row

_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_PRIVATE, _RECURSIVE, _READ_ONLY, _REMOUNT = 1 << 18, 1 << 14, 1, 1 << 5
PLACES = ("work", "out", "temporary")


def row(count: int, seed: int) -> Row:
    """Try `count` disks."""
    result = Row("disks: full while a verb writes, or read-only; work/, out/ and the temporary folder")
    rng = random.Random(seed)
    verbs.load()
    with tempfile.TemporaryDirectory() as folder, verbs.Stages(Path(folder)) as stages:
        held, stopped = Path(folder) / "held", 0
        for _ in range(count):
            number = rng.randrange(len(verbs.VERBS))
            place = rng.choice(PLACES[:2] * 2 + PLACES[2:])
            read_only = rng.random() < 0.25
            stages.restore(number)
            room = rng.randrange(max(1, _growth(stages, number, place))) if not read_only else 0
            shutil.rmtree(held, ignore_errors=True)
            code = verbs.run(
                stages.root,
                verbs.VERBS[number],
                stages.log,
                before=lambda place=place, room=room, ro=read_only: _small_disk(place, room, held, read_only=ro),
            )
            if held.is_dir():  # what the verb left on the small disk
                shutil.rmtree(stages.root / place, ignore_errors=True)
                shutil.copytree(held, stages.root / place)
            how = "read-only" if read_only else f"{room:,} bytes of room"
            what = f"{' '.join(verbs.VERBS[number])}, {place} with {how}"
            fault, stopped = verbs.fault_in(stages.log, code), stopped + (code != 0)
            again = verbs.run(stages.root, verbs.VERBS[number], stages.log)
            differing = verbs.differing(stages.root, stages.after[number])
            if not fault and again:
                fault = f"run again: exit code {again}: {stages.log.read_text()[-200:]}"
            if not fault and differing:
                fault = f"run again: {differing[:3]} differ"
            result.count(f"{what}: {fault}" if fault else "", differences=len(differing))
    result.note = f"{stopped} ended the verb with an error"
    return result


def _growth(stages: verbs.Stages, number: int, place: str) -> int:
    """Return about how many bytes a verb writes in a place, in whole pages."""
    if place == "temporary":
        return 1 << 20
    before = _size(stages.root / place)
    wanted = sum(-(-len(data) // 4096) * 4096 for name, data in stages.after[number].items() if name.startswith(place))
    return max(4096, wanted - before)


def _size(folder: Path) -> int:
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in folder.rglob("*") if path.is_file())


def _small_disk(place: str, room: int, held: Path, *, read_only: bool) -> None:
    """Mount a small disk over a folder, and run the rest of this process's work in a child that sees it.

    The child returns from this function; this process waits for it, copies what it left to `held`, and ends as it did.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.getuid(), os.getgid()
    if libc.unshare(_NEW_MOUNTS | (0 if own[0] == 0 else _NEW_USER)):
        raise OSError(ctypes.get_errno(), "no mount namespaces here: run as root, or allow user namespaces")
    if own[0]:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {own[0]} 1")
        Path("/proc/self/gid_map").write_text(f"0 {own[1]} 1")
    _mount(libc, None, "/", None, _RECURSIVE | _PRIVATE, None)
    folder = Path(tempfile.mkdtemp()) if place == "temporary" else Path.cwd() / place
    folder.mkdir(exist_ok=True)
    before = held.with_name("before")
    shutil.rmtree(before, ignore_errors=True)
    shutil.copytree(folder, before)
    size = _size(folder) + 4096 + room
    _mount(libc, "tmpfs", str(folder), "tmpfs", 0, f"size={size}")
    shutil.copytree(before, folder, dirs_exist_ok=True)
    if read_only:
        _mount(libc, None, str(folder), None, _REMOUNT | _READ_ONLY, None)
    if place == "temporary":
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
    child = os.fork()
    if not child:
        return
    _, status = os.waitpid(child, 0)
    if place != "temporary":
        shutil.copytree(folder, held)
    os._exit(abs(os.waitstatus_to_exitcode(status)))


def _mount(libc: ctypes.CDLL, source: str | None, target: str, kind: str | None, flags: int, data: str | None) -> None:
    encoded = [None if text is None else text.encode() for text in (source, target, kind, data)]
    if libc.mount(encoded[0], encoded[1], encoded[2], flags, encoded[3]):
        raise OSError(ctypes.get_errno(), f"cannot mount {target}")
