"""Plants what the steps have to find, and notes where: duplicates, leaks of evaluation texts, broken records."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks._near_duplicates import brute_force
from benchmarks.rehearsal.columns import roles
from benchmarks.rehearsal.formats import Addition
from benchmarks.rehearsal.mirror import Use
from benchmarks.rehearsal.words import UNSPACED, Words
from curation.langid.scripts import scripts_of
from sources.shapes import shape

SHARE = 0.01
"""Records of a plantable file that are planted of each kind, beside the made-up ones."""
FEWEST = 8
"""Made-up records that a file must have before anything is planted in it."""
LONG = 40
"""Words of a passage of which a near-duplicate is planted."""
PLAIN = {"query", "positive", "negatives", "may_lack_positive"}
"""Arguments of the shape `pair` with which a record is one pair of plain texts."""
_BROKEN_EVERY = 500
_POOL = 40


@dataclass(frozen=True)
class Place:
    """A record: source, subset, file as its origin names it, and number."""

    source: str
    subset: str
    file: str
    record: int


@dataclass(frozen=True)
class Duplicate:
    """Two records of which one has to go; `similarity` is the exact Jaccard index of their passages."""

    kind: str
    first: Place
    second: Place
    similarity: float


@dataclass(frozen=True)
class Leak:
    """A record that an evaluation set has too: as it is (`exact`), or as a part of its passage (`contained`)."""

    kind: str
    place: Place


@dataclass
class Truth:
    """What was planted, and how many records every raw file has.

    Attributes:
        records: path below the raw folder → records, broken ones included.
        evaluation: query and document of each text of the evaluation set.

    """

    records: dict[str, int] = field(default_factory=dict)
    duplicates: list[Duplicate] = field(default_factory=list)
    leaks: list[Leak] = field(default_factory=list)
    broken: list[Place] = field(default_factory=list)
    evaluation: list[tuple[str, str]] = field(default_factory=list)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), ensure_ascii=False, indent=1), "utf-8")

    @classmethod
    def load(cls, path: Path) -> Truth:
        data = json.loads(path.read_text("utf-8"))
        return cls(
            data["records"],
            [
                Duplicate(d["kind"], Place(**d["first"]), Place(**d["second"]), d["similarity"])
                for d in data["duplicates"]
            ],
            [Leak(leak["kind"], Place(**leak["place"])) for leak in data["leaks"]],
            [Place(**place) for place in data["broken"]],
            [tuple(pair) for pair in data["evaluation"]],
        )

    def write_evaluation(self, folder: Path) -> None:
        """Write the evaluation set in BEIR's layout, every document judged relevant for its query."""
        (folder / "qrels").mkdir(parents=True, exist_ok=True)
        for name, side in (("queries", 0), ("corpus", 1)):
            lines = [
                json.dumps({"_id": str(n), "text": pair[side]}, ensure_ascii=False)
                for n, pair in enumerate(self.evaluation)
            ]
            (folder / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines), "utf-8")
        judged = ["query-id\tcorpus-id\tscore", *(f"{n}\t{n}\t1" for n in range(len(self.evaluation)))]
        (folder / "qrels" / "test.tsv").write_text("\n".join(judged) + "\n", "utf-8")


