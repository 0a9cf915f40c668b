"""One code space: every corpus code and every label of the models on record, under every policy."""

import sys
from itertools import pairwise
from types import SimpleNamespace
from typing import get_args

import langcodes
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.langid import identify
from curation.langid.codes import (
    MODELS,
    POLICIES,
    Label,
    LabelRefusedError,
    corpus_languages,
    fold,
    fold_all,
    labels,
    languages_of,
    members,
    parse_label,
    parsed,
    resolve,
    scheme_of,
    usual_members,
)
from curation.langid.identifier import as_ranked
from curation.langid.interface import _loaded, backend
from curation.langid.scripts import look
from curation.langid.settings import BACKENDS, LanguageSettings
from open_ml_embed.core.errors import MissingPackageError
from sources.languages import tag_of

CORPUS = sorted(corpus_languages())
REFUSED = {"glotlid-v3": {"daf_Latn", "nah_Latn", "oto_Latn"}, "openlid-v2": set(), "heliport-1.0": set(),
           "lid.176": {"nah"}}  # fmt: skip
policies = pytest.mark.parametrize("policy", POLICIES)


def current(code):
    """Tell whether a code names one language now: it resolves to itself."""
    return resolve(code) == code and len(code) == 3 and code.islower()


def test_the_settings_offer_the_same_policies():
    assert get_args(LanguageSettings.model_fields["policy"].annotation) == POLICIES


def test_the_corpus_list():
    assert len(CORPUS) == 282
    assert list(corpus_languages()) != CORPUS  # by size
    assert all(a.samples >= b.samples for a, b in pairwise(corpus_languages().values()))


@policies
@given(st.sampled_from(CORPUS))
def test_corpus_codes_map_and_fold_once(policy, code):
    folded = fold(code, policy)
    assert current(code)
    assert current(folded)
    assert fold(folded, policy) == folded


@given(st.sampled_from(CORPUS), st.sampled_from(["Latn", "Arab", "Cyrl"]))
def test_corpus_codes_round_trip(code, script):
    for label in (f"{code}-{script}", f"{code}_{script}", f"__label__{code}_{script}"):
        assert parse_label(label) == (code, script)
    assert parse_label(code) == (code, None)
    assert fold(code, "corpus") == code
    assert parse_label(tag_of(code)).code == code
    back = fold(fold(code, "individual"), "corpus")  # another code only where the corpus has two for the same
    assert back in CORPUS
    assert fold(back, "macro") == fold(code, "macro")


@policies
@given(st.sampled_from(sorted(usual_members().items())))
def test_macrolanguages(policy, pair):
    macro, member = pair
    assert fold(macro, policy) == fold(fold(macro, policy), policy)
    assert fold(member, "macro") == macro
    assert fold(macro, "individual") == member
    assert member in members(macro)


@pytest.mark.parametrize("model", MODELS)
def test_every_label_maps_or_is_refused_for_a_reason(model):
    refused = {}
    for label in labels(model):
        try:
            code = parse_label(label, MODELS[model]).code
        except LabelRefusedError as error:
            refused[label] = error.what
            continue
        assert code in ("und", "zxx") or all(current(fold(code, policy)) for policy in POLICIES), label
    assert set(refused) == REFUSED[model]
    assert all("stands for no single language: " in reason for reason in refused.values())


def test_the_lists_are_whole():
    assert {model: len(labels(model)) for model in MODELS} == {
        "glotlid-v3": 2102, "openlid-v2": 200, "heliport-1.0": 220, "lid.176": 176,
    }  # fmt: skip
    assert all(len(set(labels(model))) == len(labels(model)) for model in MODELS)
    assert all(scheme_of(labels(model)) == scheme for model, scheme in MODELS.items())


def test_what_each_model_claims_of_the_corpus():
    claimed = {model: languages_of(parsed(labels(model), scheme)) for model, scheme in MODELS.items()}
    strict = {model: len(codes & set(CORPUS)) for model, codes in claimed.items()}
    folded = {m: len({fold(c, "corpus") for c in codes} & set(CORPUS)) for m, codes in claimed.items()}
    assert strict == {"glotlid-v3": 247, "openlid-v2": 189, "heliport-1.0": 166, "lid.176": 158}
    assert folded == {"glotlid-v3": 265, "openlid-v2": 192, "heliport-1.0": 168, "lid.176": 158}


def test_codes_older_than_the_standard():
    assert [resolve(code) for code in ("iw", "jw", "mo", "mol", "sh", "no", "tl")] == [
        "heb", "jav", "ron", "ron", "hbs", "nor", "tgl",
    ]  # fmt: skip
    assert parse_label("ajp_Arab") == ("apc", "Arab")
    assert parse_label("kzj_Latn").code == "dtp"


