"""The MTOP copies: JSON lines by language and split, the same utterances under intents or domains."""
# ruff: noqa: E501 - rows of data

from pathlib import Path
from typing import Literal

from tests.sources.rawkit.writing import write_jsonl

_UTTERANCES = [
    ("weather", "GET_WEATHER", "Quel temps fera-t-il à Nantes demain ?", "कल पुणे में मौसम कैसा रहेगा?"),
    ("weather", "GET_WEATHER", "Faut-il prendre un parapluie ce soir ?", "क्या आज शाम छाता ले जाना पड़ेगा?"),
    ("music", "PLAY_MUSIC", "Mets du Satie s'il te plaît", "लता जी का कोई गाना बजाओ"),
    ("music", "PLAY_MUSIC", "Lance la radio de jazz", "पुरानी ग़ज़लों वाली प्लेलिस्ट चलाओ"),
    ("timer", "CREATE_TIMER", "Minuteur de douze minutes pour les pâtes", "चावल के लिए बारह मिनट का टाइमर लगाओ"),
    ("timer", "CREATE_TIMER", "Démarre un minuteur d'une heure", "एक घंटे का टाइमर शुरू करो"),
    ("timer", "PAUSE_TIMER", "Mets le minuteur en pause", "टाइमर रोक दो"),
    ("reminder", "CREATE_REMINDER", "Rappelle-moi d'arroser les tomates", "मुझे पौधों को पानी देने की याद दिलाना"),
    ("reminder", "CREATE_REMINDER", "Rappelle-moi d'appeler le plombier lundi", "सोमवार को नल वाले को फ़ोन करने की याद दिलाना"),
    ("calling", "CREATE_CALL", "Appelle ma tante Odile", "मौसी को फ़ोन लगाओ"),
    ("calling", "CREATE_CALL", "Passe un appel vidéo à Karim", "करीम को वीडियो कॉल करो"),
]  # fmt: skip


def build(folder: Path, kind: Literal["intent", "domain"], broken: dict[str, object]) -> None:
    """Write `fr` and `hi`; `broken` replaces values of the third training record (number 2).

    A class has another number in each language.
    """
    home = folder / f"mteb/mtop_{kind}"
    for at, language in enumerate(("fr", "hi"), 2):
        names = [utterance[1 if kind == "intent" else 0] for utterance in _UTTERANCES]
        numbers = {name: number for number, name in enumerate(sorted(set(names), reverse=language == "hi"))}
        rows: list[dict[str, object]] = [
            {"id": number, "text": utterance[at], "label": numbers[name], "label_text": name}
            for number, (utterance, name) in enumerate(zip(_UTTERANCES, names, strict=True))
        ]
        write_jsonl(home / language / "train.jsonl", [*rows[:2], rows[2] | broken, *rows[3:10]])
        write_jsonl(home / language / "validation.jsonl", [rows[10], rows[2]])
        write_jsonl(home / language / "test.jsonl", [rows[0] | {"text": "held out"}])
    (home / f"mtop_{kind}.py").write_text('"""The loading script, which nobody reads."""\n')
