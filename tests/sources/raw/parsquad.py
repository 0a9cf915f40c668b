"""ParSQuAD: a zip archive with a manual and an automatic set in SQuAD's nested JSON; the names inside are a guess."""
# ruff: noqa: E501 - rows of data

import zipfile
from pathlib import Path

from tests.sources.rawkit.squad_json import squad_json

SUBSETS = ("fa",)
BROKEN = ("ParSQuAD-automatic-train.json", 2, "empty-query")

_ARTICLES = [
    ("Lighthouse", [
        ("برج دریایی اسکری در ۱۸۴۴ برای نخستین بار روشن شد. چراغ آن تا ۱۸۷۱ با روغن کلزا می‌سوخت.",
         [("برج دریایی اسکری نخستین بار کی روشن شد؟", "۱۸۴۴"), ("چراغ با چه می‌سوخت؟", "روغن کلزا"), ("نگهبان برج که بود؟", "")]),
    ]),
    ("Salt", [
        ("نمک را با قاطر از گردنه می‌گذراندند و هر قاطر چهار قالب چهل کیلویی می‌برد.",
         [("نمک را چگونه از گردنه می‌گذراندند؟", "با قاطر"), ("هر قاطر چند قالب می‌برد؟", "چهار")]),
        ("راه نمک سه روز طول می‌کشید.", [("", "سه روز")]),
    ]),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "parsquad"
    home.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(home / "ParSQuAD.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ParSQuAD/ParSQuAD-automatic-train.json", squad_json(_ARTICLES, version="v2.0"))
        archive.writestr("ParSQuAD/ParSQuAD-automatic-dev.json", squad_json(_ARTICLES[:1], version="v2.0"))
        archive.writestr("ParSQuAD/ParSQuAD-manual-train.json", squad_json(_ARTICLES[:1], version="v2.0"))
