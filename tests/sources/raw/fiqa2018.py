"""`mteb/fiqa`: JSON lines, forum posts without titles, several answers a question."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit import beir

SUBSETS = ("en",)
BROKEN = ("qrels/train.jsonl", 3, "empty-positive")

_POSTS = {
    "11": "Keep three to six months of expenses where you can reach them, then invest the rest.",
    "12": "It depends on how steady your income is. A tenured teacher needs less cash than a freelance one.",
    "13": "An index fund charges less because nobody is paid to pick the shares.",
    "14": "",
    "15": "No. The bank lends the deposit on; what it must keep back is set by the regulator.\n\nThat is why runs happen.",
    "16": "Yes, you can carry the loss forward and set it against later gains — check your country's limit.",
    "17": "A limit order names the worst price you accept; a market order takes what is there.",
    "18": "Rent is not money thrown away, any more than interest, tax and repairs are.",
    "19": "I bought mine in '09 & never looked back!!",
}  # fmt: skip
_QUESTIONS = {
    "0": ("How much cash should I keep before I start to invest?", ["11", "12"]),
    "4": ("Why are index funds cheap?", ["13", "14"]),
    "5": ("Does the bank keep my deposit in its vault?", ["15"]),
    "9": ("Can a loss on shares lower my tax next year?", ["16"]),
    "12": ("Difference between a limit order and a market order", ["17"]),
    "20": ("Is renting a waste of money?", ["18", "19"]),
}


def build(folder: Path) -> None:
    judged = [(key, post, 1) for key, (_, posts) in _QUESTIONS.items() for post in posts]
    texts = {key: text for key, (text, _) in _QUESTIONS.items()} | {"500": "Asked in the test split only?"}
    beir.collection(folder / "mteb/fiqa", texts, {key: ("", text) for key, text in _POSTS.items()}, judged)
