"""What is counted as still to be seen in texts."""

import pyarrow as pa

from sources.checks import seen, under_both

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
    clean = {"texts": 1, "short": 0, "repeated": 0} | dict.fromkeys(DIRTY, 0)
    assert seen(pa.array(["Nothing, really: e.g. AT&T, 5 < 6, naïve – “so”."])) == clean
    for kind, text in DIRTY.items():
        assert seen(pa.array([text])) == clean | {kind: 1}, kind


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
