"""TWEAC's Stack Exchange titles, a line each, in a file for each site; sites in other languages stay out."""

from pathlib import Path

from tests.sources.rawkit.tweac import archive

SUBSETS = ("en",)
BROKEN = ("data/stackexchange/train/askubuntu.com.txt", 1, "empty-query")

_TITLES = {
    "askubuntu.com": ["Screen stays black after suspend", "\u2003", "How to list what a snap may read?",
                      "Two monitors, one wallpaper",
                      "Panel shows the entity &lt; as text", "Files &amp; folders swap places"],
    "gardening.stackexchange.com": ["Why do my leeks bolt in May?", "Can I move a fig in winter?",
                                    "White fluff on the underside of leaves"],
    "rpg.stackexchange.com": ["Can a ghost open a locked chest?", "How far is a short jump in armour?"],
    "unix.stackexchange.com": ["What does a lone dash mean to tar?", "Sort by the third field, then by the first"],
    "russian.stackexchange.com": ["When is the soft sign silent?", "Which case follows благодаря?"],
    "rus.stackexchange.com": ["Как пишется «не»?",
                              "Нужна ли запятая?"],
    "es.stackoverflow.com": ["¿Cómo ordeno una lista?", "¿Por qué falla el bucle?"],
}  # fmt: skip


def build(folder: Path) -> None:
    files = {f"data/stackexchange/train/{name}.txt": lines for name, lines in _TITLES.items()}
    archive(folder / "stack_exchange_clustering_s2s", files)
