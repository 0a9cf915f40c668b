"""Language tags: `eng-Latn` for natural languages (ISO 639-3, ISO 15924), `python-Code` for programming languages.

Tags keep what a source declares: macrolanguage codes (`zho`, `ara`) are not mapped to individual languages.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Annotated

from pydantic import AfterValidator

from open_ml_embed.core.errors import InvalidInputError

_TAG = re.compile(r"^(?:[a-z]{3}-[A-Z][a-z]{3}|[a-z0-9+#.-]+-Code)$")
NO_LANGUAGE = "zxx-Zxxx"
"""No linguistic content, for label texts that are codes or numbers."""


class LanguageCodeError(InvalidInputError):
    """A code or name does not identify a language."""


def check_tag(tag: str) -> str:
    """Return `tag` if it is well-formed.

    Raises:
        LanguageCodeError: it is not.

    >>> check_tag("eng-Latn"), check_tag("python-Code")
    ('eng-Latn', 'python-Code')
    """
    if not is_tag(tag):
        raise LanguageCodeError(
            f"{tag!r} is not a language tag",
            remedy="write ISO 639-3 and ISO 15924 as eng-Latn, or a programming language as python-Code",
        )
    return tag


def is_tag(tag: str) -> bool:
    """Tell whether `tag` is well-formed."""
    return _TAG.match(tag) is not None


LanguageTag = Annotated[str, AfterValidator(check_tag)]


@cache
def tag_of(code: str, script: str | None = None) -> str:
    """Map a BCP 47-like code from raw data to a tag; a missing script becomes the language's likely script.

    Args:
        code: `de`, `pt-BR`, `zh-hant`, `sr_Latn`, `deu`…
        script: ISO 15924 code that overrides the likely script, if the source states the script.

    Raises:
        LanguageCodeError: the code has no ISO 639-3 code. This includes collective codes (`roa`, `map`), which are
            language families, and private and undetermined codes.

    >>> tag_of("de"), tag_of("pt_BR"), tag_of("zh-hant"), tag_of("sr-Latn"), tag_of("hin")
    ('deu-Latn', 'por-Latn', 'zho-Hant', 'srp-Latn', 'hin-Deva')

    """
    import langcodes

    special = _SPECIAL.get(code.lower().replace("_", "-"))
    if special and script is None:
        return special
    try:
        language = langcodes.Language.get(code.replace("_", "-"), normalize=False)
        alpha3 = language.to_alpha3() if language.language else ""
    except (ValueError, LookupError):
        alpha3 = ""
    if len(alpha3) != 3 or alpha3 in _NOT_A_LANGUAGE or "qaa" <= alpha3 <= "qtz":
        raise LanguageCodeError(
            f"{code!r} belongs to no ISO 639-3 language", remedy="map it in the manifest or the adapter"
        )
    if script is None and language.script is None:
        # Likely scripts are recorded under the shorter code: `hi` has one, `hin` has none and would become Latin.
        script = langcodes.Language.get(code.replace("_", "-")).maximize().script
    script = script or language.script or "Zyyy"
    return f"{alpha3}-{script}"


@cache
def named_tag(name: str) -> str:
    """Map the English name of a language to its tag; the name may state a script in parentheses.

    Raises:
        LanguageCodeError: no language has that name.

    >>> named_tag("Welsh"), named_tag("Traditional Chinese"), named_tag("Moroccan Arabic")
    ('cym-Latn', 'zho-Hant', 'ary-Arab')
    >>> named_tag("Chinese (Traditional)"), named_tag("Uzbek (Cyrillic)"), named_tag("Kurdish (Sorani)")
    ('zho-Hant', 'uzb-Cyrl', 'ckb-Arab')

    """
    import langcodes

    language, script = name, None
    if bracketed := _BRACKETED.fullmatch(name.strip()):
        script = _SCRIPTS.get(bracketed[2].lower().removesuffix(" script").strip())
        language = bracketed[1] if script else name
    try:
        return tag_of(langcodes.find(language, "en").to_tag(), script)
    except LookupError:
        raise LanguageCodeError(f"{name!r} names no language", remedy="map it in the manifest") from None


_BRACKETED = re.compile(r"(.+?)\s*\(([^()]+)\)")
_SCRIPTS = {
    "arabic": "Arab",
    "armenian": "Armn",
    "bengali": "Beng",
    "cyrillic": "Cyrl",
    "devanagari": "Deva",
    "ethiopic": "Ethi",
    "georgian": "Geor",
    "greek": "Grek",
    "gujarati": "Gujr",
    "gurmukhi": "Guru",
    "hebrew": "Hebr",
    "jawi": "Arab",
    "latin": "Latn",
    "meetei mayek": "Mtei",
    "mongolian": "Mong",
    "n'ko": "Nkoo",
    "ol chiki": "Olck",
    "perso-arabic": "Arab",
    "roman": "Latn",
    "romanized": "Latn",
    "shahmukhi": "Arab",
    "simplified": "Hans",
    "simplified han": "Hans",
    "syllabics": "Cans",
    "thaana": "Thaa",
    "tibetan": "Tibt",
    "tifinagh": "Tfng",
    "traditional": "Hant",
    "traditional han": "Hant",
}
"""Name of a script in parentheses after a language's name → ISO 15924 code."""

