"""`sentence-transformers/stackexchange-duplicates`, `post-post-pair`: Parquet with title and body of two questions."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("en",)
BROKEN = ("train-00000-of-00001.parquet", 3, "empty-positive")

_POSTS = [
    ("Yeast does not rise I mixed dry yeast with hot water from the kettle and nothing happened.", "Dough stays flat The water may have been too hot. Does that matter for yeast?"),
    ("Screen stays black after suspend Since the update my laptop wakes up without a picture.", "No display on resume The fans run, the keyboard is lit, but I see nothing."),
    ("Is zero even? My teacher says it is neither.", "Parity of 0 Can zero be divided into two equal halves?\n\nI would say so."),
    ("Sourdough smells of acetone My starter smells like nail varnish.", " "),
    ("Plural of octopus Which one is right: octopi, octopuses, octopodes?", "Octopi or octopuses? I have seen both in print."),
    ("Grounding an old socket There are two wires only. May I fit a three-pin outlet?", "Replacing two-prong outlets The house has no earth wire."),
    ("When to repot a cactus The roots come out below.", "Cactus outgrew its pot How do I move it, and in which season?"),
    ("Chess: is stalemate a draw? I had no move left but was not in check.", "King cannot move, no check Who wins?"),
    ("Tax on a second job I earn a little on weekends.", "Do I declare a side income? It is below the limit."),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [{"post1": first, "post2": second} for first, second in _POSTS]
    home = folder / "sentence-transformers/stackexchange-duplicates"
    parquet(home / "post-post-pair/train-00000-of-00001.parquet", rows)
    parquet(home / "body-body-pair/train-00000-of-00001.parquet", [{"body1": "a", "body2": "b"}])
