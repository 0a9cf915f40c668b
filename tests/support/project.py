"""A whole project in a folder: three sources with raw files of their own, two mixes, settings; run by real commands."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from typer.testing import CliRunner

from tests.support.workshop import MANIFEST

STEPS = (
    ("fetch",),
    ("normalize",),
    ("identify",),
    ("measure",),
    ("dedup",),
    ("decontaminate",),
    ("mine",),
    ("mix", "retrieval"),
    ("mix", "instruction"),
)


def make(root: Path, rows: int = 400, **profile: object) -> Path:
    """Write raw files, manifests, mixes and params.yaml below `root`, and return it."""
    rng = random.Random(0)
    _raw(root / "raw", rng, rows)
    _manifests(root / "manifests" / "sources")
    _evaluation(root / "raw")
    mixes = root / "manifests" / "mixes"
    mixes.mkdir(parents=True)
    (root / "manifests" / "evaluations").mkdir()
    plain = {"name": "retrieval", "title": "Plain", "sources": ["pairs"], "cap": None, "instructions": False}
    told = {"name": "instruction", "title": "Told", "sources": "all", "cap": 150, "instructions": True}
    for recipe in (plain, told):
        (mixes / f"{recipe['name']}.yaml").write_text(yaml.safe_dump(recipe))
    settings = {
        "sources": {"include": ["pairs", "classes", "opinions"], "local_root": str(root / "raw")},
        "normalize": {"shard_rows": 60},
        "languages": {"backend": "bundled"},
        "dedup": {"shingle": 5},
        "decontaminate": {"sets": ["raw/leaked"]},
        "mining": {"num_negatives": 5},
        "mixes": {"retrieval": {"validation": 0.1}, "instruction": {"validation": 0.1}},
    } | profile
    (root / "params.yaml").write_text(yaml.safe_dump({"profile": "tiny", "tiny": settings}))
    return root


def _text(rng: random.Random, words: int) -> str:
    return " ".join(f"w{rng.randrange(2000)}" for _ in range(words))


def _raw(folder: Path, rng: random.Random, rows: int) -> None:
    for name in ("pairs", "classes", "opinions"):
        (folder / name).mkdir(parents=True)
    repeated: list[str] = []
    for part in range(3):
        lines = [json.dumps({"q": _text(rng, 5), "d": _text(rng, 25)}) for _ in range(rows)]
        lines[7] = '{"q": "cut in the mid'
        lines[9] = json.dumps({"q": "", "d": "a document that nobody asks for"})
        lines[20:40] = repeated or lines[20:40]
        repeated = lines[20:40]
        (folder / "pairs" / f"part-{part}.jsonl").write_text("\n".join(lines) + "\n")
    table = [f"{_text(rng, 8)}\tclass {i % 4}" for i in range(rows)]
    table[5] = "a line with\ttoo\tmany fields"
    (folder / "classes" / "all.tsv").write_text("\n".join(table) + "\n")
    texts = [_text(rng, 8) for _ in range(rows)]
    pq.write_table(pa.table({"t": texts, "l": [i % 2 for i in range(rows)]}), folder / "opinions" / "all.parquet")


def _evaluation(raw: Path) -> None:
    """Write an evaluation set of a few pairs that the source `pairs` has too."""
    lines = [json.loads(line) for line in (raw / "pairs" / "part-1.jsonl").read_text().splitlines()[50:60]]
    (raw / "leaked" / "qrels").mkdir(parents=True)
    for name, field in (("queries", "q"), ("corpus", "d")):
        texts = [json.dumps({"_id": str(i), "text": line[field]}) for i, line in enumerate(lines)]
        (raw / "leaked" / f"{name}.jsonl").write_text("\n".join(texts) + "\n")
    judged = ["query-id\tcorpus-id\tscore", *(f"{i}\t{i}\t1" for i in range(len(lines)))]
    (raw / "leaked" / "qrels" / "test.tsv").write_text("\n".join(judged) + "\n")


def _manifests(folder: Path) -> None:
    folder.mkdir(parents=True)
    sources = {
        "pairs": {
            "tables": {"records": {"files": ["*.jsonl"], "format": "jsonl", "fields": {"q": "string", "d": "string"}}},
            "shape": {"kind": "pair", "args": {"query": "q", "positive": "d"}},
        },
        "classes": {
            "family": "clustering", "task": "topic-classification",
            "tables": {"records": {"files": ["*.tsv"], "format": "tsv", "fields": {"t": "string", "l": "string"},
                                   "header": ["t", "l"]}},
            "shape": {"kind": "label", "args": {"mode": "clustering", "text": "t", "label": "l"}},
        },
        "opinions": {
            "family": "classification", "task": "sentiment",
            "tables": {"records": {"files": ["*.parquet"], "format": "parquet",
                                   "fields": {"t": "string", "l": "int64"}}},
            "shape": {"kind": "label", "args": {"mode": "classification", "text": "t", "label": "l",
                                                "names": {"0": "bad", "1": "good"}}},
        },
    }  # fmt: skip
    for name, changes in sources.items():
        _manifest(folder, name, changes)


def manifest(root: Path, name: str, **changes: object) -> None:
    """Add a source to a project."""
    _manifest(root / "manifests" / "sources", name, changes)


def _manifest(folder: Path, name: str, changes: dict[str, object]) -> None:
    origin = {"kind": "manual", "url": "the test's own", "folder": name}
    data = MANIFEST | {"name": name, "origin": origin, "subsets": {"all": {"query_lang": "eng-Latn"}}} | changes
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(data))


def environment(root: Path) -> dict[str, str]:
    """The environment of a project's commands."""
    return os.environ | {"CORPUS_MANIFESTS": str(root / "manifests"), "RAY_USAGE_STATS_ENABLED": "0"}


