"""`CoIR-Retrieval/CodeSearchNet`: queries, corpus and judgements by language, splits of the judgements apart."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("python", "go")
BROKEN = ("train-00000-of-00001.parquet", 5, "missing-document")

_CODE = {
    "python": [
        ("def total(prices):\n    return sum(prices)\n", "Add up prices."),
        ("    def reset(self):\n        self.count = 0\n\n        self.seen  = set()", "Forget what was counted."),
        ("def is_even(n):\n\treturn n % 2 == 0", "Tell whether a number is even."),
        ("def first(items, default=None):\n    return next(iter(items), default)", "Return the first item, or a default."),
        ("async def fetch(session, url):\n    async with session.get(url) as r:\n        return await r.text()", "Download a page."),
        ("def lost():\n    pass", "This comment is not in the corpus."),
        ("def grüße(name):\n    return f'Grüß Gott, {name}'", "Greet someone the southern way."),
    ],
    "go": [
        ("func Sum(xs []int) (t int) {\n\tfor _, x := range xs {\n\t\tt += x\n\t}\n\treturn\n}", "Sum adds up a slice of ints."),
        ("func (s *Stack) Len() int { return len(s.items) }", "Len returns the number of items."),
        ("func Abs(x int) int {\n\tif x < 0 {\n\t\treturn -x\n\t}\n\treturn x\n}", "Abs drops the sign."),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    for language, functions in _CODE.items():
        home = folder / "CoIR-Retrieval/CodeSearchNet"
        queries, corpus, judged = [], [], []
        for copy in range(4):
            for code, comment in functions:
                number = len(queries)
                queries.append({"_id": f"q{number}", "partition": "train", "text": code + f"\n# {copy}" * (copy > 0),
                                "title": "", "language": language, "meta_information": {"starter_code": "", "url": ""}})  # fmt: skip
                if number != 5:
                    corpus.append({"_id": f"c{number}", "partition": "train", "title": "", "language": language,
                                   "text": comment + f" ({copy})" * (copy > 0)})  # fmt: skip
                judged.append({"query-id": f"q{number}", "corpus-id": f"c{number}", "score": 1})
        for kind, name, rows in (("queries", "queries", queries), ("corpus", "corpus", corpus),
                                 ("qrels", "train", judged[:-2]), ("qrels", "test", judged[-2:])):  # fmt: skip
            (home / f"{language}-{kind}").mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.Table.from_pylist(rows), home / f"{language}-{kind}" / f"{name}-00000-of-00001.parquet")
