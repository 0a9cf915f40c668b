"""Labeled text for the bundled identifier: which languages, which messages, which half."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sources.languages import LanguageCodeError, is_tag
from tests.support.translations import ENGLISH, GERMAN
from tools.langid.labels import han_script, language, stated_script
from tools.langid.passages import SCHEMA, Limits, Passage, pieces, plain, rows


def kept(*passages, **limits):
    table, lost = rows([Passage(*passage) for passage in passages], Limits(**limits))
    return [(row["label"], row["text"]) for row in table.to_pylist()], {why: n for why, n in lost.items() if n}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("zh-min-nan", "nan"), ("zh-hans", "cmn"), ("ar", "arb"), ("sw", "swh"), ("fa", "pes"), ("et", "ekk"),
        ("lv", "lvs"), ("sq", "als"), ("uz", "uzn"), ("az", "azj"), ("ms", "zsm"), ("or", "ory"), ("nb@latin", "nob"),
        ("no", "nob"), ("azb", "azb"), ("ckb", "ckb"), ("sh", "hbs"), ("ks-deva", "kas"), ("pt_BR", "por"),
    ],
)  # fmt: skip
def test_a_code_stands_for_the_individual_language(code, found):
    assert language(code) == found


@pytest.mark.parametrize("code", ["nah", "map-bms", "roa-tara", "eml", "qqq", "nds-nl", "x-default", "zzzz", ""])
def test_codes_of_no_single_language_are_refused(code):
    with pytest.raises(LanguageCodeError):
        language(code)


def test_scripts_are_what_codes_and_characters_say():
    assert stated_script("sr@latin") == "Latn"
    assert stated_script("zh_CN") == "Hans"
    assert stated_script("be-tarask") is None
    assert han_script("請輸入網頁") == "Hant"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("Could not open %(name)s, try again", "Could not open , try again"),
        ("<b>Fette Schrift</b> &amp; mehr davon", "Fette Schrift & mehr davon"),
        ("~Datei _öffnen und &schließen", "Datei öffnen und schließen"),
        ("100 % der Stimmen", "100 % der Stimmen"),
        ("%s: %d (%s)", None),
        ("", None),
        ("<a href='https://example.org/a/long/address/of/a/page'>x</a>", None),
    ],
)
def test_markup_and_parameters_go(message, text):
    assert plain(message) == text


@given(st.text(st.sampled_from("ab. 。!漢\n"), max_size=60), st.integers(1, 20))
def test_pieces_lose_nothing_but_spaces(text, longest):
    found = pieces(text, longest)
    assert all(0 < len(piece) <= longest for piece in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_rows_are_labeled_with_language_and_script():
    found, _ = kept(
        (GERMAN, "de", "p/1"),
        ("Датотека није пронађена.", "sr", "p/1"),
        ("ファイルが見つかりません。", "ja", "p/1"),
        ("找不到这个文件，请重新输入。", "zh_CN", "p/1"),
        ("搵唔到呢個檔案，請再輸入。", "yue", "p/1"),
    )
    assert [label for label, _ in found] == ["cmn-Hans", "deu-Latn", "jpn-Jpan", "srp-Cyrl", "yue-Hant"]


def test_what_is_not_the_language_is_left_out():
    found, lost = kept(
        (ENGLISH, "en", "p/1"),
        (ENGLISH.upper(), "de", "p/1"),
        (GERMAN, "de", "p/2"),
        ("Kurz", "de", "p/3"),
        ("1024 × 768 (32-48-99)", "de", "p/4"),
        ("Файл не найден, попробуйте.", "de", "p/5"),
        ("The pages of this wiki are not for you", "nl", "p/6"),
        ("Ayiti se yon peyi", "nah", "p/7"),
        ("Файл с новым описанием in the folder", "ru", "p/8"),
        *((name, code, "p/9") for name in ["Wikimedia Commons"] for code in ("nl", "de", "fr", "it")),
    )
    assert found == [("deu-Latn", GERMAN), ("eng-Latn", ENGLISH)]
    assert lost == {
        "untranslated": 1, "short": 1, "not-language": 1, "wrong-script": 1, "english": 1, "no-single-language": 1,
        "shared": 4, "mixed-script": 1,
    }  # fmt: skip


def test_a_second_script_counts_where_it_is_usual():
    latin = [(f"Bu fayl topilmadi, nomi {word}", "uz", f"p/{word}") for word in ("olma", "anor", "uzum")]
    cyrillic = [("Бу файл топилмади, номи олма", "uz", "p/4")]
    assert {label for label, _ in kept(*latin, *cyrillic, usual=0.25, fewest=1)[0]} == {"uzn-Latn", "uzn-Cyrl"}
    assert {label for label, _ in kept(*latin, *cyrillic, usual=0.3, fewest=1)[0]} == {"uzn-Latn"}


def test_the_script_tells_the_member_of_a_macrolanguage():
    assert kept(*((f"بەرزکردنەوەی پەڕگە بۆ {word}", "ku", f"p/{word}") for word in ("نان", "ئاو")), fewest=1)[0][0][
        0
    ] == ("ckb-Arab")


words = st.sampled_from(["Datei", "öffnen", "Seite", "nicht", "gefunden", "Nachricht", "schreiben", "Wort"])
passages = st.lists(
    st.builds(
        Passage,
        st.lists(words, min_size=3, max_size=8).map(" ".join),
        st.sampled_from(["de", "nl", "en", "lb"]),
        st.integers(0, 30).map("p/{}".format),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=30)  # the first call may compile
@given(passages, st.randoms())
def test_rows_do_not_depend_on_the_order(drawn, random):
    shuffled = random.sample(drawn, len(drawn))
    limits = Limits(most_rows=3)
    assert rows(drawn, limits)[0].equals(rows(shuffled, limits)[0])


@settings(deadline=None, max_examples=30)  # the first call may compile
@given(passages)
def test_no_document_and_no_text_is_on_both_sides(drawn):
    table, lost = rows(drawn, Limits(most_rows=5))
    by_document, by_text = {}, {}
    for row in table.to_pylist():
        assert by_document.setdefault(row["document"], row["split"]) == row["split"]
        assert by_text.setdefault((row["label"], row["text"]), row["split"]) == row["split"]
        assert is_tag(row["label"])
    assert table.schema.equals(SCHEMA)
    assert table.num_rows + sum(lost.values()) == len(drawn)
    assert all(table["label"].to_pylist().count(label) <= 5 for label in table["label"].to_pylist())


def test_the_cap_leaves_the_halves_as_they_were():
    drawn = [Passage(f"Die Datei {number:x} fehlt noch immer", "de", f"p/{number}") for number in range(3000)]
    splits = rows(drawn, Limits(most_rows=600))[0]["split"].to_pylist()
    assert 30 < splits.count("test") < 90  # one in ten
