"""The MASSIVE copies: gzipped JSON lines by split and language, the same utterances under intents or scenarios."""
# ruff: noqa: E501 - rows of data

from pathlib import Path
from typing import Literal

from tests.sources.rawkit.writing import write_jsonl

_UTTERANCES = [
    ("alarm", "alarm_set", "weck mich morgen um halb sieben", "niamshe kesho saa kumi na mbili na nusu asubuhi"),
    ("alarm", "alarm_set", "stell einen wecker für die frühschicht", "weka kengele ya zamu ya asubuhi"),
    ("alarm", "alarm_query", "welche wecker sind gestellt", "kengele zipi zimewekwa"),
    ("weather", "weather_query", "regnet es heute abend in bremen", "je kutanyesha jioni hii mombasa"),
    ("weather", "weather_query", "wie kalt wird es am wochenende", "kutakuwa na baridi kiasi gani wikendi"),
    ("cooking", "cooking_recipe", "wie lange muss spargel kochen", "viazi vichemshwe kwa muda gani"),
    ("cooking", "cooking_recipe", "such mir ein rezept für linsensuppe", "nitafutie mapishi ya pilau"),
    ("transport", "transport_ticket", "buche mir einen platz im zug nach wien", "nikatie tiketi ya treni kwenda nairobi"),
    ("transport", "transport_ticket", "kauf eine fahrkarte für die straßenbahn", "nunua tiketi ya basi la kesho"),
    ("transport", "transport_traffic", "staut es sich auf der a sieben", "kuna msongamano barabara ya thika"),
    ("iot", "iot_hue_lightoff", "mach im flur das licht aus", "zima taa ya sebuleni"),
    ("iot", "iot_hue_lightoff", "licht in der küche aus bitte", "tafadhali zima taa ya jikoni"),
]  # fmt: skip


def build(folder: Path, kind: Literal["intent", "scenario"], broken: dict[str, object]) -> None:
    """Write `de` and `sw`; `broken` replaces values of the fifth training record (number 4)."""
    home = folder / f"mteb/amazon_massive_{kind}"
    for at, language in enumerate(("de", "sw"), 2):
        rows: list[dict[str, object]] = []
        for number, utterance in enumerate(_UTTERANCES):
            label = utterance[1 if kind == "intent" else 0]
            rows.append({"id": str(number), "label": label, "label_text": label, "text": utterance[at], "lang": language})  # fmt: skip
        # The same request twice, as speakers of a language do word it alike.
        train = [*rows[:4], rows[4] | broken, *rows[5:9], rows[3] | {"id": "40"}]
        write_jsonl(home / f"train/{language}.json.gz", train)
        write_jsonl(home / f"validation/{language}.json.gz", [*rows[9:], rows[4]])
        write_jsonl(home / f"test/{language}.json.gz", [rows[0] | {"text": "held out"}])
