"""`allenai/WildChat-4.8M`: Parquet, a list of turns a row, languages in English words."""
# ruff: noqa: E501 - rows of data

from datetime import datetime
from pathlib import Path
from typing import Any

from tests.sources.rawkit.writing import write_parquet

SUBSETS = ("all",)
BROKEN = ("train-00000-of-00086.parquet", 4, "empty-positive")

_TALKS = [
    ("English", "Name a cheese that melts well.", "Fontina melts evenly and tastes mild.", "And a hard one?", "Try aged Gruyère."),
    ("Chinese", "帮我写一句生日祝福。", "愿你新的一岁平安喜乐，万事顺心。"),
    ("Russian", "Как убрать накипь из чайника?", "Вскипятите воду с лимонной кислотой и промойте."),
    ("Persian", "شهرهای بزرگ ایران کدام‌اند؟", "تهران، مشهد، اصفهان و شیراز."),
    ("Turkish", "Kısa bir masal anlat.", ""),
    ("Bokmal", "Hvordan koker man egg mykt?", "Legg dem i kokende vann i seks minutter."),
    ("Portuguese", "Sugira um nome para um gato laranja.", "Que tal Açafrão?"),
    ("Slovene", "Kako se reče hvala po italijansko?", "Reče se grazie."),
    ("Tagalog", "Ano ang sangkap ng adobo?", "Karne, suka, toyo, bawang at paminta."),
    ("Spanish", "Mi correo es NAME_1@example.org, ¿me escribes?", "No puedo enviar correos."),
    ("English", "Say something rude.", "I would rather not."),
    ("Hindi", "गाजर का हलवा कैसे बनता है?", "गाजर को दूध और चीनी में धीमी आँच पर पकाएँ।"),
]  # fmt: skip
_REDACTED, _TOXIC = 9, 10


def build(folder: Path) -> None:
    now = datetime(2024, 5, 1, 12)
    rows: list[dict[str, Any]] = []
    for place, (language, *texts) in enumerate(_TALKS):
        marks = {"toxic": place == _TOXIC, "redacted": place == _REDACTED, "language": language}
        rows.append({
            "conversation_hash": f"{place:032x}", "model": "gpt-4o-2024-05-13", "timestamp": now,
            "conversation": [
                {"content": text, "created": 1714564800, "role": ("user", "assistant")[turn % 2], "country": "Chile",
                 "header": {"accept-language": "es", "user-agent": "browser"}, "timestamp": now,
                 "turn_identifier": place * 10 + turn} | marks
                for turn, text in enumerate(texts)
            ],
            "turn": len(texts) // 2, "hashed_ip": "0" * 8, "country": "Chile", "state": None,
        } | marks)  # fmt: skip
    for part, some in enumerate((rows[:7], rows[7:])):
        write_parquet(folder / f"allenai/WildChat-4.8M/data/train-{part:05d}-of-00086.parquet", some)
