"""CoSQA, `cosqa-retrieval-train-19604.json`: one array of judged pairs of a web query and a function."""
# ruff: noqa: E501 - rows of data

import json
from pathlib import Path

SUBSETS = ("en",)
BROKEN = ("cosqa-retrieval-train-19604.json", 5, "unknown-label")

_FUNCTIONS = {
    "median": "def median(xs):\n    xs = sorted(xs)\n    return xs[len(xs) // 2]",
    "chunks": "def chunks(xs, n):\n    \"\"\"Cut a list into pieces.\"\"\"\n    for i in range(0, len(xs), n):\n        yield xs[i:i + n]",
    "touch": "def touch(path):\n    with open(path, 'a'):\n        os.utime(path, None)",
    "is_int": "def is_int(s):\n    try:\n        int(s)\n    except ValueError:\n        return False\n    return True",
    "flatten": "def flatten(xss):\n    return [x for xs in xss for x in xs]",
    "now": "def now():\n    return datetime.now(timezone.utc)",
}  # fmt: skip
_JUDGED = [
    ("python middle value of list", "median", 1), ("python split list into groups of n", "chunks", 1),
    ("create empty file python", "touch", 1), ("create empty file python", "now", 0),
    ("python check if string is a number", "is_int", 1), ("python sort dictionary", "median", None),
    ("python join nested lists", "flatten", 1), ("python join nested lists", "chunks", 0),
    ("python current time in utc", "now", 1), ("python kill process by name", "touch", 0),
    ("how to average a list in python", "median", 0), ("python iterate over list in chunks", "chunks", 1),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = []
    for number, (query, name, label) in enumerate(_JUDGED):
        code = _FUNCTIONS[name]
        rows.append({"idx": f"cosqa-train-{number}", "doc": query, "code": code, "code_tokens": " ".join(code.split()),
                     "docstring_tokens": "", "label": label, "retrieval_idx": list(_FUNCTIONS).index(name)})  # fmt: skip
    home = folder / "cosqa"
    home.mkdir(parents=True, exist_ok=True)
    (home / "cosqa-retrieval-train-19604.json").write_text(json.dumps(rows, indent=1))
    (home / "cosqa-retrieval-dev-500.json").write_text(json.dumps(rows[:1]))
