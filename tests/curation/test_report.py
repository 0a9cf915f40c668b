"""The report: escaped, self-contained, deterministic, and its figures add up."""

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest

from curation.dedup.step import run_dedup
from curation.langid.step import run_identify
from curation.mining.grouping import documents_of
from curation.mining.negatives import REASONS
from curation.mining.step import run_mine
from curation.mix.step import run_mix
from curation.report.examples import cut, mark
from curation.report.gather import STAGES, funnel, load_inputs, total
from curation.report.languages import agreement, confusion, declared
from curation.report.model import read_evaluation
from curation.report.step import run_report
from curation.report.survey import EDGES, survey
from curation.steps import StepResult
from sources.errors import StageError

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


@pytest.fixture
def corpus(workshop):
    """Rows of three families with hostile texts, duplicates, code and losses; no step after `normalise` has run."""
    workshop.manifest("pairs", ["all", "de"], title=f"Pairs {EVIL}", citation=f"Nobody, {EVIL}")
    workshop.manifest("code", ["all"], task="text-to-code")
    workshop.manifest("topics", ["all"], family="clustering", task="topic-classification")
    workshop.manifest("absent", ["all"], title="Not here")
    workshop.mix("everything", title="Everything", cap=40)
    workshop.mix("some", title="Some", sources=["pairs", "code"])
    build = workshop.build(mining={"keep": 4}, mixes={"everything": {"validation": 0.2}})
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


@pytest.fixture
def whole(corpus):
    for run in (run_identify, run_dedup, run_mine):
        run(corpus)
    for name in ("everything", "some"):
        run_mix(corpus, name)
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
            "ratio_full_size": 17.6, "by_source": scores}  # fmt: skip
    (corpus.out / "evaluation.json").write_text(json.dumps(data))
    return corpus


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
    return run_report(build).read_text("utf-8")


