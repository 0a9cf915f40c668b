"""`CoIR-Retrieval/codefeedback-mt-*`: conversations in one text, and the answers that go on with them."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.coir import collection

SUBSETS = ("python",)
BROKEN = ("train-00000-of-00001-4c3776d140931a29.parquet", 2, "missing-document")

_PAIRS = [
    ("user: Sort people by age. \nassistant: ```python\npeople.sort(key=lambda p: p.age)\n``` \nuser: It fails where the age is missing.", "Give those a value:\n```python\npeople.sort(key=lambda p: (p.age is None, p.age or 0))\n```"),
    ("user: Read a file line by line. \nassistant: Use `for line in open(path)`. \nuser: And close it afterwards?", "With a context manager:\n```python\nwith open(path) as file:\n    for line in file:\n        print(line.rstrip())\n```"),
    ("user: Write a timer. \nassistant: ```python\ntime.time()\n``` \nuser: Is that monotonic?", "Lost."),
    ("user: Remove duplicates from a list. \nassistant: `set(xs)` \nuser: The order must stay.", "Dictionaries keep it:\n```python\nlist(dict.fromkeys(xs))\n```"),
    ("user: Parse this JSON. \nassistant: ```python\njson.loads(s)\n``` \nuser: Traceback: KeyError: 'name'", "The key may be absent:\n```python\nname = data.get('name', '')\n```"),
    ("user: Plot a sine. \nassistant: ```python\nplt.plot(x, np.sin(x))\n``` \nuser: Nothing is shown.", "Call `plt.show()` after it."),
    ("user: Count words. \nassistant: `len(s.split())` \nuser: Each word on its own, please.", "```python\nfrom collections import Counter\n\nfor word, n in Counter(s.split()).items():\n    print(word, n)\n```"),
    ("user: Make the class immutable. \nassistant: Use `@dataclass`. \nuser: I can still assign to it.", "Freeze it:\n```python\n@dataclass(frozen=True)\nclass Point:\n    x: int\n    y: int\n```"),
    ("user: Retry on failure. \nassistant: ```python\nwhile True: call()\n``` \nuser: At most three times.", "```python\nfor _ in range(3):\n    try:\n        return call()\n    except OSError as error:\n        last = error\nraise last\n```"),
]  # fmt: skip


def build(folder: Path) -> None:
    collection(folder, "codefeedback-mt", [(query, answer, "") for query, answer in _PAIRS], without=[2])
