"""`NTU-NLP-sg/xCodeEval`, `retrieval_nl_code`: JSON lines by language; problems are objects, and so are programs.

C++ is in several files; here it has plain texts, as the documentation shows them.
"""

from pathlib import Path

from tests.sources.rawkit.writing import write_jsonl
from tests.sources.rawkit.xcodeeval import PARTS, PROBLEMS, PROGRAMS, listed, uid

SUBSETS = ("python", "cpp", "csharp")
BROKEN = ("Python_nl_code_train_file.jsonl", 3, "empty-query")


def build(folder: Path) -> None:
    home = folder / "NTU-NLP-sg/xCodeEval/retrieval_nl_code"
    for language, files in (("Python", [""]), ("C++", ["_000", "_001"]), ("C#", [""])):
        rows = []
        for step in range(3):
            for problem, codes in PROGRAMS[language].items():
                others = [code for name, texts in PROGRAMS[language].items() if name != problem for code in texts]
                objects = language != "C++"
                limit = f"Time limit: {step + 1} s."
                rows.append({"nl": PARTS[problem] | {"notes": limit} if objects else f"{PROBLEMS[problem]}\n{limit}",
                             "positive_code": listed(codes, objects=objects),
                             "negative_code": listed(others, objects=objects), "src_uid": uid(problem)})  # fmt: skip
        rows[-1]["positive_code"] = []  # nobody has solved it in this language
        if language == "Python":
            rows[3]["nl"] = {"description": " \n", "input_spec": None, "output_spec": "", "notes": None}
        for number, name in enumerate(files):
            write_jsonl(home / f"train/{language}_nl_code_train_file{name}.jsonl", rows[number :: len(files)])
        write_jsonl(home / f"test/{language}_nl_code_test_file.jsonl", rows[:1])
