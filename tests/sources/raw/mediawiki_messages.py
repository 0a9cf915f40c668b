"""Message files of two components in one tar a language."""

from pathlib import Path

from sources.parts import RawFile
from tests.support.offline import mediawiki

SUBSETS = ("de", "sr-ec", "kk-arab")
BROKEN = ("extensions/Garden/i18n/de.json", 0, "invalid-json")

_CORE = "languages"
_MESSAGES: dict[str, dict[str, dict[str, str] | str]] = {
    "en": {
        _CORE: {
            "search": "Search all pages of {{SITENAME}}",
            "changes": "{{PLURAL:$1|One change|$1 changes}} by [[User:$2|this user]]",
            "same": "MediaWiki software",
            "go": "Go",
            "arrow": "[[File:A.png|20px]] {{int:arrow}}",
            "upload": "Upload '''large''' files<br />from your disk",
        },
        "extensions/Garden": {"tree": "Plant a tree"},
    },
    "de": {
        _CORE: {
            "search": "Alle Seiten von {{SITENAME}} durchsuchen",
            "changes": "{{PLURAL:$1|Eine Änderung|$1 Änderungen}} von [[User:$2|diesem Benutzer]]",
            "same": "MediaWiki software",
            "go": "Los",
            "arrow": "[[File:A.png|20px]] {{int:arrow}}",
            "upload": "'''Große''' Dateien<br />von der Festplatte hochladen",
            "lost": "Eine Nachricht, die es nicht mehr gibt",
        },
        "extensions/Garden": '{"tree": "Einen Baum',
    },
    "sr-ec": {_CORE: {"search": "Претражи све странице"}, "extensions/Garden": {"tree": "Посади дрво"}},
    "kk-arab": {_CORE: {"upload": "ۇلكەن فايلداردى قوتارۋ"}},
}


def files(folder: Path, subset: str) -> list[RawFile]:
    return mediawiki(folder, "mediawiki_messages", subset, _MESSAGES)
