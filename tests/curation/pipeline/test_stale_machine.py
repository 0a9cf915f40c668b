"""Whatever is edited, deleted, cut or left out: a verb gives what a fresh build gives, or says which verb to run first.

The machine plays with a project of a few rows. After every verb, either its result (the step's file and every file it
names) is byte for byte that of a build in a clean folder from the same inputs, or the verb was refused with one of our
own errors whose remedy names a verb. Following remedies always leads to the end.
"""

import json
import os
import random
import re
import shlex
import shutil
import tempfile
from pathlib import Path

import yaml
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from curation.build import QUARANTINE
from open_ml_embed.core.errors import CorpusError
from tests.support import project
from tests.support.workshop import MANIFEST

STEPS = ("fetch", "normalize", "identify", "measure", "dedup", "decontaminate", "mine", "mix-plain", "mix-told")
REMEDY = re.compile(r"curate (?P<verb>[a-z]+)(?P<rest>[^,]*)")
PAIRS = {
    "tables": {"records": {"files": ["*.jsonl"], "format": "jsonl", "fields": {"q": "string", "d": "string"}}},
    "shape": {"kind": "pair", "args": {"query": "q", "positive": "d"}},
}
CLASSES = {
    "family": "clustering",
    "task": "topic-classification",
    "tables": {
        "records": {"files": ["*.tsv"], "format": "tsv", "fields": {"t": "string", "l": "string"}, "header": ["t", "l"]}
    },
    "shape": {"kind": "label", "args": {"mode": "clustering", "text": "t", "label": "l"}},
}
PLAIN = {"name": "plain", "title": "Plain", "sources": ["a", "b"], "cap": None, "instructions": False}
TOLD = {"name": "told", "title": "Told", "sources": "all", "cap": 9, "instructions": True}
PROFILE = {
    "sources": {"include": ["a", "b", "k"], "local_root": "raw"},
    "normalize": {"shard_rows": 5},
    "dedup": {"shingle": 2, "num_perm": 64, "bands": 16},
    "decontaminate": {"shortest": 2},
    "mining": {"num_negatives": 3, "range_min": 0, "max_score": None, "range_max": 20},
    "mixes": {"plain": {"validation": 0.2}, "told": {"validation": 0.2}},
}
SETTINGS = [
    ("sources", "rows_per_part", [None, 4]), ("sources", "files_per_table", [None, 1]),
    ("sources", "include", [["a", "b", "k"], ["a", "b"]]), ("normalize", "shard_rows", [5, 3]),
    ("languages", "content", [True, False]),
    ("languages", "trust", [{}, {"default": {"policy": "drop-disagreement", "confidence": 0.2}},
                            {"sources": {"k": {"policy": "trust-identified", "confidence": 0.2}}}]),
    ("dedup", "threshold", [0.8, 0.4]), ("dedup", "seed", [1, 2]), ("decontaminate", "sets", [[], ["heldout/"]]),
    ("decontaminate", "drop", [["query", "document"], ["query"]]), ("decontaminate", "distrust", [{}, {"found": 1}]),
    ("mining", "num_negatives", [3, 2]), ("mining", "pools", [{}, {"both": ["a", "b"]}]), ("mining", "seed", [1, 2]),
    ("mixes", "plain", [{"validation": 0.2}, {"validation": 0.2, "cap": 6}, {"validation": 0.0, "seed": 3}]),
    ("mixes", "told", [{"validation": 0.2}, {"validation": 0.2, "shard_rows": 4}]),
]  # fmt: skip
FIELDS = [
    ("instruction", ["Given a query, find its document.", "Say which document is meant."]),
    ("license", [MANIFEST["license"], {"id": "LicenseRef-x", "commercial": False, "redistribution": False}]),
    ("priority", [50, 10]), ("citation", ["This project's tests.", "Nobody."]), ("samples", [1, 2]),
    ("symmetric", [False, True]), ("subsets", [{"all": {"query_lang": tag}} for tag in ("eng-Latn", "deu-Latn")]),
]  # fmt: skip
WORDS = ["rain", "harbour", "stone", "lamp", "winter", "copper", "garden", "signal", "violin", "market", "thread"]


