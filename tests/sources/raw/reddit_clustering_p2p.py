"""`sentence-transformers/reddit-title-body`: JSON lines of a year; another year lies beside it."""

from pathlib import Path

from tests.sources.rawkit.lines import jsonl, thinned

SUBSETS = ("en",)
BROKEN = ("reddit_title_text_2021.jsonl.gz", 6 * 25, "unknown-label")

_POSTS = [
    ("First sourdough, be kind", "Crumb is tight but the crust sings. What did I do to the crumb?", "Breadit"),
    ("Rye at 80 % hydration?", "It spreads like soup on my bench.", "Breadit"),
    ("Tenant locked out the plumber", "What notice do I have to give in Ontario?", "Landlord"),
    ("Moss in the gutter", "", "HomeImprovement"),
    ("Who pays for the lost key?", "Lease says nothing about keys &amp; locks.", "Landlord"),
    ("Grout or caulk at the tub?", "The old joint cracked all along.", "HomeImprovement"),
    ("A post whose community is gone", "No subreddit was recorded.", None),
    ("Oven runs hot", "How do you bake at 20 degrees too many?", "Breadit"),
    ("Squeaky stairs, open from below", "Wedges and glue, or screws?", "HomeImprovement"),
    ("My finch learned the kettle", "He whistles when the water boils.", "finches"),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "sentence-transformers/reddit-title-body"
    rows = [dict(zip(("title", "body", "subreddit"), post, strict=True)) for post in _POSTS]
    jsonl(home / "reddit_title_text_2021.jsonl.gz", thinned(rows, 25))
    jsonl(home / "reddit_title_text_2020.jsonl.gz", rows[:1])
