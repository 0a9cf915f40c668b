"""What real records showed to go wrong, source by source: rows of the fixtures that only come out of mended sources."""

import logging
from pathlib import Path

import pyarrow as pa
import pytest

from sources import registry
from sources.normalize import _admitted
from sources.quarantine import Quarantine
from sources.renaming import read_renamed
from tests.sources.raw import xnli
from tests.sources.rawkit.tables import parquet
from tests.sources.test_contract import once

THERE = [
    ("xcodeeval_code2code", "c", "positive", "// 1\n#include <stdio.h>\nint main()\n{\n    int n, x, s = 0;\n"),
    ("xcodeeval_code2code", "cpp", "positive", "// 1\n#include <iostream>\nusing namespace std;\nint main() {\n"),
    ("xcodeeval_nl2code", "python", "query", "See the statement.\n\nOutput: One line.\n\nNotes: Time limit: 1 s"),
    ("xcodeeval_nl2code", "cpp", "query", "It has lower-case Latin letters only.\nTime"),
    ("codefeedbackst", "all", "query", "Lay out three boxes in a row."),
    ("codefeedbackmt", "python", "positive", "Give those a value:\n```python\npeople.sort("),
    ("gooaq", "en", "positive", "Sleeping bag liner\nRain jacket\nCash\nEarplugs"),
    ("medinstruct", "en", "query", "Classify the gas.\nNaCl in water gives off none."),
    ("medinstruct", "en", "query", "Define tachycardia."),
    ("medinstruct", "en", "query", "Say how long a common cold lasts."),
    ("medinstruct", "en", "query", "Name a vitamin that dissolves in fat."),
    ("medinstruct", "en", "query", "Give one sign of dehydration."),
    ("stsbenchmark", "en", "query", "A child waves."),
    ("clirmatrix", "af2en", "query", "Volstruis"),
    ("sts22", "en", "query", "Flood closes coast road."),
    ("sts22_crosslingual", "multilingual", "query", "Nach neun Jahren Bauzeit ist der Tunnel"),
    ("stack_exchange_clustering_p2p", "en", "query", "Name a pipe for two readers Can two processes read one fifo?"),
    ("stack_exchange_clustering_p2p", "en", "query", "Bread & butter that keep a week Rye does; wheat doesn't."),
    ("medicalqa_ru", "ru", "query", "Кружится голова по утрам, что проверить?"),
    ("medicalqa_ru", "ru", "positive", "Измерьте давление лёжа и стоя, сдайте общий анализ крови."),
    ("mkqa", "da", "query", "hvad hedder hovedstaden i island"),
    ("oasst2", "all", "positive", "Like this:\n\n1. Use `sorted`:\n   - with a key\n   - or `list.sort`\n\n```python\n"
     "def by_length(words):\n    return sorted(words, key=len)  # shortest  first\n```"),
    ("openorca", "en", "positive", '{\n  "mill": {\n    "town": "Orsk",\n    "wheels": 2\n  }\n}'),
    ("yahoo_answers", "en", "query", "My hamster does not come out of his wheel\nis he sick?"),
    ("yahoo_answers", "en", "positive", "If you have a fever, no.\nDrink a lot."),
    ("yahoo_answers", "en", "query", "why does $x \\neq y$ not print in my homework?"),
    ("yahoo_answers", "en", "positive", "your font lacks the sign. try another one:\n1. DejaVu\n2. STIX"),
    ("imdb", "en", "query", "A quiet triumph.\n\nEvery shot earns its place."),
    ("mmarco", "msmarco", "positive", "The Danube rises in the Black Forest – it’s two brooks."),
    ("amazon_counterfactual", "de", "query", 'Auf "Stufe 3" w\ufffdre er mir zu laut & zu warm.'),
    ("reddit_clustering_s2s", "en", "query", "Free talk & tipping thread"),
    ("reddit_clustering_s2s", "en", "query", "Score ticker shows &amp;nbsp; instead of a blank in HTML"),
    ("stack_exchange_clustering_s2s", "en", "query", "Panel shows the entity &lt; as text"),
    ("stack_exchange_clustering_s2s", "en", "query", "Files & folders swap places"),
    ("arxiv_clustering_p2p", "en", "query", "gaps on sparse random graphs We bound the gap of a walk on graphs"),
    ("arxiv_clustering_s2s", "en", "query", "Slow spectral gaps on sparse random graphs"),
    ("bq", "zh", "query", "怎么关闭自动还款"),
    ("bq", "zh", "positive", "自动还款怎么取消"),
    ("csl", "zh", "query", "提出了一种根据叶片光谱识别腐烂病的方法。"),
    ("miracl", "fa", "query", "کدام کتاب\u200cها را سعدی نوشته است؟"),
    ("miracl", "fa", "positive", "می\u200cگفت شاعر است."),
    ("miracl", "th", "query", "ภูเขาไฟใดสูงที่สุด?"),
    ("miracl", "fi", "query", "Missä on Saamen kanava?"),
    ("snli", "en", "positive", "A ship is on the water."),
    ("snli", "en", "positive", "There is a sound."),
    ("fever", "en", "positive", 'Grete Lind (born 4 May 1961) is a Norwegian orienteer, called "the Compass" at home.'),
    ("hotpotqa", "en", "positive", "Irene Vasquez (1911–1988) was a film director"),
    ("eli5", "en", "positive", "some wrap themselves in slime (a paper, & see)."),
    ("eli5", "en", "query", "My parents keep talking about it."),
    ("biorxiv_clustering_p2p", "en", "query", "Background: We record mossy fibres during a timed lick.\n"
     "Results: D-serine slows them."),
    ("medrxiv_clustering_p2p", "en", "query", "We followed residents of ninety homes.\n- Two left."),
    ("sts12", "en", "query", "The vote in Marín will take place tomorrow at noon."),
    ("cnn_dm", "en", "query", "Ship runs aground off the cape.\nAll nineteen sailors are safe."),
    ("pawsx", "en", "query", 'The 1975–76 season, called "the long one", ended in Kendal.'),
    ("pawsx", "en", "query", "The song (by Ada) didn't chart."),
    ("amazon_qa", "en", "query", "Can I wash the cushion cover?"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "subset", "side", "text"), THERE)
