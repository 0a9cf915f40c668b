"""`lavita/ChatDoctor-HealthCareMagic-100k`: Parquet, the same instruction in every record; spaces around texts."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("en",)
BROKEN = ("data/train-00000-of-00001-5e7cb295b9cff0bf.parquet", 3, "empty-positive")

_TASK = "If you are a doctor, please answer the medical questions based on the patient's description."
_RECORDS = [
    ("hi doctor, i twisted my ankle playing tennis and it is still swollen after five days", "Hello, five days of swelling suggest a torn ligament. Keep it raised, and have an X-ray taken to rule out a fracture."),
    ("my son aged 4 has had a barking cough since last night, no fever. what shall i do", "Hi, a barking cough at that age is most often croup. Cool moist air helps; if he draws breath with a harsh sound, go to the emergency room."),
    ("I take lisinopril and now have a dry cough. Are the two connected? ", " Hello. Yes, a dry cough is a known effect of that group of drugs. Ask your doctor about changing to an ARB."),
    ("I have pain on the left side since morning", ""),
    ("My eyes burn after a day at the screen.", "Thanks for your question. It sounds like dry eye: blink often, rest every twenty minutes, and try drops without preservative."),
    ("is it safe to fly at 30 weeks pregnant", "Hello, with a normal pregnancy most airlines allow it until 36 weeks. Walk about every hour, and carry your notes."),
    ("What may cause numb fingers at night??", "Hi, waking with numb fingers points to carpal tunnel syndrome. A wrist splint at night is the first thing to try."),
    ("I found a tick on my leg after a walk. It has been removed whole.", "Hello, watch the spot for four weeks. A spreading red ring or a fever would call for antibiotics."),
    ("how long does a cold sore stay infectious", "Hi, until the crust has fallen off, which takes some ten days."),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [{"instruction": _TASK, "input": asked, "output": answer} for asked, answer in _RECORDS]
    parquet(folder / "lavita/ChatDoctor-HealthCareMagic-100k" / BROKEN[0], rows)
