"""A corpus with hostile texts in every place, and the page that the report makes of it."""

import json
from html.parser import HTMLParser

from curation.pipeline.run import run_step
from tests.support.workshop import written_report

EVIL = "<script>alert('x')</script><img src=http://evil.example/x>"
WORDS = (
    "river",
    "stone",
    "cloud",
    "lantern",
    "paper",
    "winter",
    "copper",
    "garden",
    "signal",
    "harbour",
    "violin",
    "market",
    "thread",
    "candle",
    "forest",
)


def pairs(count, start=0, lang="eng-Latn"):
    def text(i, n):
        return " ".join(WORDS[(i * 7 + j * j + j * i) % len(WORDS)] + str((i + j) % 11) for j in range(n))

    return [
        {"query": f"q{i} {text(i, 4)}", "positive": f"d{i} {text(i, 20)}", "positive_lang": lang}
        for i in range(start, start + count)
    ]


def make_corpus(workshop):
    """Rows of three families with hostile texts, duplicates, code and losses; no step after `normalize` has run."""
    workshop.manifest("pairs", ["all", "de"], title=f"Pairs {EVIL}", citation=f"Nobody, {EVIL}")
    workshop.manifest("code", ["all"], task="text-to-code")
    workshop.manifest("topics", ["all"], family="clustering", task="topic-classification")
    workshop.manifest("absent", ["all"], title="Not here")
    workshop.mix("everything", title="Everything", cap=40)
    workshop.mix("some", title="Some", sources=["pairs", "code"])
    build = workshop.build(mining={"num_negatives": 4}, mixes={"everything": {"validation": 0.2}, "some": {}})
    long = " ".join(f"word{i}" for i in range(60))
    near = [{"query": "the same query", "positive": f"{long} {end}"} for end in ("one", "two")]
    twice = {"query": "said twice", "positive": f"{long} and {EVIL}"}
    topics = [
        {"query": f"topic text {i} {EVIL}", "positive": f"another {i % 6}", "label": f"l{i % 3} {EVIL}",
         "negatives": [EVIL], "origin": {"file": f"file {EVIL}", "record": i}}
        for i in range(30)
    ]  # fmt: skip
    pools = {
        ("pairs", "all"): [*pairs(60), *near, twice, {"query": EVIL, "positive": f"{EVIL} again", "negatives": [EVIL]}],
        ("pairs", "de"): pairs(20, 100, "deu-Latn"),
        ("code", "all"): [{**row, "positive_lang": "objective-c-Code"} for row in pairs(12, 200)] + [twice],
        ("topics", "all"): topics,
    }
    rows = workshop.rows(build, pools, shard_rows=25)
    rows.stats["sources"]["pairs"] |= {"filtered": {f"where {EVIL}": 5}, "quarantined": {"empty-query": 2, EVIL: 1}}
    rows.skipped = {"absent": f"npm is not installed {EVIL}"}
    build.save(rows)
    return build


def run_every_step(corpus):
    """Run all steps but `report`, and lay down an evaluation."""
    for step in ("identify", "measure", "dedup", "mine"):
        run_step(corpus, step)
    for name in ("everything", "some"):
        run_step(corpus, f"mix-{name}")
    cells = [
        {
            "layers": layers,
            "dim": dim,
            "rank": 64,
            "ndcg@10": 0.1 * layers + dim / 1000,
            "mrr@10": 0.1,
            "accuracy@1": 0.0,
        }
        for layers in (1, 2)
        for dim in (8, 16)
    ]
    scores = {side: {"pairs": {"queries": 9, "ndcg@10": 0.2}} for side in ("trained", "untrained")}
    data = {"trained": cells, "untrained": [cells[-1] | {"ndcg@10": 0.0123}], "queries": 9, "documents": 50,
            "ratio_full_size": 17.6, "by_source": scores,
            "measured_on": {"mix": {"folder": "elsewhere", "identity": "x"}, "settings": {},
                            "model": {"key": "y", "named": False}}}  # fmt: skip
    (corpus.out / "evaluation.json").write_text(json.dumps(data))


class Page(HTMLParser):
    """Collects the elements, the links and the visible text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.targets, self.text = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("href", "src", "xlink:href", "srcset", "data", "action", "poster"):
                self.targets.append(value)
            assert not name.startswith("on"), f"{tag} has {name}"

    def handle_data(self, data):
        self.text.append(data)


def read(build):
    return written_report(build)
