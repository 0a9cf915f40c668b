"""Translation indexes: paragraphs of package, md5 of the English text, and the text with its lines continued."""

from pathlib import Path

from sources.parts import RawFile
from tests.support.offline import debian, paragraph

SUBSETS = ("de", "en", "ja")
BROKEN = ("i18n/Translation-de", 3, "malformed-paragraph")

_EN = [
    paragraph("kite", "en", "weather maps from satellite pictures\nKite draws maps.\n\n * fast\n * small"),
    paragraph("kite-doc", "en", "weather maps (manual)\nThis is the manual of Kite."),
    paragraph("lathe", "en", "tiny CAD program\nLathe turns drawings into\nsolid bodies."),
    paragraph("lathe", "en", "tiny CAD program\nLathe turns drawings into\nsolid bodies."),
    "Package: nothing\nDescription-md5: 0\n",
]
_DE = [
    paragraph("kite", "de", "Wetterkarten aus Satellitenbildern\nKite zeichnet Karten.\n\n * schnell\n * klein"),
    paragraph("kite-doc", "de", "Wetterkarten (Handbuch)\nThis is the manual of Kite."),
    paragraph("lathe", "de", "winziges CAD-Programm\nLathe macht aus Zeichnungen\nfeste Körper."),
    "Package: cut\nno field here\n",
    paragraph("new", "de", "ein neues Paket\nDer erste Absatz ist übersetzt.\n\n<trans>"),
]  # fmt: skip
_JA = [paragraph("kite", "ja", "衛星写真からの天気図\nKite は風と雨の\n地図を描きます。")]


def files(folder: Path, subset: str) -> list[RawFile]:
    return debian(
        folder,
        "debian_descriptions",
        subset,
        {f"i18n/Translation-{code}": "\n".join(texts) for code, texts in (("en", _EN), ("de", _DE), ("ja", _JA))},
    )
