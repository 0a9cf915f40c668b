"""Small corpora from raw files to the mix, against a slow oracle that says which row must be in it, and why not."""

import json
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from curation.pipeline.freshness import load
from curation.pipeline.run import run_step
from tests.curation.dedup.test_sides import resembles, same_sample
from tests.support import leaks
from tests.support.workshop import Workshop

FIELDS = {"q": "string", "p": "string", "n": "list<string>"}
PAIR = {
    "tables": {"records": {"files": ["*.jsonl"], "format": "jsonl", "fields": FIELDS}},
    "shape": {"kind": "pair", "args": {"query": "q", "positive": "p", "negatives": ["n"]}},
}
LABEL = {
    "tables": {"records": {"files": ["*.jsonl"], "format": "jsonl", "fields": {"q": "string", "l": "string"}}},
}
SOURCES = {
    "first": PAIR | {"priority": 1},
    "second": PAIR | {"priority": 2},
    "topics": LABEL | {"family": "clustering", "task": "topic-classification",
                       "shape": {"kind": "label", "args": {"mode": "clustering", "text": "q", "label": "l"}}},
    "moods": LABEL | {"family": "classification", "task": "sentiment",
                      "shape": {"kind": "label", "args": {"mode": "classification", "text": "q", "label": "l",
                                                          "names": {"x": "glad", "y": "sorry"}}}},
}  # fmt: skip


def contains(text: str, evaluated: str) -> bool:
    """The rule of docs/decontamination.md, for texts of 3 to 7 words and of more than 12."""
    if text.split() == evaluated.split():
        return True
    words, other = text.split(), evaluated.split()
    grams = {tuple(words[i : i + 8]) for i in range(len(words) - 7)}
    shared = [tuple(other[i : i + 8]) in grams for i in range(len(other) - 7)]
    covered = {j for i, hit in enumerate(shared) if hit for j in range(i, i + 8)}
    runs = {tuple(words[i : i + 13]) for i in range(len(words) - 12)}
    whole = any(tuple(other[i : i + 13]) in runs for i in range(len(other) - 12))
    return len(other) > 12 and (whole or len(covered) >= 0.7 * len(other) or resembles(text, evaluated))


def oracle(rows: list[dict], evaluated: list[str]) -> tuple[list[str], list[int]]:
    """Say what becomes of every row, and which row stands for it, by place; rows are in order of rank."""
    fate: list[str] = []
    cluster: list[int] = []
    for i, row in enumerate(rows):
        kept = next((j for j in range(i) if fate[j] == "stays" and same_sample(row, rows[j])), None)
        equal = any(same_sample(row, other) and alike(row, other) for other in rows[:i])
        fate.append("stays" if kept is None else "exact-duplicate" if equal else "near-duplicate")
        cluster.append(i if kept is None else kept)
    leaked = {
        cluster[i]
        for i, row in enumerate(rows)
        if any(contains(row[side], text) for side in ("query", "positive") for text in evaluated)
    }
    return ["contaminated" if why == "stays" and i in leaked else why for i, why in enumerate(fate)], cluster


def alike(row: dict, other: dict) -> bool:
    sides = ("query", "positive") if row["family"] == "retrieval" else ("query", "label")
    return all(row[side].split() == other[side].split() for side in sides)


@st.composite
def corpora(draw) -> tuple[dict[str, list[dict]], list[str]]:
    """Raw records of four sources that share texts and edits of texts, and evaluation texts of the same stock."""
    count = draw(st.integers(2, 4))
    stock = [" ".join(f"w{i}x{j}" for j in range(60)) for i in range(count)]
    stock += [" ".join(f"s{i}y{j}" for j in range(draw(st.integers(3, 4)))) for i in range(count)]
    for number in range(draw(st.integers(0, 6))):
        words = draw(st.sampled_from(stock)).split()
        for place in draw(st.lists(st.integers(0, len(words) - 1), min_size=1, max_size=9)):
            words[place] = f"e{number}z{place}"
        stock.append(" ".join(words))
    text = st.sampled_from(stock)
    pair = st.fixed_dictionaries({"q": text, "p": text, "n": st.lists(text, max_size=2)})
    labeled = st.fixed_dictionaries({"q": text, "l": st.sampled_from(["x", "y"])})
    records = {
        name: draw(st.lists(pair if SOURCES[name]["shape"]["kind"] == "pair" else labeled, max_size=9))
        for name in SOURCES
    }
    for name, own in records.items():  # so that no query is without a possible negative, and no class has one text
        texts = {side: [f"{name} filler {side} {i} of its own" for i in range(3)] for side in "pqxy"}
        if SOURCES[name]["shape"]["kind"] == "pair":
            own.extend({"q": q, "p": p, "n": []} for q, p in zip(texts["q"], texts["p"], strict=True))
        else:
            own.extend({"q": q, "l": label} for label in "xy" for q in texts[label])
    return records, draw(st.lists(text, max_size=2, unique=True))


