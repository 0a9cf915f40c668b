"""A small build made by hand: manifests and mixes of its own, rows shards written through the real store."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from curation.build import Build, Shard, StepResult
from curation.pipeline.freshness import save_as_made
from curation.pipeline.run import run_step
from curation.settings import Profile
from open_ml_embed.core.engine import Workers
from sources.schema import ROW_SCHEMA

MANIFEST = {
    "title": "Made up", "collection": "offline", "task": "title-matching", "family": "retrieval",
    "origin": {"kind": "manual", "url": "nowhere", "folder": "nowhere"},
    "tables": {"records": {"files": ["*.jsonl"], "format": "jsonl", "fields": {"q": "string"}}},
    "shape": {"kind": "pair", "args": {"query": "q", "positive": "q"}},
    "license": {"id": "CC0-1.0", "commercial": True, "redistribution": True},
    "citation": "This project's tests.", "samples": 1, "instruction": "Given a query, find its document.",
}  # fmt: skip

OPEN = {"id": "CC0-1.0", "commercial": True, "redistribution": True}
CLOSED = {"id": "LicenseRef-x", "commercial": False, "redistribution": False, "note": "Ask."}
RATES = {
    "measured_on": "a toy",
    "command": "toy run",
    "caution": "toys are quick",
    "characters": {"sentiment": 300, "question-answering": 500},
    "steps": {
        "normalize": {"seconds_per_million_characters": 10_000, "seconds_per_subset": 2},
        "mine": {
            "seconds_per_million_rows": 100_000,
            "settings": {"mining.num_negatives": 8, "mining.teacher.model": "bm25"},
        },
    },
    "unmeasured": {"train": "nobody has"},
}
GATED = {"kind": "gated", "terms": "No resale of the texts."}


@dataclass
class Workshop:
    """Writes manifests and rows, and gives the build."""

    root: Path

    def manifest(self, name: str, names: list[str], **changes: object) -> None:
        data = MANIFEST | {"name": name, "subsets": {s: {"query_lang": "eng-Latn"} for s in names}} | changes
        path = self.root / "manifests" / "sources" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(data))

    def mix(self, name: str, **changes: object) -> None:
        data = {"name": name, "title": name, "sources": "all", "cap": None, "instructions": False} | changes
        path = self.root / "manifests" / "mixes" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(data))

    def build(self, **profile: object) -> Build:
        chosen = {"sources": {"collection": "offline"}} | profile
        return Build("test", Profile.model_validate(chosen), self.root, Workers("local", 1))

    def rows(self, build: Build, pools: dict[tuple[str, str], list[dict]], shard_rows: int = 1000) -> StepResult:
        """Write rows as `normalize` would: a row is a dict with query and positive at least."""
        self.fetched(build, {source for source, _ in pools})
        result = StepResult("normalize", stats={"sources": {}})
        for (source, subset), rows in sorted(pools.items()):
            entry = {"rows": len(rows), "filtered": {}, "quarantined": {}}
            result.stats["sources"].setdefault(source, {"rows": 0, "filtered": {}, "quarantined": {}})
            result.stats["sources"][source]["rows"] += entry["rows"]
            for number, start in enumerate(range(0, len(rows), shard_rows)):
                table = row_table(source, subset, rows[start : start + shard_rows], start)
                stem = f"{source}/{subset}/00000.{number:05d}"
                out = build.store.write_table(f"rows/{stem}.rows.arrow", table.to_batches(), ROW_SCHEMA)
                result.shards.append(Shard(source, subset, stem, out.rows, out.xxh3))
                result.files.append(out)
        save_as_made(build, result)
        return result

    def fetched(self, build: Build, sources: Iterable[str] = ()) -> None:
        """Let `fetch` have been run, with no file for anybody."""
        save_as_made(build, StepResult("fetch", stats={"files": {source: {} for source in sorted(sources)}}))


def row_table(source: str, subset: str, rows: list[dict], start: int = 0) -> pa.Table:
    full = []
    for i, row in enumerate(rows):
        text = "\0".join([source, subset, row["query"], row["positive"]])
        full.append(
            {
                "row_id": hashlib.md5(text.encode()).digest(), "source": source, "subset": subset, "negatives": [],
                "label": None, "query_lang": "eng-Latn", "positive_lang": "eng-Latn",
                "origin": {"file": "made-up.jsonl", "record": start + i},
            } | row
        )  # fmt: skip
    return pa.Table.from_pylist(full, schema=ROW_SCHEMA)


@pytest.fixture
def workshop(tmp_path, monkeypatch) -> Workshop:
    monkeypatch.setenv("CORPUS_MANIFESTS", str(tmp_path / "manifests"))
    return Workshop(tmp_path)


@pytest.fixture
def library(workshop):
    """Four sources that differ in all that one can ask for."""
    tags = {"de": "deu-Latn", "sr": "srp-Cyrl", "zu": "zul-Latn", "py": "python-Code"}
    subsets = {code: {"query_lang": tag} for code, tag in tags.items()}

    def add(name, codes, samples, **more):
        workshop.manifest(name, [], subsets={c: subsets[c] for c in codes}, samples=samples, **more)

    add("stories", ["de", "sr"], 700, license=OPEN, download=3_000_000)
    add("tweets", ["zu"], 50, license=CLOSED, family="clustering", task="topic-classification")
    add("laws", ["de"], 250, license=OPEN, access=GATED, origin={"kind": "hub", "repo": "court/laws"})
    add("snippets", ["py"], 30, task="code-to-text")
    workshop.mix("retrieval", sources=["stories", "snippets"])
    workshop.mix("instruction", cap=100)
    (workshop.root / "manifests/rates.yaml").write_text(yaml.safe_dump(RATES))
    return workshop


@pytest.fixture
def corpus(workshop) -> Build:
    """Rows of three families, hostile texts among them, for the report; no step after `normalize` has run."""
    from tests.support.hostile import make_corpus

    return make_corpus(workshop)


@pytest.fixture
def whole(corpus) -> Build:
    """`corpus` after every step, ready for the report."""
    from tests.support.hostile import run_every_step

    run_every_step(corpus)
    return corpus


def written_report(build: Build) -> str:
    """Run the step `report` and return the page."""
    run_step(build, "report")
    return (build.out / "report.html").read_text("utf-8")
