"""Reader of gettext catalogs (`.mo`): the messages of programs, with their English source."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import xxhash

from tools.langid.packages import Package, Taken
from tools.langid.passages import Passage, plain

DJANGO = (Package("pip", "django", "BSD-3-Clause", "5.2.19"),)
_OFFICE = """
    af am ar as ast be bg bn br bs ca cs cy da de dz el eo es et eu fa fi fr ga gd gl gu gug he hi hr hu id is it ja
    ka kk km kmr kn ko lt lv mk ml mn mr nb ne nl nn nr nso oc om or pa-in pl pt pt-br ro ru rw si sk sl sr ss st sv
    szl ta te tg th tn tr ts ug uk uz ve vi xh za zh-cn zh-tw zu
"""
LIBREOFFICE = tuple(Package("apt", f"libreoffice-l10n-{code}", "MPL-2.0") for code in _OFFICE.split())
PROGRAMS = (
    Package("apt", "tuxpaint-data", "GPL-2.0-or-later"),
    Package("apt", "wordpress-l10n", "GPL-2.0-or-later"),
    Package("apt", "vlc-l10n", "GPL-2.0-or-later"),
    Package("apt", "cinnamon-l10n", "GPL-2.0-or-later"),
    Package("apt", "mate-panel-common", "GPL-2.0-or-later"),
    Package("apt", "gnucash-common", "GPL-2.0-or-later"),
    Package("apt", "calligra-data", "GPL-2.0-or-later"),
)

_PLACE = r"(?P<folder>[\w@-]+)/LC_MESSAGES/[\w.+-]+"
_FILES = rf"(?:(?:.*/)?(?:locale|resource)/{_PLACE}|.*/languages/(?:admin-)?(?P<file>[a-z]{{2,3}}(?:_\w+)?))\.mo"
_MAGIC = {0x950412DE: "<", 0xDE120495: ">"}
_CHARSET = re.compile(rb"charset=([\w-]+)", re.IGNORECASE)


def messages(content: bytes) -> dict[str, str]:
    """Return source → translation of a compiled catalog, without contexts; of plural forms, the last one.

    A file that is not a catalog gives an empty result.
    """
    order = _MAGIC.get(int.from_bytes(content[:4], "little")) if len(content) >= 28 else None
    if order is None:
        return {}
    _, count, sources, translations = struct.unpack_from(f"{order}4I", content, 4)
    pairs = {}
    charset = "utf-8"
    for number in range(count):
        (size, start), (other_size, other) = (
            struct.unpack_from(f"{order}2I", content, table + 8 * number) for table in (sources, translations)
        )
        source, translation = content[start : start + size], content[other : other + other_size]
        if not source:
            charset_match = _CHARSET.search(translation)
            charset = charset_match[1].decode() if charset_match else charset
            continue
        try:
            key = source.decode(charset).rpartition("\4")[2].split("\0")[-1]
            pairs[key] = translation.decode(charset).split("\0")[-1]
        except (UnicodeDecodeError, LookupError):
            continue
    return pairs


def read(taken: Taken, *, shortest: int = 2) -> Iterator[Passage]:
    """Yield the translations in all catalogs of a package, and each English source once.

    A message is one document in all languages.

    Args:
        taken: the package.
        shortest: least words of the English source of a message.

    """
    english: dict[str, str] = {}
    for match, content in taken.members(_FILES):
        code = match["folder"] or match["file"]
        for source, translation in messages(content).items():
            if len(source.split()) < shortest or source == translation:
                continue
            document = f"{taken.package.project}/{xxhash.xxh3_64_hexdigest(source.encode())}"
            english[source] = document
            text = plain(translation)
            if text:
                yield Passage(text, code, document)
    for source, document in english.items():
        text = plain(source)
        if text:
            yield Passage(text, "en", document)
