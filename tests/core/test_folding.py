"""What counts as one text: the kernel's folding against a slow one, and pairs of texts that are the same or are not."""

import itertools
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.decontamination.api import overlaps
from curation.dedup import cluster
from curation.mining.api import mine
from curation.mining.settings import MiningSettings
from open_ml_embed.core.text.folding import folded
from open_ml_embed.core.text.tokens import tokenize
from tests.support.slow_folding import fold, normal, same_partition, words

PLANES = [chr(point) for point in range(0x30000) if not 0xD800 <= point < 0xE000]
MARKS = [char for char in PLANES if unicodedata.category(char)[0] == "M"]
LETTERS = [
    *"aiIzßſœøΑαιΩςρгеЁйІıİĳǅﬁＡ１①½", "ệ", "ǖ", "é", "ᾳ", "ᾼ", "か", "が", "ハ", "ポ", "ｶ", "ﾞ", "ゟ", "㌀", "漢", "丽",
    "ก", "ำ", "ທ", "ຳ", "ក", "မ", "\u0e4d", "\u0e32", "ש", "שּׁ", "ا", "أ", "ﻻ", "ﷺ", "क", "क़", "ো", "ক", "각", "가",
    "ᄀ", "ᅡ", "ᆨ", "ㄱ", "ﾡ", "ଡ଼", "ཀ", "ܐ", "Ꭰ", "ა", "Ა", "𝒜", "𐐀", "𝅗𝅥", "!", "´", "゛", " ", "\u00a0", "_", "5",
]  # fmt: skip
TROUBLE = st.sampled_from(
    [
        *"\u0300\u0301\u0307\u0308\u0323\u0328\u0338\u0345\u034f\u3099\u309a\u093c\u094d\u0653\u0654\u064e\u0651\u05b0\u0e38\u0e48",
        *"\u00ad\u200b\u200d\u2060\ufe0f\U000e0100\u1160\u3164\u180e\u0640",
        *LETTERS,
    ]
)
texts = st.lists(TROUBLE | st.characters(codec="utf-8"), max_size=14).map("".join)


def exact(batch: list[str]) -> list[int]:
    return tokenize(pa.array(batch, pa.large_string())).exact.tolist()


def same(one: str, other: str) -> bool:
    first, second = exact([one, other])
    return first == second


@pytest.mark.parametrize("frame", ["{}", "abcdefg{}hi", "か{}か", " {} {}e"])
def test_every_character_folds_as_the_slow_one(frame):
    batch = [frame.replace("{}", char) for char in PLANES]
    assert same_partition(exact(batch), list(map(fold, batch)))


def test_every_mark_on_every_kind_of_letter():
    batch = [letter + mark for letter in LETTERS for mark in MARKS]
    assert same_partition(exact(batch), list(map(fold, batch)))


def test_marks_in_any_order():
    chosen = [*"\u0300\u0301\u0307\u0308\u0323\u0328\u0338\u0345\u034f\u3099\u093c\u0654\u064e\u05b0\u0e38\u0e48\u200d"]
    batch = [letter + "".join(marks) for letter in LETTERS for marks in itertools.product(chosen, repeat=2)]
    assert same_partition(exact(batch), list(map(fold, batch)))
    assert same_partition(*zip(*_tokens([f"x{text}y" for text in batch]), strict=True))


def _tokens(batch: list[str]) -> list[tuple[int, str]]:
    got = tokenize(pa.array(batch))
    expected = [words(text) for text in batch]
    assert np.diff(got.offsets).tolist() == list(map(len, expected))
    return list(zip(got.hashes.tolist(), [word for each in expected for word in each], strict=True))


@given(st.lists(texts, min_size=1, max_size=6))
@example(["α\u0345\u200d\u0301", "ǆ\u0323", "a\u0301\u034f\u0323", "a\u0323\u0301", "ͺ\u0301", "a\u0301ﹱ\u0323"])
@settings(max_examples=600, deadline=None)
def test_texts_are_equal_where_their_slow_folding_is(batch):
    assert same_partition(exact(batch), list(map(fold, batch)))