def sentence(rng: random.Random, words: int) -> str:
    return " ".join(f"{rng.choice(WORDS)}{rng.randrange(9)}" for _ in range(words))


def pair(rng: random.Random) -> str:
    return json.dumps({"q": sentence(rng, 4), "d": sentence(rng, 9)})


def labeled(rng: random.Random) -> str:
    return f"{sentence(rng, 6)}\tclass {rng.randrange(3)}"


def inputs_of(root: Path) -> dict[str, bytes]:
    """All that a build depends on, by name."""
    tops = [root / name for name in ("params.yaml", "raw", "manifests", "heldout", "other")]
    files = [path for top in tops for path in ([top] if top.is_file() else top.rglob("*")) if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(files)}


def curate(root: Path, *arguments: str) -> BaseException | None:
    """Run a verb in this process; return what it raised."""
    try:
        project.run(root, *arguments)
    except (Exception, SystemExit) as error:
        return error
    return None


def verb_of(step: str, evaluated: bool) -> list[str]:
    return [*step.split("-", 1), *(["--evaluation", "other"] if step == "decontaminate" and evaluated else [])]


def result_of(root: Path, step: str) -> dict[str, bytes]:
    """A step's file and the files it names."""
    path = root / "out/tiny/steps" / f"{step}.json"
    found = {"step": path.read_bytes()}
    top = root / ("out" if step.startswith("mix-") else "work") / "tiny"
    names = json.loads(found["step"])["files"]["path"]
    return found | {name: (top / name).read_bytes() for name in names}


class Fresh:
    """Builds in clean folders, each step of each state once."""

    def __init__(self, home: Path) -> None:
        self.home, self._known = home, {}

    def result(self, inputs: dict[str, bytes], step: str, evaluated: bool | None) -> dict[str, bytes]:
        """What a step gives; `evaluated` is how `decontaminate` was run before it, null: it was not."""
        key = tuple(inputs.items()), evaluated
        if key not in self._known:
            root = self.home / str(len(self._known))
            for name, data in inputs.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(data)
            self._known[key] = root, {}
        root, done = self._known[key]
        for one in STEPS[: STEPS.index(step) + 1]:
            if one not in done and (one != "decontaminate" or evaluated is not None):
                if one.startswith("mix-") and one != step:
                    continue
                error = curate(root, *verb_of(one, bool(evaluated)))
                assert error is None, (one, error)
                done[one] = result_of(root, one)
        return done[step]


