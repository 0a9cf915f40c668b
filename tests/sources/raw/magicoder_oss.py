"""`ise-uiuc/Magicoder-OSS-Instruct-75K`: JSON lines of a problem, its solution and the language of it."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.lines import jsonl

SUBSETS = ("all",)
BROKEN = ("data-oss_instruct-decontaminated.jsonl", 2, "empty-positive")

_RECORDS = [
    ("python", "Write a function that returns the highest tide of a list, or None if the list is empty.", "```python\ndef highest(tides):\n    return max(tides, default=None)\n```"),
    ("swift", "You are given a Swift struct for a lamp. Add a method that toggles it.", "```swift\nstruct Lamp {\n    var lit = false\n    mutating func toggle() { lit.toggle() }\n}\n```"),
    ("shell", "Write a script that counts the files of a folder.", ""),
    ("csharp", "Write a C# property that is never negative.", "```csharp\nprivate int depth;\npublic int Depth { get => depth; set => depth = Math.Max(0, value); }\n```"),
    ("typescript", "Type a function that maps names to harbours.", "```typescript\nconst byName = (all: Harbour[]): Record<string, Harbour> =>\n  Object.fromEntries(all.map((h) => [h.name, h]));\n```"),
    ("cpp", "Reverse a vector in place.", "```cpp\nstd::reverse(v.begin(), v.end());\n```"),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [
        {
            "lang": lang, "raw_index": 1000 + n, "index": n, "seed": "x = 1", "openai_fingerprint": "fp_made_up",
            "problem": problem, "solution": solution,
        }
        for n, (lang, problem, solution) in enumerate(_RECORDS)
    ]  # fmt: skip
    jsonl(folder / "ise-uiuc/Magicoder-OSS-Instruct-75K/data-oss_instruct-decontaminated.jsonl", rows)
