"""`DAMO-NLP-MT/multialpaca`: JSON lines, a file a language; some inputs begin with a Chinese label."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.writing import write_jsonl

SUBSETS = ("ar", "ja")
BROKEN = ("ar.jsonl", 4, "empty-positive")

_ROWS = {
    "ar": [
        ("اذكر فائدتين للمشي كل يوم.", "", "يقوّي القلب ويحسّن المزاج."),
        ("صنّف الجملة: إيجابية أم سلبية؟", "输入：كان الفندق نظيفًا والطعام لذيذًا.", "جملة إيجابية."),
        ("لخّص النص في جملة واحدة.", "تأخر القطار ساعتين بسبب عاصفة رملية، ثم وصل سالمًا.", "وصل القطار متأخرًا بسبب عاصفة."),
        ("اقترح اسمًا لمتجر زهور.", None, "ندى الصباح"),
        ("ترجم الجملة إلى الإنجليزية.", "أحب القهوة.", ""),
        ("ما عاصمة عُمان؟", "输入：", "مسقط هي عاصمة سلطنة عُمان."),
        ("اكتب بيتًا عن البحر.", "", "يا بحرُ كم خبأتَ من أسرارِ من عبروا."),
        ("رتّب الأعداد تصاعديًا.", "٧، ٣، ٩", "٣، ٧، ٩"),
        ("اشرح معنى كلمة «قافلة».", "", "جماعة من المسافرين يسيرون معًا."),
    ],
    "ja": [
        ("敬語に直してください。", "输入：明日行く。", "明日まいります。"),
        ("冬の季語を三つ挙げてください。", "", "雪、こたつ、枯野です。"),
        ("次の数の合計を求めてください。", "12、30、8", "合計は50です。"),
        ("朝食の献立を提案してください。", None, "焼き鮭、味噌汁、ご飯はいかがでしょうか。"),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    for language, rows in _ROWS.items():
        records = [{"instruction": asked, "input": about, "output": told} for asked, about, told in rows]
        write_jsonl(folder / f"DAMO-NLP-MT/multialpaca/{language}.jsonl", records)
