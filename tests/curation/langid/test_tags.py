"""Scripts of texts against a slow way, and the tags of every backend: none that no language has."""

import unicodedata
from functools import cache
from itertools import groupby

import fasttext
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langcodes import Language, standardize_tag
from langcodes.data_dicts import LIKELY_SUBTAGS

from curation.langid import identify
from curation.langid.cld2_backend import Cld2
from curation.langid.codes import (
    MODELS,
    POLICIES,
    Label,
    corpus_languages,
    fold,
    labels,
    members,
    parsed,
    usual_members,
)
from curation.langid.deciding import ANSWERED, decide
from curation.langid.identifier import as_ranked
from curation.langid.interface import backend
from curation.langid.model import Bundled
from curation.langid.scripts import (
    FOREIGN,
    LATIN_WEIGHT,
    MOST,
    NAMES,
    SHARE,
    answered,
    classes,
    look,
    own_letters,
    scripts_of,
)
from curation.langid.settings import LanguageSettings
from curation.langid.written import possible_tags, scripts_of_label, written_in

# The scripts of letters

COMPOSED = {"Jpan": {"Hani", "Hira", "Kana"}, "Kore": {"Hani", "Hang"}, "Hani": {"Hani", "Bopo"}}
ALIKE = {"Latn", "Cyrl", "Grek"}


def letter_script(char: str) -> str | None:
    """Return the script of a letter or mark by the table, and that of ideographs by their plane."""
    point = ord(char)
    if point >= 0x20000:
        return "Hani" if point < 0x40000 else None
    return NAMES[classes()[point] - 1] if classes()[point] else None


@pytest.mark.parametrize("script", [name for name in NAMES if name not in ("Jpan", "Kore")])
def test_letters_have_the_script_that_another_library_says(script):
    chars = [chr(point) for point in range(0x20000) if unicodedata.category(chr(point))[0] in "LM"]
    theirs = pl.Series(chars).str.contains(rf"^\p{{Script={script}}}$").to_list()
    ours = [letter_script(char) == script for char in chars]
    different = [hex(ord(c)) for c, one, other in zip(chars, ours, theirs, strict=True) if one != other]
    assert len(different) <= 0.01 * sum(theirs), different  # the two follow different versions of Unicode


def slow_look(text: str) -> tuple[list[str], int, bool]:
    """Return admitted scripts, letters and foreign of one text as `scripts.py` says."""
    found = [script for script in map(letter_script, text) if script]
    if not found:
        return [], 0, False
    if set(found) == {"Latn"}:
        return ["Latn"], len(found), False
    cover: dict[str, float] = {}
    for name in NAMES:
        parts = COMPOSED.get(name, {name})
        weight = LATIN_WEIGHT if name == "Latn" else 1.0
        own = sum(weight for script in found if script in parts)
        if own and name not in ("Hira", "Kana", "Hang", "Bopo") and (name != "Kore" or "Hang" in found):
            cover[name] = own
    best = max(cover.values())
    admitted = sorted((n for n in cover if cover[n] >= best * SHARE), key=lambda n: (-cover[n], NAMES.index(n)))[:MOST]
    kept = set().union(*(COMPOSED.get(name, {name}) for name in admitted))
    letters = sum(script in kept for script in found)
    return admitted, letters, len(found) - letters > FOREIGN * len(found)


def slow_own(text: str) -> str:
    """Blank the runs of letters in scripts that are not admitted, but for those that touch letters they look like."""
    admitted, _, foreign = slow_look(text)
    if not foreign:
        return text
    kept = set().union(*(COMPOSED.get(name, {name}) for name in admitted))
    runs = [(script, "".join(chars)) for script, chars in groupby(text, letter_script)]
    out: list[str | None] = []
    for i, (script, run) in enumerate(runs):
        beside = [runs[k][0] for k in (i - 1, i + 1) if 0 <= k < len(runs)]
        stays = script is None or script in kept or (script in ALIKE and any(b in kept & ALIKE for b in beside))
        if stays or not out or out[-1] is not None:
            out.append(run if stays else None)
    return "".join(" " if run is None else run for run in out)


LETTERS = "abcxyzéß жшщя ωπλ ҳқ سمك שלום कखग กขค 漢字国 かなカナ 한국 ㄅㄆ ქართ ԱԲ አማ ꔀꔤ ⲁⲃ æ\u0301\u064b1.-"
MIXED = st.text(LETTERS, max_size=40) | st.text(st.characters(codec="utf-8"), max_size=30)


