"""Maps language codes of sources, and texts, to labels (`deu-Latn`): individual language and script.

A code is interpreted as its source documents it, which is narrower than the code: MediaWiki's `ar` is Standard Arabic,
and its `sq` is Tosk Albanian. Codes that do not stand for a single language are refused, and their texts left out.
"""

from __future__ import annotations

from functools import cache

from sources.languages import LanguageCodeError, tag_of

_INDIVIDUAL = {
    "ara": "arb", "aze": "azj", "est": "ekk", "fas": "pes", "grn": "gug", "iku": "ike", "kok": "gom", "kom": "kpv",
    "kur": "kmr", "lav": "lvs", "mlg": "plt", "mon": "khk", "msa": "zsm", "nep": "npi", "nor": "nob", "oji": "ojb",
    "ori": "ory", "sqi": "als", "swa": "swh", "uzb": "uzn", "yid": "ydd", "zho": "cmn",
}  # fmt: skip
"""Macrolanguage → the individual language that catalogs with its code (`ar`, `zh`, …) are written in.

Intentionally missing: `aka`, `aym`, `din`, `ful`, `hbs`, `kau`, `kon`, `orm`, `pus`, `que`, `srd`, where the sources
state only the macrolanguage, or mix several members.
"""

_SPECIAL = {
    "cbk-zam": "cbk", "fiu-vro": "vro", "bat-smg": "sgs", "be-x-old": "bel", "roa-rup": "rup", "zh-yue": "yue",
    "zh-min-nan": "nan", "zh-classical": "lzh", "ku-arab": "ckb", "dgo": "doi", "son": "ses", "mo": "ron",
}  # fmt: skip

_REFUSED = {
    "qqq",             # documentation, in English
    "ase",             # sign language, in SignWriting
    "ii",              # messages in Chinese
    "eml", "nah", "map-bms", "roa-tara", "nds-nl", "bh", "ber", "mul", "x-default",  # several, or none in ISO 639-3
}  # fmt: skip


BY_SCRIPT = {"kmr-Arab": "ckb-Arab", "pan-Arab": "pnb-Arab", "azj-Arab": "azb-Arab", "uzn-Arab": "uzs-Arab"}
"""Corrections of labels, if the script shows that another member of the macrolanguage (`ku`, `pa`, …) is meant."""


@cache
def language(code: str) -> str:
    """Return the ISO 639-3 code of the individual language for a code of a source.

    Raises:
        LanguageCodeError: the code stands for no language or for several.

    >>> language("de"), language("zh-hant"), language("sq"), language("pt_BR"), language("nb@latin")
    ('deu', 'cmn', 'als', 'por', 'nob')

    """
    plain = code.partition("@")[0].replace("_", "-").lower()
    if plain in _REFUSED:
        raise LanguageCodeError(f"{code!r} stands for no single language", remedy="leave its texts out")
    if plain in _SPECIAL:
        return _SPECIAL[plain]
    alpha3 = tag_of(plain)[:3]
    return _INDIVIDUAL.get(alpha3, alpha3)


@cache
def stated_script(code: str) -> str | None:
    """Return the script that a code states, or None.

    >>> stated_script("zh_TW"), stated_script("sr@latin"), stated_script("kk-arab"), stated_script("de-AT")
    ('Hant', 'Latn', 'Arab', None)

    """
    plain, _, modifier = code.lower().replace("_", "-").partition("@")
    if modifier in _MODIFIERS:
        return _MODIFIERS[modifier]
    if plain in _BY_PLACE:
        return _BY_PLACE[plain]
    scripts = [part.capitalize() for part in plain.split("-")[1:] if len(part) == 4 and part.isalpha()]
    return scripts[0] if scripts else None


@cache
def likely_script(code: str) -> str | None:
    """Return the likely script of a code's language, or None if it is unknown."""
    try:
        script = tag_of(code.partition("@")[0].replace("_", "-"))[4:]
    except LanguageCodeError:
        return None
    return None if script == "Zyyy" else script


_MODIFIERS = {"latin": "Latn", "latn": "Latn", "cyrillic": "Cyrl", "devanagari": "Deva", "arabic": "Arab"}
_BY_PLACE = {
    "zh-cn": "Hans", "zh-sg": "Hans", "zh-my": "Hans", "zh-tw": "Hant", "zh-hk": "Hant", "zh-mo": "Hant",
    "sr-ec": "Cyrl", "sr-el": "Latn", "crh-ro": "Latn",
}  # fmt: skip

_SIMPLIFIED = "们这国为个时说对发会开关来过还进动种从应实体样经网页编辑录读设选项称别单数据无错误请输码显图库链传"
_TRADITIONAL = "們這國為個時說對發會開關來過還進動種從應實體樣經網頁編輯錄讀設選項稱別單數據無錯誤請輸碼顯圖庫鏈傳"
_SIDE = dict.fromkeys(_SIMPLIFIED, "Hans") | dict.fromkeys(_TRADITIONAL, "Hant")


def han_script(text: str, default: str = "Hans") -> str:
    """Distinguish simplified and traditional Chinese by about fifty pairs of frequent characters.

    Args:
        text: in Han script.
        default: the result if none of them occurs, or as many of both kinds.

    >>> han_script("请输入网页"), han_script("請輸入網頁"), han_script("人", "Hant")
    ('Hans', 'Hant', 'Hant')

    """
    sides = [_SIDE[character] for character in text if character in _SIDE]
    simplified = sides.count("Hans")
    traditional = len(sides) - simplified
    if simplified == traditional:
        return default
    return "Hans" if simplified > traditional else "Hant"
