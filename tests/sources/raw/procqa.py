"""ProCQA: JSON lines in files called `.json`, title and body apart, ids as numbers or texts."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.writing import write_jsonl

SUBSETS = ("python", "csharp", "rust")
BROKEN = ("qa.en.python.json", 2, "empty-positive")

_RECORDS = {
    "python": [
        ("Reverse a list in place", "I have\n\n    xs = [1, 2, 3]\n\nand need it backwards without a copy.", "Call its method:\n\n    xs.reverse()\n\nIt returns None."),
        ("Count words in a file", "What is the shortest way to count the words of a text file?", "from collections import Counter\n\nwith open(path) as f:\n    words = Counter(f.read().split())"),
        ("Why is my default argument shared?", "def f(x=[]):\n    x.append(1)\n    return x", " \n"),
        ("Read a CSV without pandas", "Only the standard library is allowed here.", "import csv\nwith open(path, newline='') as f:\n    rows = list(csv.DictReader(f))"),
        ("Sort dict by value", "How do I sort {'a': 3, 'b': 1} by its values?", "dict(sorted(d.items(), key=lambda item: item[1]))"),
    ],
    "c#": [
        ("Null-safe property access", "How can I read a.B.C when B may be null?", "Use the null-conditional operator: `a.B?.C`."),
        ("Format a number with two decimals", "I need 3.14159 shown as 3.14.", "value.ToString(\"F2\", CultureInfo.InvariantCulture)"),
        ("Run code when a form closes", "Which event should I handle?", "Override OnFormClosing:\n\n    protected override void OnFormClosing(FormClosingEventArgs e)\n    {\n        Save();\n        base.OnFormClosing(e);\n    }"),
        ("Split a string on several characters", "Commas and semicolons both occur.", "text.Split(',', ';')"),
    ],
    "rust": [
        ("Borrowed value does not live long enough", "fn f() -> &str { let s = String::new(); &s }", "Return the String itself; a reference cannot outlive what it points to."),
        ("Iterate over a map in order of its keys", "HashMap gives them in any order.", "use std::collections::BTreeMap;\n\nfor (k, v) in &map {\n    println!(\"{k}: {v}\");\n}"),
        ("Convert i32 to usize", "as or try_into?", "usize::try_from(n) fails on negative numbers, `as` wraps them."),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    for language, records in _RECORDS.items():
        rows = [
            {
                "question_id": 4100 + n if language == "python" else str(4100 + n),
                "title": title,
                "question": question,
                "answer_id": 9100 + n,
                "answer": answer,
            }
            for n, (title, question, answer) in enumerate(records)
        ]
        write_jsonl(folder / "procqa" / f"qa.en.{language}.json", rows)
