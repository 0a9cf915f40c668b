import re
from collections import Counter
from pathlib import Path

import pytest

from sources import registry
from sources.adapters import debian
from sources.adapters.docstrings import description
from sources.adapters.mediawiki import cleaned
from sources.fetch import packing
from sources.languages import LanguageCodeError, tag_of
from sources.normalize import normalize, parts
from sources.quarantine import Quarantine
from tests.sources.raw import FIXTURES, raw_files

DEBIAN = ("debian_descriptions", "debian_sections", "debian_tags")


def rows_of(source: str, subset: str, folder: Path) -> tuple[list[dict], Counter]:
    filtered: Counter[str] = Counter()
    rows = []
    for part in parts(registry.load(source), subset, raw_files(source, subset, folder)):
        for batch in normalize(part, registry.load(source), Quarantine(source, subset), filtered):
            rows += batch.to_pylist()
    return rows, filtered


def pairs(rows: list[dict]) -> set[tuple[str, str]]:
    return {(row["query"], row["positive"]) for row in rows}


def test_a_synopsis_asks_for_its_description(tmp_path):
    rows, filtered = rows_of("debian_descriptions", "de", tmp_path)
    assert pairs(rows) == {
        ("Wetterkarten aus Satellitenbildern", "Kite zeichnet Karten.\n\n * schnell\n * klein"),
        ("winziges CAD-Programm", "Lathe macht aus Zeichnungen feste Körper."),
    }
    assert filtered == {"untranslated": 2}


def test_english_is_not_compared_with_itself_and_repeats_go(tmp_path):
    rows, filtered = rows_of("debian_descriptions", "en", tmp_path)
    assert len(rows) == 3
    assert filtered == {"repeated-description": 1}


def test_lines_in_japanese_join_without_a_space(tmp_path):
    rows, _ = rows_of("debian_descriptions", "ja", tmp_path)
    assert pairs(rows) == {("衛星写真からの天気図", "Kite は風と雨の地図を描きます。")}


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("t\none\ntwo\n\nthree", "one two\n\nthree"),
        ("t\n * one\n * two", "* one\n * two"),
        ("t\nlist:\n * one\n   more\nafter", "list:\n * one\n   more\nafter"),
        ("t", ""),
    ],
)
def test_running_text_is_unwrapped_and_lists_are_not(text, body):
    assert debian.split(text) == ("t", body)


def test_sections_pair_texts_and_leave_out_what_stands_alone(tmp_path):
    rows, filtered = rows_of("debian_sections", "fr", tmp_path)
    by_section = Counter(row["label"] for row in rows)
    assert by_section == {"sound": 3, "games": 2}, "the component is no part of a section"
    assert {row["query"] for row in rows} == {row["positive"] for row in rows}
    assert filtered == {"alone-in-class": 1, "no-class": 1}


def test_tags_answer_one_question(tmp_path):
    rows, filtered = rows_of("debian_tags", "interface-it", tmp_path)
    assert {(row["query"].split("\n")[0], row["positive"], *row["negatives"]) for row in rows} == {
        ("programma paint", "a program with a graphical interface", "a program used in a terminal"),
        ("programma pipe", "a program used in a terminal", "a program with a graphical interface"),
    }
    assert filtered == {"no-class": 2}, "both answers and neither"
    rows, _ = rows_of("debian_tags", "role-en", tmp_path)
    assert Counter(row["label"] for row in rows) == {"a program": 3, "a library": 1}


