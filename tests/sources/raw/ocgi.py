"""`nvidia/OpenCodeGeneticInstruct`: Parquet; code in a column of its own, in a fenced block of the answer, or bare."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("part1", "part2")
BROKEN = ("train-00000-of-00013.parquet", 6, "empty-query")

_TASKS = [
    ("Write a function that returns the middle word of a sentence.", "def middle(s):\n    words = s.split()\n    return words[len(words) // 2]"),
    ("Count how often each digit occurs in an integer.", "from collections import Counter\n\ndef digits(n):\n    return Counter(str(abs(n)))"),
    ("Implement a stack that knows its minimum.", "class MinStack:\n    def __init__(self):\n        self.items = []\n\n    def push(self, x):\n        low = min(x, self.items[-1][1]) if self.items else x\n        self.items.append((x, low))"),
    ("Match e-mail addresses with a regular expression.", "import re\npattern = re.compile('\\w+@\\w+\\.\\w+')"),
    ("Read a CSV file and print the sum of its second column.", "import csv\n\nwith open('data.csv') as file:\n    print(sum(float(row[1]) for row in csv.reader(file)))"),
    ("Merge two sorted lists without sorting again.", "def merge(a, b):\n    out = []\n    while a and b:\n        out.append((a if a[0] <= b[0] else b).pop(0))\n    return out + a + b"),
    ("  ", "print('nothing was asked')"),
    ("Rotate a matrix by a quarter turn.", "def rotate(m):\n    return [list(row) for row in zip(*m[::-1])]"),
    ("Explain what a closure is.", None),
    ("Write a generator of the Collatz sequence.", "def collatz(n):\n    while n != 1:\n        yield n\n        n = n // 2 if n % 2 == 0 else 3 * n + 1\n    yield 1"),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "nvidia/OpenCodeGeneticInstruct"
    for part in range(2):
        rows = []
        for number, (task, code) in enumerate(_TASKS * 2):
            asked = task + f" (variant {part}.{number})" if task.strip() else task
            solution, output = code, f"Here you are:\n\n```python\n{code}\n```\nIt runs in linear time."
            if code is None:
                solution, output = None, "A closure keeps the names of its surroundings."
            elif number % 4 == 1:
                solution = ""
                output = f"First install it:\n```bash\npip install x\n```\nAn attempt:\n```python\npass\n```\n{output}"
            elif number % 4 == 2:
                solution, output = "see the answer below", code
            rows.append({"id": f"{part}-{number}", "input": asked, "output": output, "solution": solution,
                         "generation_model": "qwen2.5-32b-instruct", "last_operation": "mutation"})  # fmt: skip
        parquet(home / f"qwen2.5-32b-instruct/train-{part:05d}-of-00013.parquet", rows, row_group_size=7)
    parquet(home / "mixtral-8x22b-instruct/train-00000-of-00021.parquet", rows[:1])