@pytest.mark.parametrize(
    ("label", "scheme", "code"),
    [("als", "lid.176", "gsw"), ("als_Latn", "tagged", "als"), ("eml", "lid.176", "egl"), ("bh", "lid.176", "bho"),
     ("sh", "lid.176", "hbs"), ("zh", "lid.176", "zho"), ("zh-Hant", "cld2", "zho"), ("iw", "cld2", "heb"),
     ("un", "cld2", "und"), ("sr-ME", "cld2", "cnr"), ("zxx_Zzzz", "tagged", "zxx"), ("und_Xsux", "tagged", "und"),
     ("c#-Code", "tagged", "c#"), ("jupyter-notebook-Code", "tagged", "jupyter-notebook")],
)  # fmt: skip
def test_the_same_letters_mean_what_their_model_means(label, scheme, code):
    assert parse_label(label, scheme).code == code


def test_scripts_are_named_as_ours():
    assert parse_label("kor_Hang").script == "Kore"
    assert parse_label("zho_Hant").script == "Hant"
    assert parse_label("python-Code").script == "Code"


@pytest.mark.parametrize("label", ["nah", "bih", "bh", "mul", "roa", "qaa", "xqq", "xx", "daf", "", "Zyyy", "bhk"])
def test_no_single_language(label):
    with pytest.raises(LabelRefusedError, match="no single language"):
        parse_label(label)


@pytest.mark.parametrize(
    ("code", "individual", "macro", "corpus"),
    [
        # Sinitic: written Chinese is Mandarin, and the others are labeled apart.
        ("zho", "cmn", "zho", "zho"), ("cmn", "cmn", "zho", "zho"), ("yue", "yue", "zho", "yue"),
        ("nan", "nan", "zho", "nan"), ("wuu", "wuu", "zho", "wuu"), ("lzh", "lzh", "zho", "lzh"),
        # Arabic: the corpus has eleven of them; those it has not are Arabic to it.
        ("ara", "arb", "ara", "ara"), ("arb", "arb", "ara", "arb"), ("arz", "arz", "ara", "arz"),
        ("ary", "ary", "ara", "ary"), ("apc", "apc", "ara", "apc"), ("arq", "arq", "ara", "ara"),
        # Norwegian: one macrolanguage and both its members.
        ("nor", "nob", "nor", "nor"), ("nob", "nob", "nor", "nob"), ("nno", "nno", "nor", "nno"),
        # Serbo-Croatian: nobody's code is the usual one.
        ("hbs", "hbs", "hbs", "hbs"), ("srp", "srp", "hbs", "srp"), ("hrv", "hrv", "hbs", "hrv"),
        ("bos", "bos", "hbs", "bos"), ("cnr", "cnr", "hbs", "hbs"),
        # Persian is no country's; Emilian, Filipino and Alemannic are in no macrolanguage.
        ("fas", "pes", "fas", "fas"), ("prs", "prs", "fas", "prs"), ("ekk", "ekk", "est", "est"),
        ("vro", "vro", "est", "vro"), ("zza", "diq", "zza", "diq"), ("kiu", "kiu", "zza", "kiu"),
        ("egl", "egl", "egl", "egl"), ("fil", "fil", "fil", "fil"), ("gsw", "gsw", "gsw", "gsw"),
    ],
)  # fmt: skip
def test_where_libraries_fold_otherwise(code, individual, macro, corpus):
    assert [fold(code, policy) for policy in POLICIES] == [individual, macro, corpus]


@pytest.mark.parametrize(
    ("code", "theirs"),
    [("yue", "yue"), ("nan", "nan"), ("arz", "arz"), ("nob", "nb"), ("nno", "nn"), ("hbs", "sr-Latn"), ("hrv", "hr"),
     ("prs", "fa-AF"), ("cnr", "sr-ME"), ("cmn", "zh"), ("arb", "ar")],
)  # fmt: skip
def test_why_the_table_is_ours(code, theirs):
    """Langcodes folds few members as ISO 639-3 does, and gives Serbo-Croatian to Serbia."""
    assert langcodes.standardize_tag(code, macro=True) == theirs
    agrees = langcodes.Language.get(theirs, normalize=False).to_alpha3() == fold(code, "macro")
    assert agrees == (code in ("cmn", "arb", "prs"))


@settings(deadline=None)
@given(st.lists(st.sampled_from([*CORPUS, "und", "zxx", "cmn", "nan", "python"])), st.sampled_from(POLICIES))
def test_arrays_fold_as_codes_do(codes, policy):
    assert fold_all(pa.array(codes, pa.string()), policy).to_pylist() == [fold(code, policy) for code in codes]