@dataclass
class Planter:
    """Adds planted records to those of a file, and notes the truth."""

    words: Words
    truth: Truth = field(default_factory=Truth)
    pool: list[tuple[Place, str, str]] = field(default_factory=list)
    """Records of files before, of which a file may get a copy."""

    def plant(self, uses: list[Use], kind: str, added: Addition, first: int, rng: np.random.Generator) -> None:
        """Append planted records.

        Args:
            uses: of the file.
            kind: of the file, as `benchmarks.rehearsal.formats.kind_of` returns it.
            added: the made-up records, which get company.
            first: number that the first of them has in the file.
            rng: where choices are drawn from.

        """
        if len(uses) > 1 or len(added.records) < FEWEST:
            return
        (use,) = uses
        columns = _columns(use, kind)
        if columns is not None:
            self._pairs(use, columns, added, first, rng)
        if kind in ("jsonl", "csv") and shape(use.manifest.shape.kind).PER_FILE:
            for n in range(1 + len(added.records) // _BROKEN_EVERY):
                added.broken.add(len(added.records))
                self.truth.broken.append(_place(use, first + len(added.records)))
                added.records.append(added.records[n])

    def _pairs(self, use: Use, columns: tuple[str, str], added: Addition, first: int, rng: np.random.Generator) -> None:
        query, positive = columns
        made = list(added.records)
        whole = [n for n, record in enumerate(made) if record[query] and record[positive]]
        count = max(1, int(len(whole) * SHARE))
        order = rng.permutation(whole).tolist()
        within, near, exact, contained, shared = (order[n * count : (n + 1) * count] for n in range(5))

        def append(record: dict[str, Any]) -> Place:
            added.records.append(record)
            return _place(use, first + len(added.records) - 1)

        for n, at in enumerate(within):
            again = made[at] | {positive: made[at][positive].replace(" ", "  ", 1) if n % 2 else made[at][positive]}
            self.truth.duplicates.append(Duplicate("exact", _place(use, first + at), append(again), 1.0))
        for at in near:
            changed = self._changed(made[at][positive], rng)
            if changed is not None:
                similarity = brute_force(made[at][positive], changed)
                copy = append(made[at] | {positive: changed})
                self.truth.duplicates.append(Duplicate("near", _place(use, first + at), copy, similarity))
        for at in exact:
            self.truth.leaks.append(Leak("exact", _place(use, first + at)))
            self.truth.evaluation.append((made[at][query], made[at][positive]))
        for at in contained:
            (leaked,) = self.words.texts("Latn", "passage", 1, rng)
            (asked,) = self.words.texts("Latn", "question", 1, rng)
            added.records[at] = made[at] | {positive: f"{made[at][positive]} {leaked} {made[at][positive]}"}
            self.truth.leaks.append(Leak("contained", _place(use, first + at)))
            self.truth.evaluation.append((asked, leaked))
        for place, asked, text in self.pool[:count]:
            copy = append(made[whole[0]] | {query: asked, positive: text})
            self.truth.duplicates.append(Duplicate("exact across sources", place, copy, 1.0))
        del self.pool[:count]
        self.pool += [(_place(use, first + at), made[at][query], made[at][positive]) for at in shared][
            : _POOL - len(self.pool)
        ]

    def _changed(self, text: str, rng: np.random.Generator) -> str | None:
        """Return a text with another word in its middle, or None if it is too short for a near-duplicate."""
        (script,) = scripts_of(pa.array([text])).to_pylist()
        (word,) = self.words.of(script)[rng.integers(1000, 2000, 1)]
        parts = list(text) if script in UNSPACED else text.split(" ")
        if len(parts) < LONG * (2 if script in UNSPACED else 1):
            return None
        middle = len(parts) // 2
        parts[middle] = str(word)
        return ("" if script in UNSPACED else " ").join(parts)


def _place(use: Use, record: int) -> Place:
    return Place(use.manifest.name, use.subset, use.name, record)


def _columns(use: Use, kind: str) -> tuple[str, str] | None:
    """Return the columns of query and positive if each record of a file is one pair of plain texts, else None."""
    spec, table = use.manifest.shape, use.manifest.tables[use.table]
    if spec.kind != "pair" or kind not in ("parquet", "jsonl", "json") or use.manifest.where or table.other_names:
        return None
    query, positive = spec.args.get("query"), spec.args.get("positive")
    if not isinstance(query, str) or not isinstance(positive, str) or set(spec.args) - PLAIN:
        return None
    if {table.fields.get(query), table.fields.get(positive)} != {"string"}:
        return None
    return (query, positive) if roles(use.manifest, use.table)[positive] in ("passage", "article") else None