def test_every_text_is_escaped(whole):
    page = Page(read(whole))
    assert not {"script", "img", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    shown = "".join(page.text)
    titles = (f"Pairs {EVIL}", f"Nobody, {EVIL}")
    reasons = (f"npm is not installed {EVIL}", f"where {EVIL}")
    for place in (*titles, *reasons, f"file {EVIL}, record"):
        assert place in shown
    assert re.search(r"topic text \d+ " + re.escape(EVIL), shown)
    assert shown.count(EVIL) > 10


def test_nothing_is_loaded_from_anywhere(whole):
    text = read(whole)
    page = Page(text)
    assert page.targets
    assert all(target.startswith("#") or target == "data:," for target in page.targets)
    css = text[text.index("<style>") : text.index("</style>")]
    assert "@import" not in css
    assert "url(" not in css
    assert "default-src 'none'" in text
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {f"#{name}" for name in page.ids}


def test_ids_are_unique_and_the_contents_lead_somewhere(whole):
    page = Page(read(whole))
    assert len(page.ids) == len(set(page.ids))
    assert {t[1:] for t in page.targets if t.startswith("#")} <= set(page.ids)


def test_equal_inputs_give_equal_bytes(whole):
    first = run_report(whole).read_bytes()
    assert run_report(whole).read_bytes() == first
    assert b"<dc:date>" not in first


def test_the_style_of_other_charts_is_left_alone(whole):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    run_report(whole)
    assert dict(mpl.rcParams) == before


def test_every_record_is_accounted_for(whole):
    inputs = load_inputs(whole)
    for mix in inputs.mixes.values():
        rows = funnel(inputs, mix)
        for row in [*rows, total(rows)]:
            assert sum(row.ends[stage] for stage in STAGES) == row.records
        counts = mix.stats["counts"]
        assert total(rows).samples == counts["samples"] == counts["train"] + counts["validation"]
    by_source = {row.source: row for row in funnel(inputs, inputs.mixes["everything"])}
    assert by_source["pairs"].records == 84 + 5 + 3
    assert sum(row.ends["exact-duplicate"] for row in by_source.values()) == 1
    assert by_source["pairs"].ends["near-duplicate"] == 1
    assert by_source["pairs"].samples == 40, "the cap holds"


def test_the_header_shows_the_key_figures(whole):
    text = read(whole)
    figures = dict(re.findall(r"<dt>([^<]*)</dt><dd>([\d.,]+)<small>", text))
    assert figures["rows"] == "127"
    assert figures["sources"] == "3"
    assert figures["languages"] == "2"
    assert figures["programming languages"] == "1"
    assert figures["duplicates"] == "2"
    assert figures["quarantined"] == "3"
    assert figures["nDCG@10"] == "0.216"
    assert "0.012 before training" in text


def test_steps_that_have_not_run_leave_a_line(corpus):
    text = read(corpus)
    for step in ("identify", "dedup", "mine", "mix everything", "mix some"):
        assert f"step <code>{step}</code> has not run" in text
    assert "Not trained yet" in text
    assert "Example rows" in text


def test_a_skipped_source_is_named_with_its_reason(corpus):
    text = read(corpus)
    assert "Sources skipped" in text
    assert "<code>absent</code> Not here" in text
    result = corpus.load("normalise")
    result.skipped = {}
    corpus.save(result)
    assert "Sources skipped" not in read(corpus)


def test_nothing_normalised_is_an_error_with_a_remedy(workshop):
    with pytest.raises(StageError, match="normalise"):
        run_report(workshop.build())


@pytest.mark.parametrize("step", ["identify", "dedup", "mine", "mix-some"])
def test_a_step_made_from_other_rows_is_refused(whole, step):
    result = whole.load(step)
    if step == "mix-some":
        result.stats["sources"]["pairs"]["train"] += 1
    else:
        result.shards.pop()
    whole.save(result)
    with pytest.raises(StageError, match="other rows"):
        run_report(whole)


def test_lengths_and_languages_are_counted_whatever_the_shards(corpus, workshop):
    found = survey(corpus.store, corpus.load("normalise"))
    pairs_ = found["pairs"]
    assert pairs_.rows == pairs_.query.counts.sum() == pairs_.positive.counts.sum() == 84
    assert pairs_.given == 1
    assert pairs_.query.longest == len(EVIL)
    median = sorted(len(row["query"]) for row in _rows(corpus, "pairs"))[41]
    assert pairs_.query.quantile(0.5) <= median < pairs_.query.quantile(0.5) * 1.13
    natural = {row.code: row.rows for row in declared(found, code=False)}
    assert natural == {"eng": 127, "deu": 20}
    assert [(row.code, row.rows) for row in declared(found, code=True)] == [("objective-c", 12)]
    assert next(row.name for row in declared(found, code=False) if row.code == "deu") == "German"


def test_the_rows_drawn_do_not_depend_on_the_shard_size(corpus, workshop):
    few = survey(corpus.store, corpus.load("normalise"))["pairs"].drawn
    pool = {("pairs", "all"): _rows(corpus, "pairs", "all"), ("pairs", "de"): _rows(corpus, "pairs", "de")}
    many = survey(corpus.store, workshop.rows(corpus, pool, shard_rows=7))["pairs"].drawn
    assert [place.key for place in few] == [place.key for place in many]


def _rows(build, source, subset=None):
    shards = [s for s in build.load("normalise").shards if s.source == source and subset in (None, s.subset)]
    return [row for s in shards for row in build.store.read_table(f"rows/{s.path}.rows.arrow").to_pylist()]


def test_length_bins_are_exact_where_lengths_are_short():
    assert EDGES[:10].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert {100, 1000, 10_000} <= set(EDGES.tolist())
    assert all(EDGES[i] < EDGES[i + 1] <= EDGES[i] * 1.13 + 1 for i in range(len(EDGES) - 1))


def test_negatives_are_shown_with_the_text_they_point_to(whole):
    page = "".join(Page(read(whole)).text)
    assert "negative, given" in page
    assert "negative, class" in page
    rows = _rows(whole, "code")
    lowest = min(range(len(rows)), key=lambda i: rows[i]["row_id"])
    (shard,) = [s for s in whole.load("mine").shards if s.source == "code"]
    mined = whole.store.read_table(f"negatives/{shard.path}.negatives.arrow")["negatives"][lowest].as_py()
    texts = documents_of(whole, "code", "all").texts(np.array(mined)).to_pylist()
    assert texts
    assert set(texts) < {row["positive"] for row in rows} - {rows[lowest]["positive"]}
    assert cut(texts[0]) in page


def test_what_was_turned_down_is_counted_and_shown_with_its_reason(whole):
    page = read(whole)
    table = page[page.index("Candidates turned down") :]
    heads = re.findall(r'class="number">([a-z-]+)</th>', table[: table.index("</thead>")])
    pools = whole.load("mine").stats["pools"]
    assert pools["pairs"]["rejected"]["own-positive"] > 0
    assert heads[3:] == [reason for reason in REASONS if any(p["rejected"].get(reason) for p in pools.values())]
    shown = [example[-1] for example in pools["pairs"]["examples"]]
    assert {"own-positive", "not-needed"} <= set(shown)
    listed = re.findall(r'<tr><td class="nowrap">([a-z-]+)</td>', page)
    assert sorted(listed) == sorted(example[-1] for p in pools.values() for example in p["examples"])


def test_near_duplicates_are_shown_where_they_differ(whole):
    text = html.unescape(read(whole))
    left, right = text.index("<mark>two</mark>"), text.index("<mark>one</mark>")
    assert abs(left - right) < 1000


def test_marks_start_near_the_first_difference():
    left, right = "x" * 500 + " cat sat", "x" * 500 + " dog sat"
    before, after = mark(left, right)
    assert ("cat", True) in before
    assert ("dog", True) in after
    assert sum(len(piece) for piece, _ in before) < 100
    assert mark("", "a") == ([], [("a", True)])
    assert mark("a b", "a b") == ([("a b", False)],) * 2


def test_agreement_folds_what_means_the_same():
    stats = {"s": {"confusion": {"zho": {"cmn": 8, "jpn": 2}, "deu": {"und": 1, "nld": 3}}, "texts": 14, "agree": 8,
                   "undetermined": 1}}  # fmt: skip
    identified = StepResult("identify", stats={"sources": stats})
    (found,) = agreement(identified)
    assert found.strongest == [("deu", "nld", 3), ("zho", "jpn", 2)]
    table = confusion(identified, {"zho", "deu"})
    assert table is not None
    assert table.identified == ["zho", "deu", "other", "und"]
    assert table.shares.tolist() == [[0.8, 0.0, 0.2, 0.0], [0.0, 0.0, 0.75, 0.25]]
    assert confusion(identified, set()) is None


@pytest.mark.parametrize("data", [None, {}, {"trained": []}, {"trained": [{"layers": 2}]}])
def test_an_evaluation_without_scores_counts_as_none(data):
    assert read_evaluation(data) is None


def test_an_evaluation_may_lack_axes_and_the_untrained_model():
    found = read_evaluation({"trained": [{"layers": 2, "ndcg@10": 0.5}, {"layers": 1, "ndcg@10": 0.25}]})
    assert found is not None
    assert found.full() == (0.5, None)
    assert found.metrics() == ["ndcg@10"]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_a_browser_opens_it_without_a_word(whole, tmp_path):
    path = run_report(whole)
    done = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--proxy-server=127.0.0.1:9", "--dump-dom",
         "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'browser'}", path.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "What is in the corpus" in done.stdout
    assert "CONSOLE" not in done.stderr
    assert "Content Security Policy" not in done.stderr


def test_a_source_without_rows_is_in_the_report(corpus):
    result = corpus.load("normalise")
    result.stats["sources"]["absent"] = {"rows": 0, "filtered": {}, "quarantined": {"empty-query": 7}}
    result.skipped = {}
    corpus.save(result)
    assert '<th scope="row">absent</th><td>Not here</td><td class="number">7</td>' in read(corpus)


def test_a_build_without_any_row_has_a_report(workshop):
    workshop.manifest("pairs", ["all"])
    build = workshop.build()
    build.save(StepResult("normalise", stats={"sources": {"pairs": {"rows": 0, "filtered": {}, "quarantined": {}}}}))
    assert "What is in the corpus" in read(build)
