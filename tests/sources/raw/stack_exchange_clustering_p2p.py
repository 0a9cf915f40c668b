"""`flax-sentence-embeddings/stackexchange_title_body_jsonl`: a file a site, titles with bodies, and tags.

What holds title and body is called `texts` or `text`.
"""

from pathlib import Path

from tests.sources.rawkit.lines import jsonl

SUBSETS = ("en",)
BROKEN = ("cooking.stackexchange.com.jsonl.gz", 4 * 16, "unknown-label")

_SITES = {
    "cooking": [("Why does my custard split?", "It is smooth until I add the lemon.", ["eggs", "custard"]),
                ("Poaching without vinegar", "Does fresh enough make vinegar needless?", ["eggs"]),
                ("Bread &amp; butter that keep a week", "Rye does; wheat doesn&#39;t.", ["bread", "storage-lifetime"]),
                ("Steam without a steam oven", "A tray of water seems to do nothing.", ["bread"]),
                ("A question without tags", "They were removed.", [])],
    "gaming": [("Where is the second lighthouse key?", "I searched the crypt twice.", ["lanterns-of-dusk"]),
               ("Does armour slow the boat?", "The tooltip says nothing.", ["lanterns-of-dusk"])],
    "unix": [("Why is my pipe buffered?", "grep waits until the end.", ["pipe", "grep"]),
             ("Name a pipe for two readers", "Can two processes read one fifo?", ["pipe"])],
    "gamedev": [("Sprites shake at 30 fps", "Held out.", ["unity"]), ("Tiles with gaps", "Held out.", ["unity"])],
    "devops": [("Rolling back a chart", "Held out.", ["kubernetes"])],
    "rus": [("Как пишется «не»?", "Слитно или раздельно?", ["орфография"])],
}  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "flax-sentence-embeddings/stackexchange_title_body_jsonl"
    for site, questions in _SITES.items():
        rows = [
            {"text" if site == "unix" else "texts": [title if place == 0 else f"{title} ({place})", body], "tags": tags}
            for title, body, tags in questions
            for place in range(16)
        ]
        jsonl(home / f"{site}.stackexchange.com.jsonl.gz", rows)
    jsonl(home / "es.stackoverflow.com.jsonl.gz", [{"texts": ["¿Cómo?", "Así."], "tags": ["java"]}])
