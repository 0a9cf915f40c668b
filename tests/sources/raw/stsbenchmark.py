"""`mteb/stsbenchmark-sts`: gzipped JSON lines with scores from 0 to 5."""
# ruff: noqa: E501 - rows of data

import gzip
import json
from pathlib import Path

SUBSETS = ("en",)
BROKEN = ("train.jsonl.gz", 5, "invalid-json")

_PAIRS = [
    ("A man is slicing a loaf.", "A man slices bread.", 4.6), ("A plane takes off.", "An aeroplane is taking off.", 5.0),
    ("A girl is brushing her hair.", "A girl combs her hair.", 4.2), ("A cat drinks milk.", "A dog eats meat.", 1.2),
    ("Shares fell in early trade.", "Stocks dropped at the opening.", 4.0), ("cut", "cut", 0.0),
    ("The minister resigned on Friday.", "On Friday the minister stepped down.", 4.8),
    ("A boy is playing a flute.", "A boy plays an instrument.", 3.2), ("It snows in Oslo.", "Rain falls in Rome.", 0.4),
    ("Two horses stand in a field.", "A pair of horses is standing in a meadow.", 4.4),
    ("The river rose by two metres.", "The river level fell.", 1.8), ("A man rides a bicycle.", "A man is cycling.", 4.9),
]  # fmt: skip


def build(folder: Path) -> None:
    lines = []
    for number, (first, second, score) in enumerate(_PAIRS * 2):
        twice = " again" if number >= len(_PAIRS) else ""
        record = {"split": "train", "genre": "main-captions", "dataset": "MSRvid", "year": "2012test",
                  "sid": f"{number:04d}", "score": score, "sentence1": first + twice, "sentence2": second + twice}  # fmt: skip
        lines.append(json.dumps(record))
    lines[5] = lines[5][: len(lines[5]) // 2]
    home = folder / "mteb/stsbenchmark-sts"
    home.mkdir(parents=True, exist_ok=True)
    (home / "train.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
    held = {"split": "dev", "score": 5.0, "sentence1": "A child waves.", "sentence2": "A child is waving."}
    (home / "validation.jsonl.gz").write_bytes(gzip.compress(json.dumps(held).encode(), mtime=0))
    (home / "test.jsonl.gz").write_bytes(gzip.compress(b'{"score": 5.0}\n', mtime=0))
