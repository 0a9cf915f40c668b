from importlib.resources import files

import pytest

from sources.languages import LanguageCodeError, check_tag, code_tag, named_tag, tag_of


@pytest.mark.parametrize(
    ("code", "tag"),
    [
        ("en", "eng-Latn"), ("deu", "deu-Latn"), ("zh", "zho-Hans"), ("zh_TW", "zho-Hant"), ("zh-Hant-HK", "zho-Hant"),
        ("cmn", "cmn-Hans"), ("yue", "yue-Hant"), ("ar", "ara-Arab"), ("arz", "arz-Arab"), ("ary", "ary-Arab"),
        ("no", "nor-Latn"), ("nb", "nob-Latn"), ("nn", "nno-Latn"), ("ms", "msa-Latn"), ("zsm", "zsm-Latn"),
        ("fa", "fas-Arab"), ("pes", "pes-Arab"), ("prs", "prs-Arab"), ("azb", "azb-Arab"), ("nan", "nan-Latn"),
        ("ckb", "ckb-Arab"), ("sr", "srp-Cyrl"), ("sr@latin", None), ("pt-BR", "por-Latn"), ("zxx", "zxx-Zxxx"),
        ("pa-PK", "pan-Arab"), ("sw", "swa-Latn"), ("quz", "quz-Latn"), ("hin", "hin-Deva"), ("kor", "kor-Kore"),
        ("zho", "zho-Hans"), ("ara", "ara-Arab"), ("khm", "khm-Khmr"), ("srp-Latn", "srp-Latn"), ("acm", "acm-Arab"),
        ("xal", "xal-Cyrl"),
    ],
)  # fmt: skip
def test_codes(code, tag):
    if tag is None:
        with pytest.raises(LanguageCodeError):
            tag_of(code)
    else:
        assert check_tag(tag_of(code)) == tag


def test_the_source_may_know_the_script_better():
    assert tag_of("nan", "Hant") == "nan-Hant"
    assert tag_of("sr", "Latn") == "srp-Latn"


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("English", "eng-Latn"),
        ("Simplified Chinese", "zho-Hans"),
        ("Iranian Persian", "pes-Arab"),
        ("thai", "tha-Thai"),
        ("Chinese (Traditional)", "zho-Hant"),
        ("Chinese (Simplified)", "zho-Hans"),
        ("Uzbek (Cyrillic)", "uzb-Cyrl"),
        ("Serbian (Latin script)", "srp-Latn"),
        ("Malay (Jawi)", "msa-Arab"),
        ("Portuguese (Brazil)", "por-Latn"),
        ("Kurdish (Sorani)", "ckb-Arab"),
    ],
)
def test_names(name, tag):
    assert check_tag(named_tag(name)) == tag


@pytest.mark.parametrize("name", ["Nolang", "", "roa", "Languageish", "und"])
def test_what_names_no_language(name):
    with pytest.raises(LanguageCodeError, match="names no language"):
        named_tag(name)


def collective() -> list[str]:
    registry = files("language_data").joinpath("data/language-subtag-registry.txt").read_text("utf-8")
    records = [record for record in registry.split("%%\n") if "Type: language" in record]
    families = [record for record in records if "Scope: collection" in record]
    return [record.partition("Subtag: ")[2].splitlines()[0] for record in families]


def test_families_of_languages_are_no_languages():
    codes = collective()
    assert {"roa", "map", "bat"} <= set(codes)
    for code in [*codes, "bih", "mul", "mis", "und", "qaa", "qtz", "xx", "", "english-language"]:
        with pytest.raises(LanguageCodeError, match="belongs to no ISO 639-3 language"):
            tag_of(code)


NAMES = {"C#": "c#-Code", "csharp": "c#-Code", "C++": "cpp-Code", "PHP": "php-Code"}


@pytest.mark.parametrize(("name", "tag"), NAMES.items())
def test_programming_languages(name, tag):
    assert check_tag(code_tag(name)) == tag
