"""`mteb/sts22-crosslingual-sts`: a folder of JSON lines a language, scores from 1 to 4, sides missing."""
# ruff: noqa: E501 - rows of data

import json
from pathlib import Path

_PAIRS = [
    ("en", "Flood closes coast road. The coast road north of Brenmouth was shut on Monday after heavy rain.", "Heavy rain on Monday forced the closure of the road north of Brenmouth, police said.", 4.0),
    ("en", "Mayor opens library. Three hundred people came to the opening of the new library.", "Council debates a tax on second homes.", 1.0),
    ("en", "Striking bus drivers return to work on Thursday after a deal on pay.", "Bus strike over: drivers accept pay offer and will be back on Thursday.", 4.0),
    ("en", "Local man finds Roman coin in his garden.", "", 4.0),
    ("en", "Central bank keeps rates at two per cent.", "Rates unchanged, says the central bank; analysts had expected a cut.", 3.5),
    ("en", "Zoo welcomes a baby giraffe, its first in nine years.", "First giraffe calf in nine years born at the zoo.", 4.0),
    ("de", "Brand in Lagerhalle. Am Sonntag brannte in Altstetten eine Lagerhalle aus, verletzt wurde niemand.", "Eine Lagerhalle in Altstetten ist am Sonntag völlig ausgebrannt. Menschen kamen nicht zu Schaden.", 4.0),
    ("de-en", "Nach neun Jahren Bauzeit ist der Tunnel unter dem Sund für den Verkehr freigegeben.", "The tunnel under the sound has opened to traffic after nine years of building.", 4.0),
    ("de-en", "Die Ernte fällt in diesem Jahr schlecht aus.", "The championship ended in a draw.", 1.3333333333333335),
    ("fr", "Le maire de Valbrune a démissionné mardi soir.", "Démission du maire de Valbrune : il quitte ses fonctions ce mardi.", 4.0),
    ("es", "El puerto amplía su terminal. Las obras durarán dos años.", "Comienza la ampliación de la terminal del puerto, que llevará dos años.", 4.0),
    ("tr", "Deprem sonrası okullar pazartesi günü açılıyor.", "Pazartesi günü okullar depremden sonra yeniden açılacak.", 4.0),
    ("pl", "", "Nowy most otwarto w sobotę.", 4.0),
    ("pl", "Most nad Wierzbicą otwarto w sobotę po dwóch latach budowy.", "W sobotę, po dwuletniej budowie, oddano do użytku most nad Wierzbicą.", 4.0),
    ("ar", "افتتحت المدينة متحفها الجديد يوم الجمعة بحضور آلاف الزوار.", "آلاف الزوار يحضرون افتتاح المتحف الجديد في المدينة يوم الجمعة.", 4.0),
    ("ar", "ارتفعت أسعار الخبز هذا الشهر.", "فاز الفريق بالمباراة النهائية.", 1.0),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "mteb/sts22-crosslingual-sts"
    for language in dict.fromkeys(lang for lang, *_ in _PAIRS):
        lines = [
            json.dumps({"id": f"148{n:07d}_148{n:07d}", "score": score, "sentence1": first, "sentence2": second})
            for n, (lang, first, second, score) in enumerate(_PAIRS)
            if lang == language
        ]
        (home / language).mkdir(parents=True, exist_ok=True)
        (home / language / "train.jsonl").write_text("\n".join(lines), "utf-8")
        (home / language / "test.jsonl").write_text(lines[0], "utf-8")
