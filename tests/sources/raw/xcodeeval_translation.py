"""`NTU-NLP-sg/xCodeEval`, `code_translation`: JSON lines, a program each, with its language, problem and outcome."""

from pathlib import Path

from tests.sources.rawkit.writing import write_jsonl
from tests.sources.rawkit.xcodeeval import PROGRAMS, programs, uid

SUBSETS = ("all",)
BROKEN = ("train_000.jsonl", 3, "unknown-language")


def build(folder: Path) -> None:
    home = folder / "NTU-NLP-sg/xCodeEval/code_translation"
    rows = []
    for language in PROGRAMS:
        for problem, code in programs(language):
            rows.append(_record(language, problem, code, "PASSED"))
            rows.append(_record(language, problem, code + "\n#", "WRONG_ANSWER"))
    # One program handed in as C and as C++, one handed in twice, and more of one kind than are taken.
    rows += [_record("C++", "sum", PROGRAMS["C"]["sum"][0], "PASSED"), rows[0]]
    rows += [_record("Python", "sum", f"n = {i}\n" + PROGRAMS["Python"]["sum"][0], "PASSED") for i in range(12)]
    rows.insert(3, {**_record("C", "sum", "int main() {}", "PASSED"), "lang_cluster": None})
    half = len(rows) // 2
    for number, part in enumerate((rows[:half], rows[half:])):
        write_jsonl(home / f"train/train_{number:03d}.jsonl", part)
    write_jsonl(home / "validation/C.jsonl", rows[:1])


def _record(language: str, problem: str, code: str, outcome: str) -> dict[str, object]:
    return {"lang": f"GNU {language}", "source_code": code, "lang_cluster": language, "tags": ["implementation"],
            "code_uid": "0" * 32, "src_uid": uid(problem), "difficulty": 800.0, "exec_outcome": outcome}  # fmt: skip
