"""The report's figures are those of the steps, and its examples are what the steps decided."""

import html
import re

import numpy as np
import pytest

from curation.build import StepResult
from curation.mining.negatives import REASONS
from curation.pipeline.freshness import inputs_of, load
from curation.report.charts import confusion
from curation.report.data import collect
from curation.report.inputs import load_inputs
from curation.report.model import read_evaluation
from curation.report.rows_at import cut, mark
from curation.report.shard_statistics import EDGES, survey
from curation.report.tables import agreement
from curation.tables.pools import documents_of
from tests.support.hostile import EVIL, Page, read
from tests.support.report_page import ReportPage


def test_every_record_is_accounted_for(whole):
    data = collect(whole, inputs_of(whole, "report"))
    for mix in ("everything", "some"):
        counts = load(whole, f"mix-{mix}").stats["counts"]
        assert data["funnel"].sum("samples", mix=mix) == counts["samples"] == counts["train"] + counts["validation"]
    by_source = {row["source"]: row for row in data["funnel"].rows if row["mix"] == "everything"}
    assert by_source["pairs"]["records"] == 84 + 5 + 3
    assert sum(row["exact_duplicate"] for row in by_source.values()) == 1
    assert by_source["pairs"]["near_duplicate"] == 1
    assert by_source["pairs"]["samples"] == 40, "the cap holds"


def test_the_header_shows_the_key_figures(whole):
    text = read(whole)
    figures = dict(re.findall(r"<dt>([^<]*)</dt><dd><data [^>]*>([\d.,]+)</data><small>", text))
    assert figures["rows"] == "127"
    assert figures["sources"] == "3"
    assert figures["languages"] == "2"
    assert figures["programming languages"] == "1"
    assert figures["duplicates"] == "2"
    assert figures["quarantined"] == "3"
    assert figures["nDCG@10"] == "0.216"
    (number,) = collect(whole, inputs_of(whole, "report"))["figures"].where(figure="nDCG@10")
    assert ReportPage(text).values["figures", str(number), "note_score"] == "0.012"


def test_lengths_are_counted_whatever_the_shards(corpus, workshop):
    found = survey(corpus.store, load(corpus, "normalize"))
    pairs_ = found["pairs"]
    assert pairs_.rows == pairs_.query.counts.sum() == pairs_.positive.counts.sum() == 84
    assert pairs_.query.longest == len(EVIL)
    median = sorted(len(row["query"]) for row in _rows(corpus, "pairs"))[41]
    assert pairs_.query.quantile(0.5) <= median < pairs_.query.quantile(0.5) * 1.13


def test_the_rows_drawn_do_not_depend_on_the_shard_size(corpus, workshop):
    few = survey(corpus.store, load(corpus, "normalize"))["pairs"]
    pool = {("pairs", "all"): _rows(corpus, "pairs", "all"), ("pairs", "de"): _rows(corpus, "pairs", "de")}
    many = survey(corpus.store, workshop.rows(corpus, pool, shard_rows=7))["pairs"]
    assert [place.key for place in few.drawn] == [place.key for place in many.drawn]
    assert {label: place.key for label, place in few.of_label.items()} == {
        label: place.key for label, place in many.of_label.items()
    }
    ids = [int.from_bytes(row["row_id"][:8], "big") for row in _rows(corpus, "pairs")]
    assert len(few.drawn) == 8
    assert {place.key for place in few.drawn} == set(sorted(ids)[:8])


def _rows(build, source, subset=None):
    shards = [s for s in load(build, "normalize").shards if s.source == source and subset in (None, s.subset)]
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
    (shard,) = [s for s in load(whole, "mine").shards if s.source == "code"]
    mined = whole.store.read_table(f"negatives/{shard.path}.negatives.arrow")["negatives"][lowest].as_py()
    texts = documents_of(whole, "code", "all").texts(np.array(mined)).to_pylist()
    assert texts
    assert set(texts) < {row["positive"] for row in rows} - {rows[lowest]["positive"]}
    assert cut(texts[0]) in page


def test_what_was_turned_down_is_counted_and_shown_with_its_reason(whole):
    data = collect(whole, inputs_of(whole, "report"))
    pools = load(whole, "mine").stats["pools"]
    assert pools["pairs"]["rejected"]["own-positive"] > 0
    for name, pool in pools.items():
        found = {row["reason"]: row["candidates"] for row in data["turned_down"].rows if row["pool"] == name}
        assert found == {reason: pool["rejected"][reason] for reason in REASONS[1:] if pool["rejected"].get(reason)}
    listed = [row["reason"] for row in data["turned_down_examples"].rows]
    assert {"own-positive", "not-needed"} <= set(listed)
    assert sorted(listed) == sorted(example[-1] for p in pools.values() for example in p["examples"])
    kinds = {row["reason"]: row["kind"] for row in data["turned_down"].rows}
    assert (kinds["own-positive"], kinds["not-needed"]) == ("mask", "rule")


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


def test_agreement_folds_what_means_the_same(whole):
    stats = {"s": {"confusion": {"zho": {"cmn": 8, "jpn": 2}, "deu": {"und": 1, "nld": 3}}, "texts": 14, "agree": 8,
                   "undetermined": 1}}  # fmt: skip
    inputs = load_inputs(whole, inputs_of(whole, "report"))
    object.__setattr__(inputs, "identified", StepResult("identify", stats={"sources": stats}))
    counts, pairs, _ = agreement.fill(inputs)
    assert [(row["agree"], row["disagree"], row["undetermined"]) for row in counts.rows] == [(8, 5, 1)]
    found = {(row["declared"], row["identified"]): row["agrees"] for row in pairs.rows}
    assert found == {("zho", "cmn"): True, ("deu", "nld"): False, ("zho", "jpn"): False, ("deu", "und"): None}
    table = confusion(pairs.rows, {"zho", "deu"})
    assert table is not None
    assert table.identified == ["zho", "deu", "other", "und"]
    assert table.shares.tolist() == [[0.8, 0.0, 0.2, 0.0], [0.0, 0.0, 0.75, 0.25]]
    assert confusion(pairs.rows, set()) is None


@pytest.mark.parametrize("data", [None, {}, {"trained": []}, {"trained": [{"layers": 2}]}])
def test_an_evaluation_without_scores_counts_as_none(data):
    assert read_evaluation(data) is None


def test_an_evaluation_may_lack_axes_and_the_untrained_model():
    found = read_evaluation({"trained": [{"layers": 2, "ndcg@10": 0.5}, {"layers": 1, "ndcg@10": 0.25}]})
    assert found is not None
    assert found.full() == (0.5, None)