def curate(root: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one verb to its end."""
    command = [sys.executable, "-m", "curation.cli.app", *arguments]
    done = subprocess.run(command, cwd=root, env=environment(root), capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


def run(root: Path, *arguments: str) -> str:
    """Run one verb in this process, as if called in the project's folder, and return what it prints.

    Many times as fast as a process of its own. What a user did wrong comes as the exception that it is.
    """
    from curation.cli.app import app

    before, said = Path.cwd(), os.environ.get("CORPUS_MANIFESTS")
    os.chdir(root)
    os.environ["CORPUS_MANIFESTS"] = str(root / "manifests")
    workers = ("--workers", "1") if arguments[0] in {step[0] for step in STEPS} else ()
    try:
        done = CliRunner().invoke(app, [*arguments, *workers])
    finally:
        os.chdir(before)
        os.environ.pop("CORPUS_MANIFESTS") if said is None else os.environ.update(CORPUS_MANIFESTS=said)
    if done.exception is not None:
        raise done.exception
    return done.stdout


def build(root: Path, *options: str) -> None:
    """Run all steps."""
    for step in STEPS:
        curate(root, *step, *options)


def build_killed(root: Path, rng: random.Random, kills: int) -> int:
    """Run all steps with `kills` deaths by SIGKILL at random moments, each followed by the same verb; count them."""
    died = 0
    for step in STEPS:
        while True:
            process = subprocess.Popen(
                [sys.executable, "-m", "curation.cli.app", *step, "--workers", "2"],
                cwd=root, env=environment(root), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
            if died >= kills:
                assert process.wait() == 0
                break
            time.sleep(rng.uniform(0.6, 2.5))
            finished = process.poll()
            if finished is not None:
                assert finished == 0
                break
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            died += 1
    return died


def tree(root: Path) -> dict[str, bytes]:
    """All that a build leaves, by name; hidden files are not part of it: locks, the record of runs, the unfinished."""
    found = {}
    for top in ("work/tiny", "out/tiny"):
        for path in sorted((root / top).rglob("*")):
            if path.is_file() and not path.name.startswith(".") and not path.name.endswith(".tmp"):
                found[str(path.relative_to(root))] = path.read_bytes()
    return found
