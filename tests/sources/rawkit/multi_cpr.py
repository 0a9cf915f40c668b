"""Multi-CPR: tab-separated files without headers, query ids from one, passages in one file or in several."""

from collections.abc import Iterable
from pathlib import Path


def build(home: Path, pairs: Iterable[tuple[str, str]], others: Iterable[str], *, shards: int, missing: int) -> None:
    """Write a domain.

    Args:
        home: folder of the domain's files.
        pairs: queries and the passages that were judged relevant.
        others: passages nobody asked for; they come in between.
        shards: files of the collection.
        missing: place of the pair whose passage the collection lacks.

    """
    pairs, others = list(pairs), list(others)
    passages: list[tuple[int, str]] = []
    judged = []
    for place, (_, passage) in enumerate(pairs):
        pid = 3 * place + 1
        judged.append(f"{place + 1}\t0\t{pid}\t1")
        if place != missing:
            passages.append((pid, passage))
        passages.append((pid + 1, others[place % len(others)]))
    home.mkdir(parents=True, exist_ok=True)
    _write(home / "train.query.txt", [f"{place}\t{query}" for place, (query, _) in enumerate(pairs, 1)])
    _write(home / "qrels.train.tsv", judged)
    _write(home / "dev.query.txt", ["200000\theld out"])
    _write(home / "qrels.dev.tsv", ["200000\t0\t1\t1"])
    lines = [f"{pid}\t{passage}" for pid, passage in passages]
    size = -(-len(lines) // shards)
    for shard in range(shards):
        name = "corpus.tsv" if shards == 1 else f"corpus_split_{shard + 1}.tsv"
        _write(home / name, lines[shard * size : (shard + 1) * size])


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