@settings(deadline=None, max_examples=400)  # the first call compiles
@given(st.lists(MIXED, max_size=5))
def test_looking_at_scripts_is_the_slow_way(texts):
    column = pa.array(texts, pa.string())
    found = look(column)
    own = own_letters(column, found).to_pylist()
    for row, text in enumerate(texts):
        admitted = [NAMES[number] for number in found.admitted[row] if number >= 0]
        assert (admitted, found.letters[row], found.foreign[row]) == slow_look(text)
        assert own[row] == slow_own(text)


def test_signs_and_digits_are_no_letters():
    assert scripts_of(pa.array(["١٢٣", "।", "12 µ", "ⲁⲃ"])).to_pylist() == ["Zyyy", "Zyyy", "Zyyy", "Copt"]


# What a language is written in


def likely(code: str) -> str | None:
    tags = (code, Language.get(code, normalize=False).to_tag(), standardize_tag(code))
    found = [LIKELY_SUBTAGS[tag] for tag in tags if tag in LIKELY_SUBTAGS]
    return answered(found[0].split("-")[1]) if found else None


def test_the_table_is_what_its_sources_say():
    expected: dict[str, set[str]] = {}
    named = [Bundled().labels, *(parsed(labels(model), "tagged") for model in ("glotlid-v3", "openlid-v2"))]
    for code, script in {label for each in named for label in each}:
        if code not in ("und", "zxx") and (code, script) not in {("cop", "Grek"), ("xal", "Latn")}:
            expected.setdefault(code, set()).add(answered(script))
    others = {*corpus_languages(), *usual_members(), *Cld2().claimed}
    for model in ("lid.176", "heliport-1.0"):
        others |= {label.code for label in parsed(labels(model), MODELS[model])} - {"und", "zxx"}
    for code in {*expected, *others}:
        if script := likely(code):
            expected.setdefault(code, set()).add(script)
    for macro, member in usual_members().items():
        beyond = {s for other in members(macro) for s in expected.get(other, ()) if s != "Latn"}
        expected[macro] = expected.get(macro, set()) | expected.get(member, set()) | beyond
    by_hand = {
        "chy": {"Latn"},
        "nhn": {"Latn"},
        "sjk": {"Latn"},
        "pli": {"Deva", "Khmr", "Latn", "Mymr", "Sinh", "Thai"},
    }
    expected |= by_hand
    assert {code: written_in(code) for code in expected} == expected
    tags = {f"{fold(code, 'macro')}-{script}" for code, scripts in expected.items() for script in scripts}
    assert possible_tags("macro") == tags  # and so there is no more in the table
    assert not possible_tags("individual") & {"rus-Latn", "tha-Latn", "ces-Hani", "ell-Latn", "eng-Cyrl"}


def test_every_corpus_language_and_label_has_a_script():
    assert all(written_in(code) for code in corpus_languages())
    for model, scheme in MODELS.items():
        assert all(scripts_of_label(label) for label in parsed(labels(model), scheme) if label.code != "und")
    assert scripts_of_label(Label("xal", "Latn")) == frozenset()
    assert scripts_of_label(Label("qqq", None)) is None


# Tags

SENTENCES = [
    "Продаю почти новый ноутбук Dell Inspiron Gaming Series в коробке",
    "ขายโน้ตบุ๊ก Dell Inspiron Gaming Series มือสอง",
    "Πωλείται Dell Inspiron Gaming Series Notebook στο κουτί του",
    "Se vende un portátil casi nuevo, la caja está en casa",
    "販売中のノートパソコンは Dell Inspiron Gaming です",
    "전화기 Samsung Galaxy Ultra Edition 팝니다",
    "מכירת מחשב Dell Inspiron Gaming Series חדש",
    "বিক্রি হবে Dell Inspiron Gaming Series ল্যাপটপ",
    "出售一台笔记本电脑", "吉田屋", "ꔀꔤꔫ", "ⲁⲛⲟⲕ ⲡⲉ", "ᎣᏏᏲ", "Фæрсты æхца",
    "Das russische Wort Привет heißt auf Deutsch hallo",
]  # fmt: skip


@cache
def tiny(tmp_path_factory_dir):
    """Train a fastText model whose labels carry no script, on text of both scripts for each."""
    lines = [f"__label__{code} {text}" for code, text in zip(["rus", "ces", "tha", "jpn"], SENTENCES[:4], strict=True)]
    path = tmp_path_factory_dir / "train.txt"
    path.write_text("\n".join(lines * 100), "utf-8")
    model = fasttext.train_supervised(str(path), dim=8, epoch=10, minn=1, maxn=3, verbose=0, thread=1)
    model.save_model(str(tmp_path_factory_dir / "tiny.bin"))
    return str(tmp_path_factory_dir / "tiny.bin")