_SPECIAL = {
    "zh-hans": "zho-Hans",
    "zh-hant": "zho-Hant",
    "zh-cn": "zho-Hans",
    "zh-tw": "zho-Hant",
    "zh-hk": "zho-Hant",
    "no": "nor-Latn",
    "sh": "hbs-Latn",
    "zxx": NO_LANGUAGE,
    # No likely script is recorded, so Latin would be guessed:
    "azb": "azb-Arab",
    "prs": "prs-Arab",
    "pbt": "pbt-Arab",
    "xal": "xal-Cyrl",
    "acm": "acm-Arab",
    "acq": "acq-Arab",
    "acw": "acw-Arab",
    "afb": "afb-Arab",
    "ajp": "ajp-Arab",
    # Recorded as Han; the existing written corpora (Wikipedia, the Bible) are in Pe̍h-ōe-jī:
    "nan": "nan-Latn",
}

_COLLECTIVE = """
    aav afa alg alv apa aqa aql art ath auf aus awd azc bad bai bat ber bh bih bnt btk cai cau cba ccn ccs cdc
    cdd cel cmc cpe cpf cpp crp csu cus day dmn dra egx esx euq fiu fox gem gme gmq gmw grk him hmx hok hyx iir
    ijo inc ine ira iro itc jpx kar kdo khi kro map mkh mno mun myn nah nai ngf nic nub omq omv oto paa phi plf
    poz pqe pqw pra qwe roa sai sal sdv sem sgn sio sit sla smi son sqj ssa syd tai tbq trk tup tut tuw urj wak
    wen xgn xnd ypk zhx zle zls zlw znd
    mis mul und
"""
_NOT_A_LANGUAGE = frozenset(_COLLECTIVE.split())
"""Subtags with the scope `collection` in the IANA registry (ISO 639-5), and subtags that name no language."""


def code_tag(name: str) -> str:
    """Return the tag of a programming language from its common name.

    >>> code_tag("Python"), code_tag("C++"), code_tag("Jupyter Notebook"), code_tag("golang")
    ('python-Code', 'cpp-Code', 'jupyter-notebook-Code', 'go-Code')
    """
    plain = "-".join(name.lower().split())
    return f"{_CODE_ALIASES.get(plain, plain)}-Code"


_CODE_ALIASES = {
    "asm": "assembly",
    "asp.net": "c#",
    "bat": "batch",
    "cmd": "batch",
    "c++": "cpp",
    "c-sharp": "c#",
    "cc": "cpp",
    "clj": "clojure",
    "coffee": "coffeescript",
    "common-lisp": "lisp",
    "cs": "c#",
    "csharp": "c#",
    "cxx": "cpp",
    "delphi": "pascal",
    "docker": "dockerfile",
    "elisp": "lisp",
    "emacs-lisp": "lisp",
    "erl": "erlang",
    "ex": "elixir",
    "exs": "elixir",
    "f90": "fortran",
    "fpc": "pascal",
    "freepascal": "pascal",
    "fs": "f#",
    "fsharp": "f#",
    "gas": "assembly",
    "golang": "go",
    "gql": "graphql",
    "gradle": "groovy",
    "h": "c",
    "hpp": "cpp",
    "hs": "haskell",
    "htm": "html",
    "html5": "html",
    "ipynb": "jupyter-notebook",
    "jl": "julia",
    "js": "javascript",
    "json5": "json",
    "jsonc": "json",
    "jsonl": "json",
    "kt": "kotlin",
    "kts": "kotlin",
    "m": "matlab",
    "make": "makefile",
    "mariadb": "sql",
    "masm": "assembly",
    "mjs": "javascript",
    "ml": "ocaml",
    "mli": "ocaml",
    "mm": "objective-c",
    "mysql": "sql",
    "nasm": "assembly",
    "node": "javascript",
    "node.js": "javascript",
    "nodejs": "javascript",
    "obj-c": "objective-c",
    "objc": "objective-c",
    "objectivec": "objective-c",
    "objective-c++": "objective-c",
    "octave": "matlab",
    "pas": "pascal",
    "pl": "perl",
    "plpgsql": "sql",
    "plsql": "sql",
    "pm": "perl",
    "postgres": "sql",
    "postgresql": "sql",
    "proto": "protobuf",
    "ps1": "powershell",
    "pwsh": "powershell",
    "py": "python",
    "pycon": "python",
    "python2": "python",
    "python3": "python",
    "rb": "ruby",
    "rlang": "r",
    "rs": "rust",
    "rscript": "r",
    "sbt": "scala",
    "sh": "shell",
    "sqlite": "sql",
    "t-sql": "sql",
    "tex": "latex",
    "ts": "typescript",
    "tsql": "sql",
    "tsx": "typescript",
    "vb": "vb.net",
    "vbnet": "vb.net",
    "vbs": "vbscript",
    "visual-basic": "vb.net",
    "visual-basic-for-applications": "vba",
    "wasm": "webassembly",
    "wat": "webassembly",
    "x86": "assembly",
    "x86asm": "assembly",
    "xhtml": "html",
    "xsl": "xml",
    "xslt": "xml",
    "yml": "yaml",
    "zsh": "shell",
}
"""Other names, info strings and file extensions → names in the corpus. The corpus distinguishes `bash` and `shell`."""
