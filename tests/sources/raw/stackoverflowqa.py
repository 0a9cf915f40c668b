"""`CoIR-Retrieval/stackoverflow-qa-*`: questions with their code, and the posts that answer them."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.coir import collection

SUBSETS = ("en",)
BROKEN = ("train-00000-of-00001-4c3776d140931a29.parquet", 3, "empty-positive")

_PAIRS = [
    ("Why does my loop skip items?\nI delete while iterating:\n\nfor x in xs:\n    xs.remove(x)", "Removing shifts what follows. Iterate over a copy: `for x in list(xs)`."),
    ("Git says detached HEAD\nI checked out a commit and cannot push.", "Make a branch there first: git switch -c fix, then push it."),
    ("CSS: centre a box both ways\n<div class=box></div> sticks to the top.", "Give the parent display: grid; and place-items: center;."),
    ("C: printf shows nothing before the crash", ""),
    ("SQL join doubles my rows\nThe customer table has two addresses each.", "The join multiplies by the matches. Aggregate the addresses first, or pick one in a subquery."),
    ("Java string comparison fails\nif (a == b) is false for equal words", "== compares references. Use a.equals(b)."),
    ("How do I undo the last commit but keep the files?", "git reset --soft HEAD~1 leaves them staged."),
    ("Pandas: SettingWithCopyWarning\ndf[df.a > 1]['b'] = 0", "You assign to a copy. Write df.loc[df.a > 1, 'b'] = 0."),
    ("Regex greedy match takes too much\n/<b>.*<\\/b>/", "Make it lazy: .*? stops at the first closing tag."),
    ("Bash: variable empty after the pipe\ncat f | while read l; do n=$l; done; echo $n", "The loop runs in a subshell. Use done < f instead."),
]  # fmt: skip


def build(folder: Path) -> None:
    collection(folder, "stackoverflow-qa", [(query, answer, None) for query, answer in _PAIRS])