def built(root: Path, records: dict[str, list[dict]], evaluated: list[str]):
    workshop = Workshop(root)
    for name, said in SOURCES.items():
        origin = {"kind": "manual", "url": "the test's own", "folder": name}
        workshop.manifest(name, ["all"], origin=origin, **said)
        (root / "raw" / name).mkdir(parents=True)
        lines = "".join(json.dumps(record) + "\n" for record in records[name])
        (root / "raw" / name / "a.jsonl").write_text(lines)
    workshop.mix("everything")
    leaks.folder(root, "held", queries=[*evaluated, "an unrelated held question"], documents=["an unrelated held text"])
    build = workshop.build(
        sources={"include": list(SOURCES), "local_root": str(root / "raw")},
        normalize={"shard_rows": 7},
        dedup={"bands": 64},
        decontaminate={"sets": ["./held"]},
        mixes={"everything": {"validation": 0.3}},
    )
    for step in ("fetch", "normalize", "dedup", "decontaminate", "mine"):
        run_step(build, step)
    return build, run_step(build, "mix-everything").stats


@given(corpora())
@settings(max_examples=12, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
def test_every_row_is_where_the_oracle_says(made):
    records, evaluated = made
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        root = Path(folder)
        patch.setenv("CORPUS_MANIFESTS", str(root / "manifests"))
        build, stats = built(root, records, evaluated)
        rows = []
        for shard in load(build, "normalize").shards:
            family = SOURCES[shard.source].get("family", "retrieval")
            priority = SOURCES[shard.source].get("priority", 100)
            table = build.store.read_table(f"rows/{shard.path}.rows.arrow").to_pylist()
            rows += [row | {"family": family, "priority": priority} for row in table]
        rows.sort(key=lambda row: (row["priority"], row["row_id"]))
        assert len(rows) == sum(map(len, records.values())) - sum(
            sum(source["quarantined"].values()) + sum(source["filtered"].values())
            for source in load(build, "normalize").stats["sources"].values()
        )
        fate, cluster = oracle(rows, [*evaluated, "an unrelated held question"])
        samples = [
            sample | {"split": file.name.split("-")[0]}
            for file in sorted((build.out / "mixes/everything/samples").glob("*.parquet"))
            for sample in pq.read_table(file).to_pylist()
        ]
        documents = pa.concat_tables(
            pq.read_table(file) for file in sorted((build.out / "mixes/everything/documents").glob("*.parquet"))
        ).to_pylist()
        check(rows, fate, cluster, samples, [document["text"] for document in documents], stats["sources"])


def check(rows, fate, cluster, samples, texts, funnel) -> None:
    staying = {i: row for i, row in enumerate(rows) if fate[i] == "stays"}
    by_id = {row["row_id"].hex(): row for row in staying.values()}
    place = {row["row_id"].hex(): i for i, row in staying.items()}
    found = {sample["row_id"]: sample for sample in samples}
    assert len(found) == len(samples)
    stays = set(by_id)
    held = [by_id[i] for i, sample in found.items() if sample["split"] == "validation"]
    twins = stays - set(found)
    # A row stays, or its document is held out, and the funnel counts each row once.
    assert set(found) <= stays
    for row_id in stays:
        row = by_id[row_id]
        twin = row["family"] == "retrieval" and any(
            h["family"] == "retrieval" and linked(rows, "document", row["positive"], h["positive"]) for h in held
        )
        assert (row_id in twins) == (twin and found.get(row_id, {}).get("split") != "validation")
    for source, counts in funnel.items():
        own = [why for row, why in zip(rows, fate, strict=True) if row["source"] == source]
        for why in ("exact-duplicate", "near-duplicate", "contaminated"):
            assert counts[why] == own.count(why), (source, why)
        assert counts["no-negatives"] == counts["other-language"] == counts["over-cap"] == 0
        assert counts["train"] + counts["validation"] == sum(s["source"] == source for s in samples)
        assert sum(counts.values()) == len(own)
    for row_id, sample in found.items():
        own = by_id[row_id]
        # Queries that resemble each other are on one side of the split.
        assert {found[i]["split"] for i in found if linked(rows, "query", own["query"], by_id[i]["query"])} == {
            sample["split"]
        }
        merged = {row["query"] for row, kept in zip(rows, cluster, strict=True) if kept == place[row_id]}
        assert {sample["query"], *sample["other_queries"]} == merged
        if own["family"] == "retrieval":
            asked = [r for r in rows if r["family"] == "retrieval" and linked(rows, "query", r["query"], own["query"])]
            for number in sample["negative_ids"]:
                assert not any(linked(rows, "document", texts[number], row["positive"]) for row in asked)
                assert texts[number].split() != own["query"].split()


def linked(rows: list[dict], side: str, left: str, right: str) -> bool:
    """Tell whether two texts of one side resemble each other, or are connected by texts of the corpus that do."""
    key = id(rows), side
    if key not in _components:
        if len(_components) > 1:
            _components.clear()
        sides = ("query",) if side == "query" else ("positive", "negatives")
        told = (row[name] for row in rows for name in sides)
        texts = list({text for one in told for text in ([one] if isinstance(one, str) else one)})
        label = {text: i for i, text in enumerate(texts)}
        for i, one in enumerate(texts):
            for other in texts[:i]:
                if label[one] != label[other] and resembles(one, other):
                    old, new = label[one], label[other]
                    label |= {text: new for text, number in label.items() if number == old}
        _components[key] = label
    return _components[key][left] == _components[key][right]


_components: dict[tuple[int, str], dict[str, int]] = {}
