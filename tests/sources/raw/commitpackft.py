"""`bigcode/commitpackft`: JSON lines, a folder a language, files before and after a commit with its message."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.lines import jsonl

SUBSETS = ("lua", "swift")
BROKEN = ("data/lua/data.jsonl", 1, "empty-positive")

_COMMITS = {
    "lua": [
        ("Return nil for an empty queue", "local function pop(q)\n  return table.remove(q, 1)\nend\n", "local function pop(q)\n  if #q == 0 then\n    return nil\n  end\n  return table.remove(q, 1)\nend\n"),
        ("Remove the file", "return {}\n", ""),
        ("Count from one", "for i = 0, 9 do\n  print(i)\nend\n", "for i = 1, 10 do\n  print(i)\nend\n"),
    ],
    "swift": [
        ("Make the tide table Codable", "struct Tide {\n    let height: Double\n}\n", "struct Tide: Codable {\n    let height: Double\n}\n"),
        ("Use a guard", "func f(_ x: Int?) -> Int { x! }\n", "func f(_ x: Int?) -> Int {\n    guard let x else { return 0 }\n    return x\n}\n"),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    for language, commits in _COMMITS.items():
        rows = [
            {
                "commit": f"{n:040x}", "old_file": f"src/a{n}", "new_file": f"src/a{n}", "old_contents": old,
                "new_contents": new, "subject": subject, "message": f"{subject}\n", "lang": language.title(),
                "license": "mit", "repos": "made/up,made/up-fork",
            }
            for n, (subject, old, new) in enumerate(commits)
        ]  # fmt: skip
        jsonl(folder / "bigcode/commitpackft/data" / language / "data.jsonl", rows)