def test_a_row_has_the_text(source, subset, side, text):
    texts = once(source)[0].rows[subset][side].to_pylist()
    assert any(text in found for found in texts), texts


GONE = [
    ("eli5", "en", "_URL_"), ("miracl", "th", "\u200b"), ("miracl", "fi", "\u00ad"), ("bq", "zh", "\u200b"),
    ("fever", "en", "-LRB-"), ("fever", "en", " ."), ("pawsx", "en", " ,"), ("cnn_dm", "en", " ."),
    ("gooaq", "en", "['"), ("medinstruct", "en", "noinput"), ("medinstruct", "en", "\nN"), ("imdb", "en", "<br"),
    ("mmarco", "msmarco", "â"), ("medicalqa_ru", "ru", ". Кружится"), ("biorxiv_clustering_p2p", "en", "_ST_ABS"),
    ("medrxiv_clustering_p2p", "en", "_LI"), ("reddit_clustering_s2s", "en", "&amp; tipping"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "subset", "text"), GONE)
def test_no_row_has_the_text(source, subset, text):
    rows = once(source)[0].rows[subset]
    found = [t for side in ("query", "positive") for t in rows[side].to_pylist() if text in t]
    exceptions = {"medinstruct": ["Classify the gas.\nNaCl in water gives off none."]}
    assert [t for t in found if t not in exceptions.get(source, [])] == []


@pytest.mark.parametrize("language", xnli.SUBSETS)
def test_tokenized_text_is_what_it_was(language):
    rows = once("xnli")[0].rows[language]
    written = {text.replace("|", "").replace("。", ".") for scene in xnli._TEXTS[language] for text in scene}
    found = {text for side in ("query", "positive") for text in rows[side].to_pylist()}
    assert found
    assert found <= written


@pytest.mark.parametrize(("source", "subset"), [("mela", "en"), ("amazon_counterfactual", "de")])
def test_a_text_under_both_labels_is_quarantined_twice(source, subset):
    result = once(source)[0]
    bad = [row for row in result.quarantined[subset].to_pylist() if row["reason"] == "both-labels"]
    assert len(bad) == 2
    assert {row["excerpt"].partition(":")[0] for row in bad} == set(result.rows[subset]["label"].to_pylist())
    for row in bad:
        text = " ".join(row["excerpt"].partition(": ")[2].split())
        assert text not in result.rows[subset]["query"].to_pylist()


def test_titles_below_the_bar_are_counted():
    assert once("clirmatrix")[0].filtered["score-below-5"] == 2  # one in each direction


@pytest.mark.parametrize(
    ("source", "field", "column"), [("codefeedbackst", "query_id", "query-id"), ("mkqa", "id", "_id")]
)
def test_the_log_says_under_which_name_a_column_was_met(source, field, column, caplog, tmp_path: Path):
    manifest = registry.load(source)
    table = next(t for t in manifest.tables.values() if field in t.other_names)
    values = dict.fromkeys(table.fields, "1") | {"score": 1}
    row = {column if name == field else name: values[name] for name in table.fields}
    parquet(tmp_path / "x.parquet", [row])
    with caplog.at_level(logging.INFO, "sources.renaming"):
        batches = list(read_renamed(tmp_path / "x.parquet", "x.parquet", table, Quarantine("s", "t")))
    assert batches[0].columns.column_names == list(table.fields)
    assert caplog.messages == [f"x.parquet: column {column!r} is read as {field!r}"]


@pytest.mark.parametrize("values", [[True, False, None], [1, 0, None], [1.0, 0.0, None], ["True", "false", None]])
def test_truth_may_be_written_as_a_number_or_a_word(values):
    assert _admitted(pa.array(values), [True], "w", "f").to_pylist() == [True, False, False]


def test_values_are_admitted_as_they_are_written():
    assert _admitted(pa.array(["a", "b", None]), ["b"], "w", "f").to_pylist() == [False, True, False]
    assert _admitted(pa.array([1, 2]), [2, 3], "w", "f").to_pylist() == [False, True]