@given(texts)
@settings(max_examples=300, deadline=None)
def test_how_a_text_is_written_does_not_matter(text):
    ways = [text, normal(text), fold(text)]
    ways += [unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")]
    ways += [unicodedata.normalize("NFC", fold(text)), "\u200b" + "\u00ad".join(text) + "\ufe0e"]
    got = tokenize(pa.array(ways))
    assert len(set(got.exact.tolist())) == 1
    assert len({got.hashes[a:b].tobytes() for a, b in itertools.pairwise(got.offsets)}) == 1


def test_case_does_not_matter():
    for way in (str.upper, str.lower, str.title, str.casefold):
        hashes = zip(exact([f"a{char}b" for char in PLANES]), exact([f"a{way(char)}b" for char in PLANES]), strict=True)
        assert [char for char, (one, other) in zip(PLANES, hashes, strict=True) if one != other] == []


def capital(text: str) -> bool:
    return any(unicodedata.category(char) in ("Lu", "Lt") for char in text)


@given(st.lists(texts, min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_tokens_for_search_are_of_the_folded_text(batch):
    """Capitals split words there: where there are none, how a text is written does not matter either."""
    plain = [text for text in map(str.lower, batch) if not capital(text)]
    ways = []
    for text in plain:
        ways += [text, unicodedata.normalize("NFD", text), "\u2060".join(text)]
        ways.append(text if capital(fold(text)) else fold(text))  # Cherokee folds to capitals
    got = tokenize(pa.array(ways, pa.string()), for_search=True)
    cut = [got.hashes[a:b].tobytes() for a, b in itertools.pairwise(got.offsets)]
    assert cut == [cut[i // 4 * 4] for i in range(len(cut))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fooBarBaz HTTPServer x2Y", ["foo", "bar", "baz", "httpserver", "x2", "y"]),
        ("aLongerCamelCaseName", ["a", "longer", "camel", "case", "name"]),
        ("größeÄnderung éÉ", ["größe", "änderung", "é", "é"]),
        ("e\u0301E\u0301 E\u0301E", ["é", "é", "ée"]),
        ("ｆｏｏＢａｒ fo\u00adoBa\u00adr", ["foo", "bar", "foo", "bar"]),
        ("приветМир ǅA", ["привет", "мир", "ǆ", "a"]),
        ("日本がか\u3099 本", ["日本", "本が", "がが", "本"]),
        ("\u1112\u1161\u11ab한한", ["한한한"]),
    ],
)
def test_tokens_for_search(text, expected):
    got, each = (tokenize(pa.array(batch), for_search=True) for batch in ([text], expected))
    assert got.hashes.tolist() == each.hashes.tolist()
    assert len(got.hashes) == len(expected)


SENTENCE = "What is the name of the river that flows through the old capital city of the northern kingdom?"
WIDE = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in SENTENCE)
TWINS = {
    "capitals": (SENTENCE, SENTENCE.upper()),
    "soft hyphens": (SENTENCE, SENTENCE.replace("i", "i\u00ad")),
    "word joiners and a byte-order mark": (SENTENCE, "\ufeff" + SENTENCE.replace("e", "\u2060e")),
    "direction marks": (SENTENCE, f"\u202a{SENTENCE}\u202c\u200e"),
    "full width": (SENTENCE, WIDE),
    "mathematical letters": (SENTENCE, "".join(chr(0x1D5EE + ord(c) - 97) if c.islower() else c for c in SENTENCE)),
    "ligatures": ("The final office of the first official flight", "The ﬁnal oﬃce of the ﬁrst oﬃcial ﬂight"),
    "circled digits and units": ("Step 1 of 12: add 5 kg of flour and 3 m2", "Step ① of ⑫: add 5 ㎏ of flour and 3 ㎡"),
    "sharp s": ("Die große Straße heißt Weißgasse und ist zu", "DIE GROSSE STRASSE HEISST WEISSGASSE UND IST ZU"),
    "decomposed letters": ("Hôtel à côté du café", unicodedata.normalize("NFD", "Hôtel à côté du café")),
    "Turkish": ("İstanbul'da ılık bir kış günü ısındı", "istanbul'da ILIK bir kış günü ISINDI"),
    "Greek capitals": ("Ο δρόμος προς το βουνό είναι μεγάλος", "Ο ΔΡΟΜΟΣ ΠΡΟΣ ΤΟ ΒΟΥΝΟ ΕΙΝΑΙ ΜΕΓΑΛΟΣ"),
    "Greek capitals with accents": ("Ο δρόμος προς το βουνό είναι μεγάλος", "Ο ΔΡΌΜΟΣ ΠΡΟΣ ΤΟ ΒΟΥΝΌ ΕΊΝΑΙ ΜΕΓΆΛΟΣ"),
    "Russian stress": ("Москва — столица и крупнейший город, ее ждет", "Москва́ — столи́ца и крупне́йший го́род, её ждёт"),
    "Arabic points": ("ما هو اسم النهر الذي يمر عبر العاصمة", "مَا هُوَ اسْمُ النَّهْرِ الَّذِي يَمُرُّ عَبْرَ الْعَاصِمَةِ"),
    "tatweel": ("ما هو اسم النهر الذي يمر عبر العاصمة", "مـــا هو اســـم النهـــر الذي يمـــر عبر العاصـمة"),
    "Arabic presentation forms": ("سلام لا اله", "ﺳﻼﻡ ﻻ ﺍﻟﻪ"),
    "Hebrew points": ("בראשית ברא אלהים את השמים ואת הארץ", "בְּרֵאשִׁ֖ית בָּרָ֣א אֱלֹהִ֑ים אֵ֥ת הַשָּׁמַ֖יִם וְאֵ֥ת הָאָֽרֶץ"),
    "Persian without joiners": ("می\u200cخواهم کتاب‌ها را بخوانم", "میخواهم کتابها را بخوانم"),
    "half-width kana": ("カタカナデカイタコノブンハナガイ", "ｶﾀｶﾅﾃﾞｶｲﾀｺﾉﾌﾞﾝﾊﾅｶﾞｲ"),
    "kana decomposed": ("ガギグゲゴはパピプ", unicodedata.normalize("NFD", "ガギグゲゴはパピプ")),
    "Hangul decomposed": ("한국어로 쓴 문장입니다", unicodedata.normalize("NFD", "한국어로 쓴 문장입니다")),
    "Thai sara am": ("น้ำใจและคำพูดทำให้จำได้", unicodedata.normalize("NFKD", "น้ำใจและคำพูดทำให้จำได้")),
    "variation selectors": ("I \u2764 葛城 very much", "I \u2764\ufe0f 葛\U000e0100城 very much"),
    "CJK compatibility": ("樂洛豈金車以", "\uf914\uf915\uf900\uf90a\uf902以"),
}


@pytest.mark.parametrize("name", TWINS)
def test_texts_that_are_one(name):
    one, other = TWINS[name]
    assert one != other
    assert same(one, other)
    assert cluster([one, other])["reason"].to_pylist() == [None, "exact-duplicate"]
    assert overlaps([other], [one])["reason"].to_pylist() == ["exact"]
    tokens = tokenize(pa.array([one.lower(), other.lower()]), for_search=True)
    assert tokens.hashes[: tokens.offsets[1]].tolist() == tokens.hashes[tokens.offsets[1] :].tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("resume", "résumé"), ("schon", "schön"), ("кот", "кѓт"), ("мой", "мои"), ("їжак", "іжак"), ("ø", "o"),
        ("سأل", "سال"), ("آن", "ان"), ("علی", "علي"), ("कि", "की"), ("कम", "क्म"), ("ไก่", "ไก"), ("か", "が"),
        ("は", "ぱ"), ("ひらがな", "ヒラガナ"), ("学校", "學校"), ("٣", "3"), ("don't", "don’t"), ("a-b", "a–b"),
        ("ab", "a b"), ("æ", "ae"), ("раз", "paз"), ("a\u0300b", "ab"), ("각", "가"), ("ş", "s"), ("ȷ", "j"),
        ("a.", "a"), ("ำ", "า"), ("ำ", "\u0e4d"),
    ],
)  # fmt: skip
def test_texts_that_stay_two(one, other):
    assert not same(one, other)