class Machine(RuleBasedStateMachine):
    """A project, what a user does to it, and the verbs."""

    evaluated: bool | None = None
    """How `decontaminate` was last run: null for not at all."""

    @initialize(seed=st.integers(0, 3))
    def make(self, seed: int) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="stale-"))
        self.root, self.fresh = self.home / "project", Fresh(self.home / "fresh")
        self.rng = random.Random(seed)
        self.profile = json.loads(json.dumps(PROFILE))
        for name, line, ending in (("a", pair, "jsonl"), ("b", pair, "jsonl"), ("k", labeled, "tsv")):
            for part in range(2):
                self.write(f"raw/{name}/part-{part}.{ending}", [line(self.rng) for _ in range(6)])
        shared = (self.root / "raw/a/part-0.jsonl").read_text().splitlines()[:2]
        self.write("raw/b/part-1.jsonl", [*shared, *(pair(self.rng) for _ in range(3))])
        self.manifests = {name: MANIFEST | {"name": name, "origin": {"kind": "manual", "url": "here", "folder": name},
                                            "subsets": {"all": {"query_lang": "eng-Latn"}}} | more
                          for name, more in (("a", PAIRS), ("b", PAIRS), ("k", CLASSES))}  # fmt: skip
        self.recipes = {"plain": dict(PLAIN), "told": dict(TOLD)}
        self.evaluation("heldout", 1)
        self.evaluation("other", 3)
        self.save()

    def write(self, name: str, lines: list[str]) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line + "\n" for line in lines))

    def evaluation(self, name: str, row: int) -> None:
        """Write an evaluation set that has a row of source a."""
        told = json.loads((self.root / "raw/a/part-0.jsonl").read_text().splitlines()[row % 4])
        self.write(f"{name}/queries.jsonl", [json.dumps({"_id": "q", "text": told["q"]})])
        self.write(f"{name}/corpus.jsonl", [json.dumps({"_id": "c", "text": told["d"]})])
        self.write(f"{name}/qrels/test.tsv", ["query-id\tcorpus-id\tscore", "q\tc\t1"])

    def save(self) -> None:
        for folder, data in (("sources", self.manifests), ("mixes", self.recipes)):
            for name, said in data.items():
                self.write(f"manifests/{folder}/{name}.yaml", yaml.safe_dump(said).splitlines())
        (self.root / "manifests/evaluations").mkdir(exist_ok=True)
        settings = {name: {k: v for k, v in section.items() if v is not None} for name, section in self.profile.items()}
        self.write("params.yaml", yaml.safe_dump({"profile": "tiny", "tiny": settings}).splitlines())

    def raw(self, pick: int) -> Path:
        files = sorted((self.root / "raw").rglob("part-*"))
        return files[pick % len(files)]

    # What a user does to the inputs.

    @rule(pick=st.integers(0, 9), how=st.sampled_from(["shuffle", "edit", "append", "cut"]))
    def edit_a_raw_file(self, pick: int, how: str) -> None:
        path = self.raw(pick)
        lines = path.read_text().splitlines()
        if how == "shuffle":
            self.rng.shuffle(lines)
        elif how == "edit":  # of the same size
            lines[0] = re.sub(r"\d", lambda found: str((int(found[0]) + 1) % 9), lines[0])
        elif how == "append":
            lines.append(labeled(self.rng) if path.suffix == ".tsv" else pair(self.rng))
        else:
            lines = lines[:-1] if len(lines) > 4 else lines
        self.write(path.relative_to(self.root).as_posix(), lines)

    @rule(source=st.sampled_from("abk"))
    def add_or_remove_a_raw_file(self, source: str) -> None:
        ending, line = ("tsv", labeled) if source == "k" else ("jsonl", pair)
        path = self.root / f"raw/{source}/part-2.{ending}"
        if path.exists():
            path.unlink()
        else:
            self.write(path.relative_to(self.root).as_posix(), [line(self.rng) for _ in range(5)])

    @rule(source=st.sampled_from("abk"), field=st.sampled_from(FIELDS), pick=st.integers(0, 1))
    def edit_a_manifest(self, source: str, field: tuple, pick: int) -> None:
        self.manifests[source][field[0]] = field[1][pick]
        self.save()

    @rule(source=st.sampled_from("ab"))
    def swap_query_and_document(self, source: str) -> None:
        args = self.manifests[source]["shape"]["args"]
        swapped = {"query": args["positive"], "positive": args["query"]}
        self.manifests[source]["shape"] = {"kind": "pair", "args": swapped}
        self.save()

    @rule(setting=st.sampled_from(SETTINGS), pick=st.integers(0, 2))
    def edit_a_setting(self, setting: tuple, pick: int) -> None:
        section, name, values = setting
        self.profile.setdefault(section, {})[name] = values[pick % len(values)]
        self.save()

    @rule(
        name=st.sampled_from(["plain", "told"]), change=st.sampled_from([{"cap": 5}, {"cap": None}, {"title": "New"}])
    )
    def edit_a_mix_file(self, name: str, change: dict) -> None:
        self.recipes[name] |= change
        self.save()

    @rule(name=st.sampled_from(["heldout", "other"]), row=st.integers(0, 3))
    def edit_an_evaluation_set(self, name: str, row: int) -> None:
        self.evaluation(name, row)

    # What befalls the results.

    def results(self, *patterns: str) -> list[Path]:
        found = (path for pattern in patterns for path in self.root.glob(pattern))
        return sorted(path for path in found if path.is_file() and not path.name.startswith("."))

    @precondition(lambda self: (self.root / "work/tiny").is_dir())
    @rule(pick=st.integers(0, 10**6), kind=st.sampled_from(["shard", "marker", "step", "mix", "any"]))
    def delete_a_file(self, pick: int, kind: str) -> None:
        patterns = {"shard": ["work/tiny/**/*.arrow"], "marker": ["work/tiny/**/*.done.json", "work/tiny/**/*.writer"],
                    "step": ["out/tiny/steps/*.json"], "mix": ["out/tiny/mixes/**/*"],
                    "any": ["work/**/*", "out/**/*"]}[kind]  # fmt: skip
        files = self.results(*patterns)
        if files:
            chosen = files[pick % len(files)]
            if chosen.name == "decontaminate.json":
                self.evaluated = None
            chosen.unlink()

    @precondition(lambda self: (self.root / "work/tiny").is_dir())
    @rule(pick=st.integers(0, 10**6), mix=st.booleans())
    def cut_a_table(self, pick: int, mix: bool) -> None:
        files = self.results("out/tiny/mixes/**/*.parquet" if mix else "work/tiny/**/*.arrow")
        if files:
            path = files[pick % len(files)]
            path.write_bytes(path.read_bytes()[:-7])

    @precondition(lambda self: (self.root / "work").is_dir())
    @rule(what=st.sampled_from(["work", "work/tiny", "work/tiny/rows", "work/tiny/clusters", "work/evaluations"]))
    def delete_a_folder(self, what: str) -> None:
        shutil.rmtree(self.root / what, ignore_errors=True)

    # The verbs.

    def run(self, step: str, evaluated: bool = False) -> CorpusError | None:
        """Run a verb; what comes of it is what a fresh build gives, or an error of ours that it returns."""
        error = curate(self.root, *verb_of(step, evaluated))
        if error is not None:
            assert isinstance(error, CorpusError), (step, error)
            assert REMEDY.search(error.remedy), (step, error)
            return error
        if step == "decontaminate":
            self.evaluated = evaluated
        made, wanted = result_of(self.root, step), self.wanted(step)
        assert made.keys() == wanted.keys(), step
        differing = [name for name, data in made.items() if data != wanted[name]]
        if step == "normalize":  # of records that nobody reads, only people
            assert not [name for name in differing if name.endswith(QUARANTINE)]
        assert not differing, (step, differing, made["step"].decode(), wanted["step"].decode())
        return None

    def wanted(self, step: str) -> dict[str, bytes]:
        return self.fresh.result(inputs_of(self.root), step, self.evaluated)

    @rule(step=st.sampled_from(STEPS), evaluated=st.booleans())
    def run_a_verb(self, step: str, evaluated: bool) -> None:
        self.run(step, evaluated)

    @rule(step=st.sampled_from(STEPS[3:]), evaluated=st.booleans())
    def insist_on_a_verb(self, step: str, evaluated: bool) -> None:
        """Do what each refusal says; that comes to an end."""
        for _ in range(2 * len(STEPS)):
            error = self.run(step, evaluated)
            if error is None:
                return
            said = REMEDY.search(error.remedy)
            rest = shlex.split(said["rest"])
            remedy = f"mix-{rest[0]}" if said["verb"] == "mix" else said["verb"]
            assert self.run(remedy, "--evaluation" in rest) is None, (step, error)
        raise AssertionError(f"{step} is still refused: {error}")

    @rule()
    def look(self) -> None:
        """What `status` calls done is what a fresh build gives."""
        status = json.loads(project.run(self.root, "status", "--json"))
        for step, state in status["stages"].items():
            if state == "done" and step in STEPS:
                assert result_of(self.root, step) == self.wanted(step), step
            elif step in STEPS:
                assert REMEDY.search(status["problems"][step]["remedy"]), status["problems"][step]

    def teardown(self) -> None:
        if hasattr(self, "home"):
            shutil.rmtree(self.home)


TestStale = Machine.TestCase
TestStale.settings = settings(
    max_examples=int(os.environ.get("STALE_EXAMPLES", "5")),
    stateful_step_count=int(os.environ.get("STALE_STEPS", "12")),
    derandomize="STALE_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    phases=[Phase.generate] if "STALE_EXAMPLES" not in os.environ else [Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
