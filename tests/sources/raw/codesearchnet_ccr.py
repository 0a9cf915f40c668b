"""`CoIR-Retrieval/CodeSearchNet-ccr`: functions cut in two; queries, corpus and judgements by language."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("python", "ruby")
BROKEN = ("train-00000-of-00001.parquet", 2, "missing-document")

_HALVES = {
    "python": [
        ("def mean(xs):\n    total = 0\n    for x in xs:\n", "        total += x\n    return total / len(xs)"),
        ("    def close(self):\n        if self.open:\n", "            self.handle.close()\n            self.open = False"),
        ("def lost(x):\n    y = x\n", "    return y"),
        ("async def wait(seconds, then):\n    await asyncio", ".sleep(seconds)\n    return await then()"),
        ("def invert(table):\n    out = {}\n    for key, values in table.items():\n", "        for value in values:\n            out.setdefault(value, []).append(key)\n    return out"),
        ("@cache\ndef fib(n):\n    if n < 2:\n", "        return n\n    return fib(n - 1) + fib(n - 2)"),
        ("def greet(name, *, loud=False):\n    text = f'Hej, {name}'\n    return ", "text.upper() if loud else text"),
    ],
    "ruby": [
        ("def mean(xs)\n  total = xs", ".sum\n  total / xs.size.to_f\nend"),
        ("def each_pair\n  @items.each_cons(2) do |a, b|\n", "    yield a, b\n  end\nend"),
        ("def lost(x)\n  ", "x\nend"),
        ("def initialize(name)\n", "  @name = name\n  @seen = Set.new\nend"),
        ("def to_s\n  return 'empty' if @items.empty?\n", "  @items.join(', ')\nend"),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "CoIR-Retrieval/CodeSearchNet-ccr"
    for language, halves in _HALVES.items():
        rest = {"title": "", "partition": "train", "language": language, "meta_information": {"resource": ""}}
        queries = [{"_id": f"q{i}", "text": first, **rest} for i, (first, _) in enumerate(halves)]
        corpus = [{"_id": f"c{i}", "text": second, **rest} for i, (_, second) in enumerate(halves)]
        judged = [{"query-id": f"q{i}", "corpus-id": f"c{i}", "score": 1} for i in range(len(halves))]
        del corpus[2]
        parquet(home / f"{language}-queries/queries-00000-of-00001.parquet", queries)
        parquet(home / f"{language}-corpus/corpus-00000-of-00001.parquet", corpus[::-1])
        parquet(home / f"{language}-qrels/train-00000-of-00001.parquet", judged[:-1])
        parquet(home / f"{language}-qrels/test-00000-of-00001.parquet", judged[-1:])
