"""A translation index, and the package index that tells the sections."""

from pathlib import Path

from sources.parts import RawFile
from tests.support.offline import debian, md5, paragraph

SUBSETS = ("fr",)
BROKEN = ("binary-amd64/Packages", 2, "malformed-paragraph")

_SECTION = {
    "harp": "sound",
    "viol": "sound",
    "oboe": "contrib/sound",
    "chess": "games",
    "go": "games",
    "alone": "shells",
}
_TEXTS = [
    paragraph(name, "fr", f"programme {name}\nVoici ce que fait {name}.") for name in [*_SECTION, "unclassed"]
]  # fmt: skip
_PACKAGES = [
    f"Package: {name}\nVersion: 1.0-1\nDescription: program {name}\nDescription-md5: {md5(name)}\nSection: {section}\n"
    for name, section in _SECTION.items()
]
_PACKAGES.insert(2, "Package: torn\nversion without a colon\n")


def files(folder: Path, subset: str) -> list[RawFile]:
    english = paragraph("harp", "en", "program harp\nWhat harp does.")
    return debian(
        folder,
        "debian_sections",
        subset,
        {
            "i18n/Translation-fr": "\n".join(_TEXTS),
            "i18n/Translation-en": english,
            "binary-amd64/Packages": "\n".join(_PACKAGES),
        },
    )
