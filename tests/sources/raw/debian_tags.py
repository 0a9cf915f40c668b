"""Translation indexes, and the package index with debtags over several lines."""

from pathlib import Path

from sources.parts import RawFile
from tests.support.offline import debian, md5, paragraph

SUBSETS = ("interface-it", "role-en")
BROKEN = ("i18n/Translation-it", 2, "missing-field")

_TAGS = {
    "paint": "interface::graphical, interface::x11, role::program,\n scope::application, uitoolkit::gtk",
    "pipe": "interface::commandline, role::program",
    "both": "interface::commandline, interface::x11, role::program",
    "libpaint": "devel::library, role::devel-lib",
}
_PACKAGES = "\n".join(
    f"Package: {name}\nDescription: {name}\nDescription-md5: {md5(name)}\nTag: {tags}\nSection: misc\n"
    for name, tags in _TAGS.items()
)


def files(folder: Path, subset: str) -> list[RawFile]:
    italian = [paragraph(name, "it", f"programma {name}\nEcco che cosa fa {name}.") for name in _TAGS]
    italian.insert(2, "Package: mute\nDescription-md5: 1\n")
    english = [paragraph(name, "en", f"software {name}\nWhat {name} does.") for name in _TAGS]
    return debian(
        folder,
        "debian_tags",
        subset,
        {
            "i18n/Translation-it": "\n".join(italian),
            "i18n/Translation-en": "\n".join(english),
            "binary-arm64/Packages": _PACKAGES,
        },
    )
