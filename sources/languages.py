"""Language tags: `eng-Latn` for natural languages (ISO 639-3, ISO 15924), `python-Code` for programming ones.

Sources declare what they declare: macrolanguage codes (`zho`, `ara`) stay, nothing is folded here.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated

from pydantic import AfterValidator

from sources.errors import CorpusError

_TAG = re.compile(r"^(?:[a-z]{3}-[A-Z][a-z]{3}|[a-z0-9+#.-]+-Code)$")
NO_LANGUAGE = "zxx-Zxxx"
"""No linguistic content: label texts that are codes, numbers."""


class LanguageCodeError(CorpusError, ValueError):
    """A code that cannot be read as a language."""


def check_tag(tag: str) -> str:
    """Return `tag` if it is well-formed, or raise `LanguageCodeError`.

    >>> check_tag("eng-Latn"), check_tag("python-Code")
    ('eng-Latn', 'python-Code')
    """
    if not _TAG.match(tag):
        raise LanguageCodeError(
            f"{tag!r} is not a language tag",
            remedy="write ISO 639-3 and ISO 15924 as eng-Latn, or a programming language as python-Code",
        )
    return tag


LanguageTag = Annotated[str, AfterValidator(check_tag)]


@cache
def tag_of(code: str, script: str | None = None) -> str:
    """Map a BCP 47-like code, as raw data have them, to a tag; the likely script where none is given.

    Args:
        code: `de`, `pt-BR`, `zh-hant`, `sr_Latn`, `deu`…
        script: ISO 15924, where the source knows better than the likely script.

    Raises:
        LanguageCodeError: no ISO 639-3 code belongs to it.

    >>> tag_of("de"), tag_of("pt_BR"), tag_of("zh-hant"), tag_of("sr-Latn")
    ('deu-Latn', 'por-Latn', 'zho-Hant', 'srp-Latn')

    """
    import langcodes

    special = _SPECIAL.get(code.lower().replace("_", "-"))
    if special:
        return special
    try:
        language = langcodes.Language.get(code.replace("_", "-"), normalize=False)
        alpha3 = language.to_alpha3() if language.language else ""
    except (ValueError, LookupError):
        alpha3 = ""
    if len(alpha3) != 3 or alpha3 == "und":
        raise LanguageCodeError(
            f"{code!r} belongs to no ISO 639-3 language", remedy="map it in the manifest or the adapter"
        )
    script = script or language.script or language.maximize().script or "Zyyy"
    return f"{alpha3}-{script}"


_SPECIAL = {
    "zh-hans": "zho-Hans", "zh-hant": "zho-Hant", "zh-cn": "zho-Hans", "zh-tw": "zho-Hant",
    "zh-hk": "zho-Hant", "no": "nor-Latn", "sh": "hbs-Latn",
}  # fmt: skip
