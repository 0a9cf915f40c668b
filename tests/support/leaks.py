"""A source with every kind of leak, and the evaluation set that it leaks."""

import json

SENTENCE = "The keeper of the second lighthouse wrote down every ship that he had seen between the two storms"
GERMAN = "Der Wärter des zweiten Leuchtturms schrieb jedes Schiff auf, das er zwischen den Stürmen gesehen hatte"
QUESTION = "who wrote down every ship between the storms"
LONG = (
    "In the north the ferries leave at six, whatever the weather says, and nobody waits for them; the crews drink "
    "their coffee standing, the mail goes on board last, and by seven the quay belongs to the gulls again until noon"
)
NOISE = [
    {"query": f"how many {w} are there in room {i}", "positive": f"There are {i} {w}, as far as anybody has counted."}
    for i, w in enumerate(("chairs", "lamps", "maps", "clocks", "doors", "stoves", "kettles", "plants"), 2)
]


def folder(root, name="heldout", queries=(QUESTION,), documents=(SENTENCE, LONG)):
    """Write an evaluation set in BEIR's layout: every query is judged by every document."""
    home = root / name
    (home / "qrels").mkdir(parents=True)
    for part, texts in (("queries", queries), ("corpus", documents)):
        lines = [json.dumps({"_id": f"{part[0]}{i}", "text": text}) + "\n" for i, text in enumerate(texts)]
        (home / f"{part}.jsonl").write_text("".join(lines))
    judged = [f"q{i}\tc{j}\t1\n" for i in range(len(queries)) for j in range(len(documents))]
    (home / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged))
    return home


LEAKS = [
    {"query": QUESTION, "positive": "the keeper did"},
    {"query": "  Who wrote down EVERY ship  between the storms?", "positive": "it was the keeper, they say"},
    {"query": "what is in the log", "positive": f"It was a hard winter. {SENTENCE} of that winter. Nobody read it."},
    {"query": "when do they leave", "positive": LONG.replace("until noon", "until one")},
    {"query": "was steht im Buch", "positive": GERMAN},
    {"query": "a clean one", "positive": "with a clean document of its own"},
]
