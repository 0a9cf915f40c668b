"""`mteb/hotpotqa`: JSON lines, every question with two supporting paragraphs of different pages."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit import beir

SUBSETS = ("en",)
BROKEN = ("qrels/train.jsonl", 5, "missing-document")

_PAGES = {
    "101": ("Ansgar Holm", "Ansgar Holm (1811–1889) was a Danish surveyor who designed the harbour light of Rødvig."),
    "102": ("Rødvig", "Rødvig is a fishing village on the coast of Stevns, at the southern end of a chalk cliff."),
    "103": ("The Copper Whistle", "The Copper Whistle is a 1957 comedy film directed by Irene Vasquez."),
    "104": ("Irene Vasquez", "Irene Vasquez -LRB- 1911 -- 1988 -RRB- was a film director born in Oruro, Bolivia."),
    "105": ("Lake Tarn (band)", "Lake Tarn was a folk group formed in Kendal in 1969 by the sisters Nell and Ada Pruett."),
    "106": ("Ada Pruett", "Ada Pruett plays the hurdy-gurdy and teaches at Leeds."),
    "107": ("Meridian Bridge", "The Meridian Bridge crosses the Oka at Kasimov; it replaced a ferry in 1932."),
    "108": ("Kasimov", "Kasimov was the seat of a Tatar khanate from 1452."),
    "109": ("Vinegar Hill Press", ""),
    "110": ("Cormorant", "Cormorants dive for fish and dry their wings afterwards."),
}  # fmt: skip
_QUESTIONS = {
    "5a01": ("On what kind of cliff does the village lie whose harbour light Ansgar Holm designed?", "101", "102"),
    "5a02": ("In which country was the director of The Copper Whistle born?", "103", "104"),
    "5a03": ("Which instrument does the younger founder of Lake Tarn play?", "105", "999"),
    "5a04": ("Since when was the town at the Meridian Bridge the seat of a khanate?", "107", "108"),
    "5a05": ("Which bird that dives for fish gave Vinegar Hill Press its emblem?", "109", "110"),
}
_TEST = {"5b01": "Which village near Kasimov kept its ferry?"}


def build(folder: Path) -> None:
    judged = [(query, page, 1) for query, (_, *pages) in _QUESTIONS.items() for page in pages]
    texts = {query: text for query, (text, *_) in _QUESTIONS.items()} | _TEST
    beir.collection(folder / "mteb/hotpotqa", texts, _PAGES, judged)