@pytest.fixture(scope="module", params=["bundled", "cld2", "fasttext"])
def backend_settings(request, tmp_path_factory):
    model = tiny(tmp_path_factory.mktemp("tags")) if request.param == "fasttext" else None
    return lambda policy: LanguageSettings(backend=request.param, model=model, policy=policy)


def written_with(script: str) -> set[str]:
    """Return Unicode's scripts that are letters of one of ISO 15924's."""
    return COMPOSED.get(script, {script})


def check(text: str, code: str, script: str, policy: str) -> None:
    """Fail if a tag is in no table, or its script not in the text."""
    own = {letter_script(char) for char in text} - {None}
    if code == "zxx":
        assert script == "Zxxx"
    elif script != "Code":
        assert code == "und" or f"{code}-{script}" in possible_tags(policy)
        assert script == "Zyyy" if not own and code == "und" else own & written_with(script)


PIECES = st.sampled_from([word for sentence in SENTENCES for word in sentence.split()]) | st.text(LETTERS, max_size=6)


@settings(deadline=None, max_examples=300)
@given(
    texts=st.lists(st.lists(PIECES, max_size=8).map(" ".join), max_size=6),
    policy=st.sampled_from(POLICIES),
    content=st.booleans(),
)
def test_every_tag_is_one_that_can_be(backend_settings, texts, policy, content):
    chosen = backend_settings(policy).model_copy(update={"content": content})
    found = identify(pa.array(texts, pa.string()), chosen, top_k=3)
    for text, row in zip(texts, found.to_pylist(), strict=True):
        check(text, row["code"], row["script"], policy)
        assert 0 <= row["confidence"] <= 1
        sure = [other["confidence"] for other in row["alternatives"]]
        assert row["alternatives"][0]["code"] == row["code"]
        assert sorted(sure[1:], reverse=True) == sure[1:]


def test_names_in_another_script_leave_a_text_its_language():
    found = identify(pa.array(SENTENCES), LanguageSettings())
    tags = [f"{row['code']}-{row['script']}" for row in found.to_pylist()]
    assert tags[:8] == ["rus-Cyrl", "tha-Thai", "ell-Grek", "spa-Latn", "jpn-Jpan", "kor-Kore", "heb-Hebr", "ben-Beng"]
    assert tags[8] == "zho-Hani"
    assert tags[9] in {tag for tag in possible_tags("corpus") if tag.endswith(("-Hani", "-Jpan"))} | {"und-Hani"}
    assert tags[10] == "und-Vaii"
    assert tags[14] == "deu-Latn"


def test_letters_that_stand_in_for_others_stay_in_their_words():
    """Ossetian is typed with a Latin ash as often as with the Cyrillic one."""
    texts = pa.array(["Фæрсты æмæ ныхæсты æххуыс", "æмæ æз дæр"])
    assert own_letters(texts, look(texts)).equals(texts)
    assert identify(texts)["script"].to_pylist() == ["Cyrl", "Cyrl"]


def test_an_answer_that_cannot_be_is_decided_again():
    names = (Label("rus", None), Label("srp", None), Label("und", None), Label("zxx", None), Label("xal", "Latn"))
    texts = pa.array(["только кириллица", "latin only", "latin only", "цифры", "ελληνικά", "", "obično"])
    ranked = as_ranked(
        [[(0, 0.9)], [(0, 0.9), (1, 0.1)], [(0, 1.0)], [(2, 0.5), (0, 0.4)], [(0, 0.6), (1, 0.3)], [], [(4, 0.9)]]
    )
    found = decide(names, ranked, look(texts))
    codes = [names[number].code if number >= 0 else None for number in found.label[:, 0]]
    assert codes == ["rus", "srp", None, "und", None, None, None]
    assert [ANSWERED[number] for number in found.script[:, 0]] == [
        "Cyrl", "Latn", "Latn", "Cyrl", "Grek", "Zyyy", "Latn",
    ]  # fmt: skip
    assert found.score[:, 0].tolist() == pytest.approx([0.9, 0.1, 0, 0, 0, 0, 0])


def test_the_bundled_model_answers_among_the_scripts_of_a_text():
    model = backend(LanguageSettings())
    texts = pa.array(["吉田屋 旅館", "Πωλείται", "ваза"])
    numbers, scores = model.ranked(texts, look(texts), 512)
    for row, scripts in zip(numbers, [{"Hani", "Jpan"}, {"Grek"}, {"Cyrl"}], strict=True):
        chosen = [scripts_of_label(model.labels[number]) for number in row if number >= 0]
        assert len(chosen) > 1
        assert all(each <= scripts for each in chosen)
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-3)
