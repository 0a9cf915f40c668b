"""`NTU-NLP-sg/xCodeEval`, `retrieval_code_code`: JSON lines by language, lists of objects that hold programs.

C++ is in several files; here it has plain texts, as the documentation shows them.
"""

from pathlib import Path

from tests.sources.rawkit.writing import write_jsonl
from tests.sources.rawkit.xcodeeval import listed, programs, uid

SUBSETS = ("c", "cpp", "csharp")
BROKEN = ("C_code_code_train_file.jsonl", 4, "wrong-type")


def build(folder: Path) -> None:
    home = folder / "NTU-NLP-sg/xCodeEval/retrieval_code_code"
    for language, files in (("C", [""]), ("C++", ["_000", "_001"]), ("C#", [""])):
        rows = []
        for step in range(1, 4):
            for problem, code in programs(language):
                mark = f"// {step}\n"
                # Up to 30 wrong attempts, of which a row keeps 24.
                wrong = [f"// wrong\n{code.replace('%', '/', 1)}{'/' * i}" for i in range(10 * step)]
                objects = language != "C++"
                rows.append({"source_code": code + mark,
                             "positive_code": listed([mark + code, code], objects=objects),
                             "negative_code": listed(wrong, objects=objects), "src_uid": uid(problem)})  # fmt: skip
        rows[1]["positive_code"] = []  # nobody else has solved it
        rows[2]["negative_code"] = []
        rows[4]["positive_code"] = rows[4]["positive_code"][0]
        for number, name in enumerate(files):
            part = rows[number :: len(files)]
            write_jsonl(home / f"train/{language}_code_code_train_file{name}.jsonl", part)
        write_jsonl(home / f"validation/{language}_code_code_validation_file.jsonl", rows[:1])
