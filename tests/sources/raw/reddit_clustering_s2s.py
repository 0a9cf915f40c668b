"""TWEAC's Reddit titles, a line each, in a file for each subreddit; a title of nothing but blanks is broken."""

from pathlib import Path

from tests.sources.rawkit.tweac import archive

SUBSETS = ("en",)
BROKEN = ("data/reddit/train/Coffee.txt", 2, "empty-query")

_TITLES = {
    "AFL": ["Who wears number nine best?", "Rain all weekend, so bet on the forwards", "Free talk &amp; tipping thread",
            "Why is the centre bounce still a thing?",
            "Score ticker shows &amp;nbsp; instead of a blank in HTML"],
    "Coffee": ["My grinder sings at 14", "Is a gooseneck worth it?", " \u00a0 ", "Water from the tap tastes of pipes",
               "Is a gooseneck worth it?"],
    "brasil": ["Qual é o melhor pão de queijo da cidade?", "Alguém mais sem luz hoje?"],
    "zen": ["Sweeping the steps"],
}  # fmt: skip


def build(folder: Path) -> None:
    archive(
        folder / "reddit_clustering_s2s", {f"data/reddit/train/{name}.txt": lines for name, lines in _TITLES.items()}
    )
