"""`mteb/sib200`: a small Parquet file for each language and split."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("deu_Latn", "zho_Hans", "arb_Arab")
BROKEN = ("train/deu_Latn.parquet", 2, "unknown-label")

_LABELS = (
    "travel",
    "sports",
    "travel",
    "health",
    "science/technology",
    "sports",
    "health",
    "science/technology",
    "geography",
    "travel",
)
_SENTENCES = {
    "deu_Latn": ["Die Fähre legt um sechs Uhr ab.", "Das Finale wurde im Elfmeterschießen entschieden.", "Wer im Winter reist, packt Ketten ein.",
                 "Die Impfung schützt auch Säuglinge.", "Das Teleskop misst Wärme.", "Die Läuferin stürzte kurz vor dem Ziel.",
                 "Der Husten klingt nach drei Wochen ab.", "Der Roboter greift weiche Früchte.", "Der See liegt auf 900 Metern Höhe.", "Ein Visum kostet vierzig Euro."],
    "zho_Hans": ["渡轮早上六点出发。", "决赛以点球决出胜负。", "冬天出行要带防滑链。", "疫苗也能保护婴儿。", "这台望远镜测量热量。",
                 "她在终点前摔倒了。", "咳嗽三周后会好转。", "机器人能抓住柔软的水果。", "这个湖海拔九百米。", "签证费为四十欧元。"],
    "arb_Arab": ["تنطلق العبارة في السادسة صباحا.", "حسمت ركلات الترجيح المباراة النهائية.", "يحتاج المسافر شتاء إلى سلاسل للعجلات.",
                 "يحمي اللقاح الرضع أيضا.", "يقيس التلسكوب الحرارة.", "سقطت العداءة قبل خط النهاية.", "يزول السعال بعد ثلاثة أسابيع.",
                 "يمسك الروبوت الفواكه اللينة.", "تقع البحيرة على ارتفاع تسعمئة متر.", "رسم التأشيرة أربعون يورو."],
}  # fmt: skip


def build(folder: Path) -> None:
    for language, sentences in _SENTENCES.items():
        rows = [
            {"text": text, "label": label, "lang": language} for text, label in zip(sentences, _LABELS, strict=True)
        ]
        if language == "deu_Latn":
            rows[2]["label"] = None
        for split, some in {"train": rows[:7], "validation": rows[7:], "test": rows[:2]}.items():
            parquet(folder / "mteb/sib200" / split / f"{language}.parquet", some)
