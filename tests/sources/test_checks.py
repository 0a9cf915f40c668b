"""What is counted as still to be seen in texts."""

import random

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from sources.checks import _PATTERNS, RowChecks, seen, under_both
from sources.checkscan import EXACT, KINDS
from sources.cleaning import scan
from sources.cleaning.marks import MOJIBAKE
from sources.schema import ROW_SCHEMA

DIRTY = {
    "entities": "a &amp; b",
    "tags": "a<br />b",
    "escapes": r"a\nb",
    "jats": "O_ST_ABSAimsC_ST_ABS",
    "placeholders": "see _URL_3_",
    "treebank": "a -LRB- b",
    "invisible": "co\u00adld",
    "mojibake": "It\u00e2\u20ac\u2122s",
    "replacement": "w\ufffdre",
    "tokenized": "so , it is .",
}


def test_each_kind_is_counted_once_and_alone():
    clean = {"texts": 1, "short": 0, "repeated": 0, "damaged": 0} | dict.fromkeys(DIRTY, 0)
    assert seen(pa.array(["Nothing, really: e.g. AT&T, 5 < 6, naïve – “so”."])) == clean
    for kind, text in DIRTY.items():
        assert seen(pa.array([text])) == clean | {kind: 1, "damaged": 1}, kind


def test_short_and_repeated_texts_and_nulls():
    counts = seen(pa.array(["no", "yes", "yes", None, "yes", ""]))
    assert (counts["texts"], counts["short"], counts["repeated"]) == (6, 3, 2)


def test_words_torn_apart():
    torn = ["สินค้า และ ภูมิ ศาสตร์ คือ", "我 知道 他 来", "स ् तर"]
    assert seen(pa.array(torn))["tokenized"] == 3
    whole = ["พระเจ้าบรมวงศ์เธอ พระองค์เจ้าบุรฉัตรไชยากร กรมพระกำแพงเพชรอัครโยธิน", "标题 摘要", "स्तर"]
    assert seen(pa.array(whole))["tokenized"] == 0


def test_program_text_has_no_damage():
    texts, langs = pa.array(["a &amp; b", "a &amp; b"]), pa.array(["php-Code", "eng-Latn"])
    assert seen(texts, langs)["entities"] == 1


def test_texts_under_both_labels():
    texts, labels = pa.array(["a", "a", "b", "b", "c"]), pa.array(["x", "y", "x", "x", "y"])
    assert under_both(texts, labels) == 1


PIECES = [
    *DIRTY.values(), *"&<>\\_-`'; .,:aNnORC\n", "&#39;", "&nbsp;", "<p>", "</B >", "\\r\\n", "C_LI", "<jats:p>",
    "_URL_0_", "-RSB-", "``", "''", "\u200b", "\u2060", "\ufeff", "\ue000", "\uf8ff", "\uf900", "\u00a0", "\u0085",
    "Ã©", "â€œ", "é", "é “", "à", "ก", "ข ", "字", "字 ", "हि", " \u094d", " \u093c", " \u09cd", "\U0001f600", "한 국",
    " ;", " .\u3000",
]  # fmt: skip


def test_the_quick_look_at_the_bytes_misses_nothing():
    rng = random.Random(0)
    texts = pa.array(["".join(rng.choices(PIECES, k=rng.randrange(8))) for _ in range(20_000)])
    counts = seen(texts.slice(7))
    for kind, pattern in _PATTERNS.items():
        assert counts[kind] == pc.match_substring_regex(texts.slice(7), pattern).true_count > 0, kind
    assert counts["mojibake"] == np.count_nonzero(scan.marks_of(texts.slice(7)) & MOJIBAKE) > 0
    for kind, pattern in (
        ("invisible", r"[\x{ad}\x{200b}\x{2060}\x{feff}\x{e000}-\x{f8ff}]"),
        ("replacement", "\ufffd"),
    ):
        assert kind in EXACT
        assert counts[kind] == pc.match_substring_regex(texts.slice(7), pattern).true_count > 0, kind


def rows(queries, positives, labels=None, lang="eng-Latn"):
    n = len(queries)
    columns = {
        "row_id": [b"0" * 16] * n, "source": ["s"] * n, "subset": ["x"] * n, "query": queries, "positive": positives,
        "negatives": [[]] * n, "label": labels or [None] * n, "query_lang": [lang] * n, "positive_lang": [lang] * n,
        "origin": [{"file": "f", "record": 0}] * n,
    }  # fmt: skip
    return pa.RecordBatch.from_pydict(columns, ROW_SCHEMA)


def test_rows_are_counted_by_side_and_compared_within_their_shard():
    checks = RowChecks("retrieval")
    batch = rows(["a &amp; b", "who?", "who?", "who?"], ["It\u00e2\u20ac\u2122s <br/>", "he", "she", "he"])
    checks.add(batch.slice(0, 2))
    checks.add(batch.slice(2, 1))
    checks.end_shard()
    checks.add(batch.slice(3))
    checks.end_shard()
    assert checks.as_json() == {
        "query": {"texts": 4, "damaged": 1, "entities": 1, "repeated": 1},
        "positive": {"texts": 4, "damaged": 1, "mojibake": 1, "short": 2, "tags": 1},
    }


@pytest.mark.parametrize("family", ["classification", "clustering"])
def test_a_text_under_two_labels_is_counted_once_a_shard(family):
    checks = RowChecks(family)
    checks.add(rows(["one", "one", "two", "two", "one"], ["x &lt;"] * 5, ["a", "b", "a", "a", "b"]))
    checks.end_shard()
    checks.add(rows(["two"], ["x"], ["b"]))
    checks.end_shard()
    counts = checks.as_json()
    assert counts["query"] == {"texts": 6, "repeated": 3, "under_both": 1}
    assert ("positive" in counts) == (family == "clustering"), "names of classes are no texts"


def test_rows_of_program_text_are_counted_and_not_looked_at():
    checks = RowChecks("retrieval")
    checks.add(rows(["x &amp; y"], ["<p> a , b"], lang="php-Code"))
    checks.end_shard()
    assert checks.as_json() == {"query": {"texts": 1}, "positive": {"texts": 1}}
    assert RowChecks("retrieval").as_json() == {"query": {"texts": 0}, "positive": {"texts": 0}}


def test_every_kind_has_a_way_to_be_told():
    assert set(KINDS) == {*_PATTERNS, *EXACT, "mojibake"}
