"""`NTU-NLP-sg/xCodeEval`, `retrieval_nl_code`: JSON lines by language, lists of programs; C++ in several files."""

from pathlib import Path

from tests.sources.rawkit.writing import write_jsonl
from tests.sources.rawkit.xcodeeval import PROBLEMS, PROGRAMS, uid

SUBSETS = ("python", "cpp", "csharp")
BROKEN = ("Python_nl_code_train_file.jsonl", 3, "empty-query")


def build(folder: Path) -> None:
    home = folder / "NTU-NLP-sg/xCodeEval/retrieval_nl_code"
    for language, files in (("Python", [""]), ("C++", ["_000", "_001"]), ("C#", [""])):
        rows = []
        for step in range(3):
            for problem, codes in PROGRAMS[language].items():
                others = [code for name, texts in PROGRAMS[language].items() if name != problem for code in texts]
                rows.append({"nl": PROBLEMS[problem] + f"\nTime limit: {step + 1} s.", "positive_code": codes,
                             "negative_code": others, "src_uid": uid(problem)})  # fmt: skip
        rows[-1]["positive_code"] = []  # nobody has solved it in this language
        rows[3]["nl"] = " \n" if language == "Python" else rows[3]["nl"]
        for number, name in enumerate(files):
            write_jsonl(home / f"train/{language}_nl_code_train_file{name}.jsonl", rows[number :: len(files)])
        write_jsonl(home / f"test/{language}_nl_code_test_file.jsonl", rows[:1])