def test_messages_pair_with_their_english_of_the_same_component(tmp_path):
    rows, filtered = rows_of("mediawiki_messages", "de", tmp_path)
    assert pairs(rows) == {
        ("Search all pages of Wiki", "Alle Seiten von Wiki durchsuchen"),
        ("changes by this user", "Änderungen von diesem Benutzer"),
        ("Upload large files from your disk", "Große Dateien von der Festplatte hochladen"),
    }
    assert filtered == {"untranslated": 1, "short": 1, "markup": 1, "no-english-message": 1}


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("Moved \"$1\" to (''$2'').", "Moved to."),
        ("{{GENDER:$2|He|She|They}} changed it", "He changed it"),
        ("{{PLURAL:$1|0=Nothing|one page|$1 pages}} found", "pages found"),
        ("Back to the {{GRAMMAR:genitive|{{SITENAME}}}} page", "Back to the Wiki page"),
        ("See [https://example.org the manual] &amp; ask", "See the manual & ask"),
        ("* first point\n# second point", "first point second point"),
        ("Read [[Help:Contents]] first", "Read Help:Contents first"),
        ("By {{int:author}} himself", None),
        ("$1 $2 $3 were renamed at once", None),
        ("<span class='very-long-class-name-for-a-word'>[[Special:Ok|ok]]</span>", None),
        ("", ""),
    ],
)
def test_messages_without_their_markup(message, text):
    assert cleaned(message) == text


def test_every_message_language_is_declared_as_its_code_says_or_the_script_is_ours():
    manifest = registry.load("mediawiki_messages")
    for code, subset in manifest.subsets.items():
        tag = subset.positive_lang
        script = re.search(r"-(arab|cyrl|latn|hans|hant|deva|cans|mong|java|bali|bugi)\b", code)
        if script:
            assert tag.endswith(script[1].title()), code
        try:
            assert tag[:3] == tag_of(code)[:3] or code == "mo"
        except LanguageCodeError:
            assert tag[:3] == {"cbk-zam": "cbk"}[code]
    assert manifest.subsets["sr-ec"].positive_lang == "srp-Cyrl"
    assert manifest.subsets["sr-el"].positive_lang == "srp-Latn"
    assert not {"en", "qqq", "roa-tara", "map-bms", "nah"} & set(manifest.subsets)


def test_a_docstring_asks_for_its_function(tmp_path):
    rows, filtered = rows_of("python_docstrings", "python", tmp_path)
    assert (rows[0]["query"], rows[0]["positive"]) == (
        "Return how far the vine reaches, in metres.",
        "@property\ndef reach(self):\n    # two to the years\n    return 2 ** self.years",
    )
    assert [row["query"] for row in rows] == [
        "Return how far the vine reaches, in metres.",
        "Cut the vine",
        "Return the angle of a slope.",
        "Divide rise by run.",
    ]
    assert "angle of a slope" not in rows[2]["positive"]
    assert rows[0]["origin"] == {"file": "trellis-1.0.tar!trellis/vines.py", "record": 0}
    assert filtered == {"no-code": 1}


@pytest.mark.parametrize(
    ("docstring", "query"),
    [
        ("Add two numbers.\n\nReturns:\n  the sum", "Add two numbers."),
        ("Add two\nnumbers.\nArgs:\n  a: one", "Add two numbers."),
        ("Add.\n@param a: one", "Add."),
        ("Add numbers\n-----------\nand more", "Add numbers"),
        ("Args:\n    a: one", ""),
        ("Show it:\n>>> show()", "Show it:"),
    ],
)
def test_first_paragraphs(docstring, query):
    assert description(docstring) == query


@pytest.mark.parametrize("source", [*DEBIAN, "mediawiki_messages", "python_docstrings"])
def test_manifests_of_real_text_need_no_hub(source):
    manifest = registry.load(source)
    assert manifest.collection == "offline"
    assert manifest.origin.kind in {"apt", "python"}
    assert source in FIXTURES


def test_a_listing_offers_only_what_a_table_asks_for(tmp_path):
    for name in ("x/main/i18n/Translation-de", "x/main/i18n/Translation-de_DE", "x/main/i18n/Translation-en"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    names = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("Tr*")]
    bound = registry.load("debian_descriptions").bound("de")
    files = packing.chosen(bound, tmp_path, packing.enlist(tmp_path, names))
    assert [(f.table, f.name.rpartition("-")[2]) for f in files] == [("descriptions", "de"), ("english", "en")]
