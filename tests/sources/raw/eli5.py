"""`Pavithree/eli5`: JSON lines in a file called `.json`, replies as parallel lists; the best need not be the first."""
# ruff: noqa: E501 - rows of data

import json
from pathlib import Path

SUBSETS = ("en",)
BROKEN = ("train.json", 4, "wrong-type")

_POSTS = [
    ("ELI5: Why do cats land on their feet?", "", "explainlikeimfive",
     [(12, "Instinct."), (340, "They bend in the middle and turn the front half first, legs tucked in, then the back half."), (3, "mine doesn't lol")]),
    ("Why is the sky dark at night if there are stars everywhere?", "I read that in any direction there should be a star.", "askscience",
     [(91, "Because light from most of them has not reached us, and what has is stretched out of sight by expansion.")]),
    ("How did medieval towns pay for their walls?", "", "AskHistorians", []),
    ("ELI5: What is a mortgage?", "My parents keep talking about it.\n\n_URL_0_", "explainlikeimfive",
     [(55, "The bank buys most of the house with you, and you buy its share back every month."), (55, "A loan with your house as the promise.")]),
    ("ELI5: Why does metal feel cold?", "", "explainlikeimfive", None),
    ("Did Roman soldiers get leave?", "", "AskHistorians", [(-2, "No idea."), (18, "Yes: papyri from Egypt record requests, and bribes to centurions for granting them.")]),
    ("Do fish sleep?", "", "askscience", [(7, "Most rest in place with slow gills; some wrap themselves in slime ([a paper](_URL_0_), &amp; see _URL_1_).")]),
    ("ELI5: How does a zipper work?", "", "explainlikeimfive", [(0, "The slider's wedge pushes each tooth into the gap between two others.")]),
]  # fmt: skip


def build(folder: Path) -> None:
    lines = []
    for number, (title, selftext, subreddit, replies) in enumerate(_POSTS):
        answers = {
            "a_id": [f"d{number}{n}" for n in range(len(replies or ()))],
            "score": [score for score, _ in replies or ()],
            "text": [text for _, text in replies or ()],
        }
        row = {
            "q_id": f"7x{number}", "title": title, "selftext": selftext, "document": "", "subreddit": subreddit,
            "url": "http://www.reddit.com/r/…", "answers": "[removed]" if replies is None else answers,
            "title_urls": {"url": []}, "selftext_urls": {"url": []}, "answers_urls": {"url": []},
        }  # fmt: skip
        lines.append(json.dumps(row) + "\n")
    home = folder / "Pavithree/eli5"
    home.mkdir(parents=True, exist_ok=True)
    (home / "train.json").write_text("".join(lines))
    (home / "validation_eli5.json").write_text(lines[-1])
