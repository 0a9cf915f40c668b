"""`CohereLabs/aya_dataset`: Parquet, all languages in one table, told by ISO 639-3 codes."""

from pathlib import Path

from tests.sources.rawkit.writing import write_parquet

SUBSETS = ("all",)
BROKEN = ("train-00000-of-00001.parquet", 5, "empty-positive")

_ROWS = [
    ("arb", "Standard Arabic", "اذكر ثلاثة أنهار تصب في البحر المتوسط.", "النيل والرون والإيبرو."),
    ("zho", "Simplified Chinese", "豆腐是用什么做的？", "豆腐是用黄豆磨成浆，再加凝固剂做成的。"),
    ("hin", "Hindi", "मानसून भारत में कब पहुँचता है?", "आमतौर पर जून के पहले सप्ताह में केरल से शुरू होता है।"),
    ("yor", "Yoruba", "Kí ni a ń pè ní ẹ̀wà?", "Ẹ̀wà jẹ́ oúnjẹ tí a máa ń sè títí yóò fi rọ̀."),
    ("fra", "French", "\nPourquoi le pain lève-t-il ?\n", "La levure dégage un gaz qui reste pris dans la pâte."),
    ("tam", "Tamil", "பொங்கல் எந்த மாதத்தில் வருகிறது?", ""),
    ("plt", "Plateau Malagasy", "Inona no atao hoe romazava?", "Laoka misy anana sy hena ny romazava."),
    ("sin", "Sinhala", "තේ වගා කරන්නේ කොහේද?", "ශ්‍රී ලංකාවේ මධ්‍යම කඳුකරයේ තේ වගා කරයි."),
    ("ary", "Moroccan Arabic", "كيفاش كيتصاوب أتاي؟", "كنغليو الما، كنزيدو أتاي والنعناع والسكر."),
    ("spa", "Spanish", "Cambia la frase a futuro: «Llueve mucho».", "Lloverá mucho."),
    ("gle", "Irish", "Cad is brí leis an bhfocal \"sneachta\"?", "Uisce reoite a thiteann ón spéir sa gheimhreadh."),
]  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "CohereLabs/aya_dataset/data"
    rows = [
        {"inputs": asked, "targets": told, "language": name, "language_code": code,
         "annotation_type": "re-annotations" if place % 3 else "original-annotations", "user_id": f"{place:016x}"}
        for place, (code, name, asked, told) in enumerate(_ROWS)
    ]  # fmt: skip
    write_parquet(home / "train-00000-of-00001.parquet", rows)
    write_parquet(home / "test-00000-of-00001.parquet", [rows[0] | {"inputs": "Held out."}])