def test_a_mark_without_a_letter_is_no_token():
    """`´` folds to a space and a mark: what it stands for an apostrophe in is cut as with an apostrophe."""
    got = tokenize(pa.array(["it´s", "it's", "\u0301s", "゛a", "か゛"]))
    assert got.hashes[:2].tolist() == got.hashes[2:4].tolist()
    assert np.diff(got.offsets).tolist() == [2, 2, 1, 1, 1]


def test_a_character_may_fold_to_more_tokens_than_it_has_bytes():
    """㍿ and ﷺ are three bytes, and four characters and four words."""
    for text, tokens in (("㍿" * 5000, 20_000), ("ﷺ " * 5000, 20_000), ("½ " * 5000, 10_000), ("a" * 9, 1)):
        got = tokenize(pa.array(["x", text, "y z", text]), with_kinds=True)
        assert np.diff(got.offsets).tolist() == [1, tokens, 2, tokens]
        assert len(got.kinds) == len(got.hashes)
        assert got.exact[1] == got.exact[3]
        assert got.hashes[1 : 1 + tokens].tolist() == got.hashes[-tokens:].tolist()


def test_folding_twice_is_folding_once():
    assert [char for char in PLANES if "".join(map(folded, folded(char))) != folded(char)] == []


def test_bm25_finds_a_document_however_it_is_written():
    queries = ["Which STRASSE leads to the river?", "قصة النهر القديم", "ﾃﾞﾝｼｬ"]
    documents = ["the Straße of the river", "قِصَّةُ النَّهْرِ", "デンシャの駅", "some other words", "nothing here"]
    found = mine(
        queries,
        documents,
        [[3], [3], [3]],
        MiningSettings(preset="none", relative_margin=None, num_negatives=1, shortage="keep"),
    )
    assert [found.of(query).tolist() for query in range(3)] == [[0], [1], [2]]
