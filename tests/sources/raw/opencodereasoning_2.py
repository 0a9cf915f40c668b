"""`nvidia/OpenCodeReasoning-2`: Parquet of solutions without statements, and the four collections these come from."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet
from tests.sources.rawkit.writing import write_jsonl

SUBSETS = ("python", "cpp")
BROKEN = ("python/train-00000-of-00002.parquet", 4, "missing-question")

_APPS = ["Two friends share $k$ sweets. Can they do it fairly?", "Print the $n$-th odd number."]
_TACO = ["Given a string, remove every second letter.", "Find the shortest path out of a maze of $n \\times m$ cells.",
         "How many coins does it take to pay $s$ cents?"]  # fmt: skip
_CONTESTS = [f"Monk {name} walks up $n$ steps.\n\nInput\n\nAn integer $n$.\n\nOutput\n\nThe ways to do so." for name in
             ("Anselm", "Beda", "Colman", "Drogo", "Ekkehard")]  # fmt: skip
_ROUNDS = [("A clock shows $h$ hours.", "One integer $h$.", "The angle of its hand."), ("", "", ""),
           ("A row of $n$ lamps is switched on one by one.", "The number $n$.", None)]  # fmt: skip


def build(folder: Path) -> None:
    taco, apps = folder / "BAAI/TACO/ALL", folder / "codeparrot/apps"
    contests, rounds = folder / "deepmind/code_contests/data", folder / "open-r1/codeforces/data"
    parquet(taco / "train/0000.parquet", [{"question": text, "solutions": "[]"} for text in _TACO[:2]])
    parquet(taco / "train/0001.parquet", [{"question": text, "solutions": "[]"} for text in _TACO[2:]])
    parquet(taco / "test/0000.parquet", [{"question": "Reverse a queue.", "solutions": "[]"}])
    write_jsonl(apps / "train.jsonl", [{"id": i, "question": text, "url": ""} for i, text in enumerate(_APPS)])
    write_jsonl(apps / "test.jsonl", [{"id": 0, "question": "Is $n$ a power of two?", "url": ""}])
    for split, texts in (("train", _CONTESTS[:3]), ("valid", _CONTESTS[3:4]), ("test", _CONTESTS[4:])):
        name = f"{split}-00000-of-00001-e991a271dbfa9925.parquet"
        parquet(contests / name, [{"name": "", "description": text} for text in texts])
    problems = [{"id": f"{i}/A", "description": asked, "input_format": given, "output_format": wanted, "note": None,
                 "examples": [{"input": "3\n", "output": "90\n"}, {"input": "0\n", "output": "0\n"}]}
                for i, (asked, given, wanted) in enumerate(_ROUNDS)]  # fmt: skip
    parquet(rounds / "train-00000-of-00001.parquet", problems)
    parquet(rounds / "test-00000-of-00001.parquet", problems[:1])
    places = [("taco", "train", 0), ("taco", "train", 2), ("taco", "test", 0), ("apps", "train", 1),
              ("apps", "test", 7), ("code_contests", "train", 2), ("code_contests", "valid", 0),
              ("open-r1/codeforces", "train", 0), ("open-r1/codeforces", "train", 2), ("leetcode", "train", 0)]  # fmt: skip
    for language, code in (("python", "n = int(input())\nprint({0})"), ("cpp", "int main() {{\n  return {0};\n}}")):
        rows = [_solution(i, place, code.format(i), "right", "0.5") for i, place in enumerate(places)]
        # Better and worse tries at the first problems; nothing right for one that is not in the list above.
        rows += [_solution(0, places[0], f"```{language}\n{code.format(10)}\n```", "right", "1.0")]
        rows += [_solution(0, places[0], code.format(11), "wrong", "1.0")]
        rows += [_solution(1, places[1], code.format(12), "right", "-1"), _solution(3, places[3], "", "right", "1.0")]
        rows += [_solution(99, ("apps", "train", 0), code.format(13), "wrong", "0.2")]
        home = folder / "nvidia/OpenCodeReasoning-2/train" / language
        parquet(home / "train-00000-of-00002.parquet", rows[:9])
        parquet(home / "train-00001-of-00002.parquet", rows[9:])


def _solution(number: int, place: tuple[str, str, int], code: str, judgement: str, rate: str) -> dict[str, object]:
    dataset, split, index = place
    return {"id": f"{number}-{rate}", "question_id": f"p{number}", "question": "-", "r1_generation": "Let me think.",
            "qwq_critique": "Looks fine.", "solution": code, "judgement": judgement, "pass_rate": rate, "source": "web",
            "license": "mit", "dataset": dataset, "split": split, "index": str(index), "difficulty": "EASY"}  # fmt: skip
