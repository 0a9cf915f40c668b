"""`ServiceNow-AI/M2Lingual`: Parquet, the whole conversation a row; evolved rows share their seed's language."""
# ruff: noqa: E501 - rows of data

from pathlib import Path
from typing import Any

from tests.sources.rawkit.writing import write_parquet

SUBSETS = ("all",)
BROKEN = ("full_data.parquet", 3, "no-reply")

_TALKS = [
    ("English", "Give me a rhyme for silver.", "Few words rhyme with it; chilver, a ewe lamb, does.", "Use it in a line.", "The chilver slept on fields of silver."),
    ("Serbian", "Објасни шта је гусле.", "Гусле су жичани инструмент са гудалом."),
    ("Moroccan Arabic", "شنو هي أحسن وقت باش نزور مراكش؟", "الربيع، حيت الجو كيكون معتدل."),
    ("Nepali", "दशैं कति दिन मनाइन्छ?",),
    ("Simplified Chinese", "把“他昨天来了”改成疑问句。", "他昨天来了吗？"),
    ("Traditional Chinese", "推薦一道台灣小吃。", "可以試試蚵仔煎。"),
    ("Xhosa", "Yintoni umngqusho?", "Kukutya okwenziwe ngombona neembotyi."),
    ("Urdu", "چائے کا ایک مختصر نسخہ لکھیں۔", "پانی ابالیں، پتی، دودھ اور چینی ڈال کر پکائیں۔", "الائچی بھی؟", "جی ہاں، دو دانے کافی ہیں۔"),
    ("Finnish", "Mikä on löyly?", "Löyly on höyry, joka nousee kiukaan kuumista kivistä."),
    ("Iranian Persian", "یک ضرب‌المثل دربارهٔ صبر بگو.", "گر صبر کنی ز غوره حلوا سازی."),
]  # fmt: skip


def build(folder: Path) -> None:
    rows: list[dict[str, Any]] = []
    for place, (language, *texts) in enumerate(_TALKS):
        turns = [{"role": ("user", "assistant")[turn % 2], "content": text} for turn, text in enumerate(texts)]
        many = len(texts) > 2
        rows.append({
            "id": place, "task_evol_type": "DIALECT" if place % 2 else None, "task_evol_prompt": None,
            "seed_prompt": texts[0], "output_assistant_reply": texts[1] if len(texts) > 1 else None,
            "evolved_user_prompt": None, "multiturn_evol_type": "CLARIFICATION" if many else None,
            "multiturn_evol_prompt": None, "no_of_turns": len(texts), "language": language, "task": "qa",
            "evolved_multiturn_prompt": texts[2] if many else None, "conversation": turns,
        })  # fmt: skip
    home = folder / "ServiceNow-AI/M2Lingual"
    write_parquet(home / "full_data.parquet", rows)
    write_parquet(home / "seed_data.parquet", rows[:2])
    write_parquet(home / "seed_evol_data.parquet", rows[:5])
