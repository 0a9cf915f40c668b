"""Declared cleaning: each operation on texts that have the damage, and on those that only look like it."""

from typing import get_args

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from sources import registry
from sources.cleaning import OPERATIONS, cleaned, scan
from sources.cleaning.texts import clean
from sources.manifest import CleanName, Manifest

CASES = {
    "encoding": [
        ("It\u00e2\u20ac\u2122s a caf\u00c3\u00a9", "It’s a café"),
        ("It\u00e2\u0080\u0099s", "It’s"),
        ("Mar\u00c3\u00adn", "Marín"),
        ("\u00c2\u00a320 \u00c2\u00ab pr\u00c3\u00a8s \u00c2\u00bb", "£20 « près »"),
        ("à la française, «É» – Ångström", "à la française, «É» – Ångström"),
        ("ÃO DE PAO É BOM", "ÃO DE PAO É BOM"),
        ("São Paulo, ÊXITO", "São Paulo, ÊXITO"),
    ],
    "escapes": [
        (r"one\ntwo\r\nthree", "one\ntwo\nthree"),
        (r"site:\nAir Fleet", "site:\nAir Fleet"),
        (r"$a \neq b$ and \nabla f, \not a", r"$a \neq b$ and \nabla f, \not a"),
        (r"see C:\new\notes", r"see C:\new\notes"),
        (r"print '\n' at the end\nof it", r"print '\n' at the end\nof it"),
    ],
    "list": [
        ("['Wash.', \"Don't peel.\", ' ']", "Wash.\nDon't peel."),
        ("['cut off in the mid", "['cut off in the mid"),
        ("['a', 3]", "['a', 3]"),
        ("[1] a note ['x']", "[1] a note ['x']"),
    ],
    "entities": [
        ("Tom &amp; Ann&#39;s &#x201C;boat&#8221; &mdash; new", "Tom & Ann's “boat” — new"),
        ("R&amp;amp;D, 5&nbsp;km &lt; 6", "R&D, 5 km < 6"),
        ("AT&T; a&b; &unknown; &#0; &#xD800;", "AT&T; a&b; &unknown; &#0; &#xD800;"),
        ("What does &nbsp; do in HTML?", "What does &nbsp; do in HTML?"),
        ("Why do I see '&amp;' everywhere", "Why do I see '&amp;' everywhere"),
        ("the entity &lt; shows", "the entity &lt; shows"),
        ("fish &ampchips &copy 2004", "fish &ampchips &copy 2004"),
    ],
    "tags": [
        ("a<br />b<BR>c<br/>\nd", "a\nb\nc\nd"),
        ("<p>One.</p><p class='x'>Two <b>bold</b>.</p>", "\nOne.\n\nTwo bold.\n"),
        ('see <a href="http://x.org/a">this</a><!-- note -->', "see this"),
        ("i <3 u, x < y > z, <stdio.h>, List<String>, <http://a.b>", "i <3 u, x < y > z, <stdio.h>, List<String>, <http://a.b>"),
        ("Why is my <br> tag ignored in HTML?", "Why is my <br> tag ignored in HTML?"),
    ],
    "jats": [
        ("O_ST_ABSAimsC_ST_ABS To see. O_ST_ABSResults:C_ST_ABSSeen.", "Aims: To see.\nResults: Seen."),
        ("a O_SCPLOWLC_SCPLOW-form of O_SCPCAPDNAC_SCPCAP", "a L-form of DNA"),
        ("Text. O_FIG O_LINKSMALLFIG WIDTH=1> View larger version C_FIG End.", "Text.End."),
        ("<jats:p>One</jats:p> <jats:italic>E. coli</jats:italic>", "\nOne\nE. coli"),
        ("HELLO_LIST and CO_LI2", "HELLO_LIST and CO_LI2"),
    ],
    "placeholders": [
        ("see _URL_0_ for more", "see for more"),
        ("[the page](_URL_12_) (_URL_1_).", "the page."),
        ("A _URL without number", "A _URL without number"),
    ],
    "treebank": [
        ("Ann -LRB- b. 1961 -RRB- wrote -LSB- sic -RSB-", "Ann (b. 1961) wrote [sic]"),
        ("`` Stop '' , she said", '"Stop" , she said'),
        ("1975 -- 76 was -- so they say -- cold", "1975–76 was – so they say – cold"),
        ("```py\nx = ''\n``` and 5'2''", "```py\nx = ''\n``` and 5'2''"),
        ("--flag", "--flag"),
    ],
    "invisible": [
        ("co\u00adop\u200ber\u2060ate \ue000now\ufeff", "cooperate now"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क्\u200dष श्री\u200cमान", "क्\u200dष श्री\u200cमान"),
        ("നന്\u200d", "നന്\u200d"),
        ("zero\u200dwidth\u200cjoiners", "zerowidthjoiners"),
        ("👩\u200d👩\u200d👧 ❤\ufe0f\u200d🔥", "👩\u200d👩\u200d👧 ❤\ufe0f\u200d🔥"),
        ("\u200fשלום\u202c", "שלום"),
    ],
    "hard-wraps": [
        ("Sections at Tevatron and\n  LHC energies", "Sections at Tevatron and LHC energies"),
        ("One\npara.\n\nTwo\npara.", "One para.\n\nTwo para."),
        ("List:\n- a\n  more\n- b\n1. c", "List:\n- a more\n- b\n1. c"),
        ("Code\n```\na\nb\n```", "Code\n```\na\nb\n```"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "mended"), [(n, *case) for n, cases in CASES.items() for case in cases])
def test_operation(name, text, mended):
    lang = pa.array(["eng-Latn"])
    assert cleaned(pa.array([text]), lang, [name]).to_pylist() == [mended]


TOKENIZED = [
    ("deu-Latn", 'Er sagte : " Geh ! " ( und ging ) .', 'Er sagte: "Geh!" (und ging).'),
    ("fra-Latn", "Qu' est-ce qu' il dit de l' homme , « oui » ?", "Qu'est-ce qu'il dit de l'homme, « oui »?"),
    ("spa-Latn", "¿ Qué dices ? ¡ Ven !", "¿Qué dices? ¡Ven!"),
    ("rus-Cyrl", "Он сказал : « да » .", "Он сказал: «да»."),
    ("eng-Latn", "I do n't know , it 's John ' s ; $ 5 @-@ 6 ...", "I don't know, it's John's; $5-6..."),
    ("eng-Latn", "A .NET class , 3 .5 and :)", "A .NET class, 3 .5 and:)"),
    ("tur-Latn", "Ankara ' da kar var .", "Ankara'da kar var."),
    ("hin-Deva", "स ् तर पर चीज ़ ें , सड ़ क और ज ़ रूर ।", "स्तर पर चीज़ें, सड़क और ज़रूर।"),
    ("hin-Deva", "आवाज ़ आई", "आवाज़ आई"),
    ("ben-Beng", "ক ্ ষমা", "ক্ষমা"),
    ("zho-Hans", "他 在 1990 年 去 了 IBM , 三 个 a , 然后", "他在1990年去了IBM,三个a,然后"),
    ("zho-Hans", "他用 IBM 的 Java 语言", "他用 IBM 的 Java 语言"),
    ("jpn-Jpan", "彼 は 行っ た 。", "彼は行った。"),
    ("tha-Thai", "เขา ไป   กับ   Anna   และ ลูก", "เขาไปกับ   Anna   และลูก"),
    ("urd-Arab", "وہ گیا ۔ کیوں ؟", "وہ گیا۔ کیوں؟"),
    ("ara-Arab", "قال ، نعم ؛ لا", "قال، نعم؛ لا"),
    ("deu-Latn", 'Ein " einzelnes Zeichen', 'Ein " einzelnes Zeichen'),
]


@pytest.mark.parametrize(("lang", "text", "natural"), TOKENIZED)
def test_detokenizing(lang, text, natural):
    made = cleaned(pa.array([text]), pa.array([lang]), ["detokenize"])
    assert made.to_pylist() == [natural]
    assert cleaned(made, pa.array([lang]), ["detokenize"]) == made


def test_what_has_no_damage_is_the_same_array():
    texts = pa.array(["Plain text.", "naïve – «café»", None, "नमस्ते"])
    langs = pa.array(["eng-Latn", "fra-Latn", "eng-Latn", "hin-Deva"])
    names = [name for name in OPERATIONS if name != "detokenize"]
    assert cleaned(texts, langs, names) is texts


def test_program_text_and_nulls_are_left():
    texts = pa.array(["a &amp; b", None, "a &amp; b"])
    langs = pa.array(["php-Code", "eng-Latn", "eng-Latn"])
    assert cleaned(texts, langs, ["entities"]).to_pylist() == ["a &amp; b", None, "a & b"]


def test_operations_see_what_those_before_them_made():
    texts = pa.array(["It\u00e2\u20ac\u2122s &lt;b&gt;co\u00adld&lt;/b&gt;"])
    made = cleaned(texts, pa.array(["eng-Latn"]), ["invisible", "tags", "entities", "encoding"])
    assert made.to_pylist() == ["It’s cold"]


def test_slices():
    texts = pa.array(["x &amp; x", "a &amp; b", "c"]).slice(1)
    assert cleaned(texts, pa.array(["eng-Latn"] * 2), ["entities"]).to_pylist() == ["a & b", "c"]


SPICE = st.sampled_from([
    " ", " .", " ,", '"', " ' ", "( ", "“ ", " ”", "« ", " »", "¿ ", "$ ", "€ ", " n't", "qu' ", " ं", " ्", " ़ ", "เ ข",
    "好 好", "@-@", "&amp;", "<b>", "``", "''", "--", "-LRB-", "\\n", "_URL_1_", "C_LI", "\n", "[", "['a']", "\u200b",
    "\xad", "\u200d", "â€™", "\x92", "a", "é", "я", " ، ", " ।",
])  # fmt: skip
TEXT = st.lists(SPICE | st.text(max_size=3), max_size=8).map("".join)


@example(" ”é", "fra-Latn")  # ftfy takes it for one letter that was read as MacRoman
@given(TEXT, st.sampled_from(["eng-Latn", "zho-Hans", "hin-Deva", "tha-Thai", "fra-Latn"]))
def test_a_text_without_marks_has_nothing_to_mend(text, lang):
    mark = int(scan.marks_of(pa.array([text]))[0])
    for name, operation in OPERATIONS.items():
        if not mark & operation.marks:
            assert operation.mend(text, lang) == text, name


def test_manifests_name_the_operations_there_are():
    assert set(get_args(CleanName)) == set(OPERATIONS)
    data = registry.load("imdb").model_dump() | {"clean": ["entitys"]}
    with pytest.raises(ValidationError, match="entities"):
        Manifest.model_validate(data)


def test_sides_may_be_cleaned_apart():
    manifest = registry.load("gooaq")
    texts, langs = pa.array(["['a', 'b']"]), pa.array(["eng-Latn"])
    assert clean(texts, langs, manifest, "query").to_pylist() == ["['a', 'b']"]
    assert clean(texts, langs, manifest, "positive").to_pylist() == ["a\nb"]
