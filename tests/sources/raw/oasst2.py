"""`OpenAssistant/oasst2`: Parquet, a message a row; labels are a struct of lists."""
# ruff: noqa: E501 - rows of data

from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.sources.rawkit.writing import write_parquet

SUBSETS = ("all",)
BROKEN = ("train-00000-of-00001-88ba0162028a73fc.parquet", 25, "missing-parent")

_COUNTED = pa.struct(
    [("name", pa.list_(pa.string())), ("value", pa.list_(pa.float64())), ("count", pa.list_(pa.int32()))]
)
_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("message_id", "parent_id", "user_id", "created_date", "text", "role", "lang")),
        ("review_count", pa.int32()), ("review_result", pa.bool_()), ("deleted", pa.bool_()), ("rank", pa.int32()),
        ("synthetic", pa.bool_()), ("model_name", pa.string()),
        ("detoxify", pa.struct([(name, pa.float64()) for name in ("toxicity", "insult", "threat")])),
        ("message_tree_id", pa.string()), ("tree_state", pa.string()),
        ("emojis", pa.struct([("name", pa.list_(pa.string())), ("count", pa.list_(pa.int32()))])), ("labels", _COUNTED),
    ]
)  # fmt: skip

_TREES: list[tuple[str, str, list[tuple[str, int | None, float | None]]]] = [
    ("en", "Why do geese fly in a V?", [("No idea, sorry.", 2, 0.1), ("Each bird rides the lift from the one in front.", 0, 0.9), ("It saves effort on long trips.", 1, 0.8)]),
    ("es", "¿Cómo evito que se oxide una sartén de hierro?", [("Sécala al fuego y úntala con un poco de aceite.", None, 0.7)]),
    ("pt-BR", "Me indique um prato típico do Pará.", [("Não sei.", None, 0.2), ("Experimente o pato no tucupi, com jambu.", None, 0.9)]),
    ("uk-UA", "Чому восени жовтіє листя?", [("Бо руйнується хлорофіл, і стають видні інші барвники.", 0, None)]),
    ("zh", "怎样让绿植少生虫？", [("保持通风，浇水不要太勤。", None, None), ("多擦叶片。", None, None)]),
    ("de", "Schreib mir einen Merksatz für die Planeten.", []),
    ("nb", "Hva er forskjellen på ski og truger?", [("Ski glir, truger bærer deg oppå snøen.", 0, 0.8)]),
    ("en", "How do I sort by length in Python?", [("Like this:\n\n1. Use `sorted`:\n   - with a key\n   - or `list.sort`\n\n```python\ndef by_length(words):\n    return sorted(words, key=len)  # shortest  first\n```", 0, 0.9)]),
    ("th", "ช่วยแนะนำวิธีเก็บมะม่วงสุกหน่อย", [("ห่อกระดาษแล้วแช่ตู้เย็น จะเก็บได้หลายวัน", 0, 0.6)]),
]  # fmt: skip


def _message(key: str, parent: str | None, text: str, lang: str, **more: Any) -> dict[str, Any]:
    role = "prompter" if parent is None else "assistant"
    return {"message_id": key, "parent_id": parent, "text": text, "lang": lang, "role": role, "deleted": False,
            "message_tree_id": key.partition("-")[0], "tree_state": "ready_for_export", "synthetic": False} | more  # fmt: skip


def build(folder: Path) -> None:
    rows: list[dict[str, Any]] = []
    for tree, (lang, prompt, replies) in enumerate(_TREES):
        rows.append(_message(f"t{tree}", None, prompt, lang, labels=_labels(0.5)))
        for place, (text, rank, quality) in enumerate(replies):
            rows.append(_message(f"t{tree}-{place}", f"t{tree}", text, lang, rank=rank, labels=_labels(quality)))
    # A second turn, a deleted best reply, a deleted tree, and a reply to a message that was taken out.
    rows.append(_message("t0-9", "t0-1", "And at night?", "en", role="prompter"))
    rows.append(_message("t6-9", "t6", "[slettet]", "nb", rank=0, deleted=True))
    rows.append(_message("t8", None, "Spam.", "en", deleted=True))
    rows.append(_message("t8-0", "t8", "Please write a question.", "en"))
    rows.append(_message("t9-0", "t9", "Sí, con agua tibia.", "es", rank=0))
    home = folder / "OpenAssistant/oasst2"
    write_parquet(home / "data/train-00000-of-00001-88ba0162028a73fc.parquet", rows, _SCHEMA)
    write_parquet(home / "data/validation-00000-of-00001-1deeef95c3248fe0.parquet", rows[:2], _SCHEMA)
    (home / "2023-11-05_oasst2_ready.trees.jsonl.gz").write_bytes(b"")


def _labels(quality: float | None) -> dict[str, list[Any]] | None:
    if quality is None:
        return None
    return {"name": ["spam", "quality"], "value": [0.0, quality], "count": [3, 3]}
