"""Runs `curate` and `train3d` in forked processes of this one, which has imported them: no interpreter is started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Self

from benchmarks._results import results
from tests.support import project

TRAINING: tuple[tuple[str, ...], ...] = (
    ("train3d", "tokenize"),
    ("train3d", "fit"),
    ("train3d", "evaluate"),
    ("train3d", "export", "--to", "out/tiny/small", "--layers", "1", "--dim", "8", "--mode", "efficient"),
)
PUBLISH = ("publish", "instruction", "--to", "someone/ours", "--without", "opinions")
VERBS: tuple[tuple[str, ...], ...] = (
    *project.STEPS,
    ("export", "retrieval", "--format", "triplets", "--to", "out/tiny/exported"),
    PUBLISH,
    *TRAINING,
    ("report",),
)
"""In the order they run: the report has the model too. `train3d` comes first in those that are not of `curate`."""
_WORKERS = {step[0] for step in project.STEPS} | {"tokenize"}
_OF_THE_HUB = {"HF_TOKEN": "hf_local_writer", "HF_HUB_DISABLE_XET": "1"}
"""Variables for the local Hub, which huggingface-hub reads when it is imported."""
_TOPS = ("work", "out", "hub")
_OF_THIS_RUN = ("log.jsonl",)
"""Files that hold seconds."""
_STAGE = {"batch_size": 8, "learning_rate": 1e-3, "steps": 4}
_TRAIN = {
    "backbone": {
        "kind": "random-qwen3", "vocab_size": 512, "hidden_size": 16, "layers": 2, "heads": 2, "kv_heads": 1,
        "head_dim": 8, "intermediate_size": 32,
    },
    "device": "cpu", "threads": 1, "max_length": 24, "checkpoint_every": 2, "ranks": [4, 8],
    "objective": {"layers": [1, 2], "dims": [8, 16]},
    "stages": [
        _STAGE | {"name": "retrieval", "mix": "retrieval", "negatives": {"retrieval": 2}},
        _STAGE | {"name": "instruction", "mix": "instruction"},
    ],
    "evaluation": {"mix": "instruction", "queries": 20},
}  # fmt: skip


def load() -> None:
    """Import what the verbs need, before processes are forked. Nothing is run, so no thread has started."""
    os.environ |= _OF_THE_HUB

    import curation.cli.app
    import curation.cli.export
    import curation.decontamination.step.run
    import curation.dedup.step.run
    import curation.export.run
    import curation.fetch.step
    import curation.langid.step.run
    import curation.mining.step.run
    import curation.mixing.step.run
    import curation.normalize.step
    import curation.publish.run
    import curation.report.step
    import curation.verify.run  # noqa: F401
    import train.cli
    import train.evaluation.evaluate
    import train.export.export
    import train.loop.fit  # noqa: F401


def start(
    root: Path, verb: tuple[str, ...], log: Path, *, workers: int = 1, before: Callable[[], None] = lambda: None
) -> int:
    """Start a verb in a process of its own session; return its id.

    Args:
        root: the project.
        verb: with its arguments.
        log: gets what it prints.
        workers: for the verbs that have them.
        before: is called in the new process.

    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        output = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(root)
        os.environ.update({"CORPUS_MANIFESTS": str(root / "manifests"), "COLUMNS": "120"})
        program, *words = verb if verb[0] == "train3d" else ("curate", *verb)
        sys.argv = [program, *words, *(["--workers", str(workers)] if words[0] in _WORKERS else [])]
        before()
        if program == "train3d":
            from train.cli import main
        else:
            from curation.cli.app import main
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def wait(child: int, seconds: float) -> int | None:
    """Wait for a process; return its exit code, negative for a signal, or None if it is still there."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    return None


def run(root: Path, verb: tuple[str, ...], log: Path, *, before: Callable[[], None] = lambda: None) -> int:
    """Run a verb to its end; return its exit code. One that takes ten minutes is ended."""
    child = start(root, verb, log, before=before)
    code = wait(child, 600)
    if code is None:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return -signal.SIGKILL
    return code


def fault_in(log: Path, code: int, *, expected: tuple[int, ...] = ()) -> str:
    """Return what is wrong with the end of a verb: a traceback, or a signal that nobody sent."""
    text = log.read_text("utf-8", "replace")
    if "Traceback (most recent call last)" in text:
        return "a traceback: " + text.strip().splitlines()[-1][:200]
    if code < 0 and code not in expected:
        return f"ended by {signal.Signals(-code).name}"
    if code not in (0, 1, 2, *expected) and code < 128:
        return f"exit code {code}: {text.strip()[-200:]}"
    return ""


def tree(root: Path) -> dict[str, bytes]:
    """Return path → content of all that a build and its training have written and published."""
    files = [path for path in results(root) if path.name not in _OF_THIS_RUN]
    files += sorted(path for path in (root / "hub").rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def differing(root: Path, wanted: dict[str, bytes]) -> list[str]:
    """Return the files that are not as in another tree; temporary files that were left count too."""
    found = tree(root)
    return sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))


class Stages:
    """A project before and after each verb, so that a verb can be tried many times."""

    def __init__(self, folder: Path, rows: int = 60) -> None:
        """Make the project and run all verbs once, undisturbed."""
        os.environ |= _OF_THE_HUB
        self.folder, self.root = folder, folder / "project"
        self.root.mkdir(parents=True)
        # A process of its own: this one forks, and must have no threads.
        command = [sys.executable, "-m", "tests.support.hub.uploads", str(self.root / "hub")]
        self._hub = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._hub.stdout is not None
        self._endpoint = self._hub.stdout.readline().strip()
        sources = {
            "include": ["pairs", "classes", "opinions"],
            "local_root": "raw",
            "endpoint": self._endpoint,
        }
        project.make(self.root, rows=rows, sources=sources, train=_TRAIN)
        self.log = folder / "log"
        self.after: list[dict[str, bytes]] = []
        for number, verb in enumerate(VERBS):
            self.keep(number)
            code = run(self.root, verb, self.log)
            assert code == 0, self.log.read_text()
            self.after.append(tree(self.root))

    def keep(self, number: int) -> None:
        """Remember the project's state as that before a verb."""
        for top in _TOPS:
            if (self.root / top).is_dir():
                shutil.copytree(self.root / top, self.folder / str(number) / top)

    def __enter__(self) -> Self:
        """Return the stages."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the local Hub."""
        self._hub.communicate("")

    def restore(self, number: int) -> None:
        """Put the project into the state before a verb."""
        # The Hub forgets everything; what was published before stays in its folder, where it is compared.
        urllib.request.urlopen(urllib.request.Request(f"{self._endpoint}/reset", method="POST")).close()
        for top in _TOPS:
            shutil.rmtree(self.root / top, ignore_errors=True)
            if (self.folder / str(number) / top).is_dir():
                shutil.copytree(self.folder / str(number) / top, self.root / top)