@pytest.fixture
def answering(monkeypatch):
    """Put a bundled model in place that says what it is told: rows of (code, score)."""

    def put(*rows):
        names = sorted({code for row in rows for code, _ in row})

        class Told:
            calibration = "bundled"
            claimed = frozenset({"cmn", "yue", "eng"})
            labels = tuple(Label(name, None) for name in names)

            def __init__(self, path=None):
                self.path = path

            def ranked(self, texts, scripts, k):
                return as_ranked([[(names.index(code), score) for code, score in row] for row in rows])

        monkeypatch.setitem(BACKENDS._targets, "bundled", Told)
        monkeypatch.delitem(BACKENDS._loaded, "bundled", raising=False)
        _loaded.cache_clear()

    yield put
    BACKENDS._loaded.pop("bundled", None)  # the one that was put there
    _loaded.cache_clear()


@given(st.data())
def test_lists_of_answers_are_taken_as_they_are(data):
    answer = st.tuples(st.integers(0, 9), st.floats(0, 1, width=32))
    rows = data.draw(st.lists(st.lists(answer, max_size=4), max_size=5))
    numbers, scores = as_ranked(rows)
    found = [
        [(n, s) for n, s in zip(*pair, strict=True) if n >= 0]
        for pair in zip(numbers.tolist(), scores.tolist(), strict=True)
    ]
    assert found == rows


def test_alternatives_fold_and_stay_distinct(answering):
    chinese, english = "一個句子裡的十二個字都是中文", "two words and then some more"
    answering(
        [("yue", 0.5), ("cmn", 0.3), ("eng", 0.1), ("hak", 0.05)], [("eng", 0.9)], [("und", 0.0), ("nan", 0.4)], []
    )
    texts = pa.array([chinese, english, english, "3"])
    for policy, expected in (  # English is not written in Han: it is left out
        ("corpus", [["yue", "zho", "hak"], ["eng"], ["und", "nan"], ["und"]]),
        ("macro", [["zho"], ["eng"], ["und", "zho"], ["und"]]),
    ):
        settings = LanguageSettings(backend="bundled", policy=policy, content=False)
        found = identify(texts, settings, top_k=3)
        assert [[a["code"] for a in row] for row in found["alternatives"].to_pylist()] == expected
        assert found.drop_columns("alternatives").equals(identify(texts, settings))


@pytest.mark.parametrize("top_k", [1, 3])
def test_the_first_alternative_is_the_answer(top_k):
    texts = pa.array(["Save the page, please", "Salvesta lehekülg", "", None, "\x00", "a\nb", "Сохраните страницу"])
    found = identify(texts, top_k=top_k)
    first = [row[0] for row in found["alternatives"].to_pylist()]
    assert [a["code"] for a in first] == found["code"].to_pylist()
    assert max(map(len, found["alternatives"].to_pylist())) <= top_k
    assert found.drop_columns("alternatives").equals(identify(texts))


def test_heliport_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "heliport", None)
    _loaded.cache_clear()
    with pytest.raises(MissingPackageError) as caught:
        identify(pa.array(["text"]), LanguageSettings(backend="heliport"))
    assert caught.value.remedy == "pip install 'open-ml-embed[heliport]'"
    assert "GPL" in caught.value.what


def test_heliport_backend(monkeypatch):
    sure, unsure, nothing = "the mouse ran up the clock", "the clock struck one and", "the mouse ran down again"
    scores = {sure: [("eng", 2.0), ("sco", 3.0)], unsure: [("eng", 2.0), ("sco", 2.1)], nothing: [("und", 7.0)]}
    made = SimpleNamespace(
        get_confidence_all=lambda: {"eng": 0.5, "sco": 0.1},
        identify_topk_with_score=lambda text, k: scores[text][:k],
    )
    monkeypatch.setitem(sys.modules, "heliport", SimpleNamespace(Identifier=lambda: made))
    _loaded.cache_clear()
    model = backend(LanguageSettings(backend="heliport"))
    texts = pa.array(list(scores))
    numbers, found = model.ranked(texts, look(texts), 1)
    assert np.allclose(found[:, 0], [10 / 11, 0, 0])
    assert [[model.labels[n].code for n in row if n >= 0] for row in numbers] == [["eng", "sco"], [], []]
    answers = identify(texts, LanguageSettings(backend="heliport"), top_k=2)
    assert answers["code"].to_pylist() == ["eng", "und", "und"]
    assert [len(row) for row in answers["alternatives"].to_pylist()] == [2, 1, 1]
    _loaded.cache_clear()
    settings = LanguageSettings(backend="heliport")
    found = identify(pa.array(list(scores)), settings, top_k=2)
    assert found["code"].to_pylist() == ["eng", "und", "und"]
    assert np.allclose(found["confidence"], [10 / 11, 0, 0])
    assert [len(row) for row in found["alternatives"].to_pylist()] == [2, 1, 1]
    _loaded.cache_clear()
