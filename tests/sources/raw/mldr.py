"""`Shitao/MLDR`: gzipped JSON lines, passages as lists of objects; documents of many paragraphs."""
# ruff: noqa: E501 - rows of data

import gzip
import json
from pathlib import Path

SUBSETS = ("de", "th", "en")
BROKEN = ("mldr-v1.0-de/train.jsonl.gz", 4, "empty-positive")

_TEXTS = {
    "de": [("Welches Holz nahm man für die Stege?", "Die Brücke von Algstedt\n\nIm Frühjahr 1811 riss das Eis den alten Übergang fort.\n\nFür die Stege nahm man Lärche, weil sie dem Wasser widersteht."),
           ("Wie hoch war die Ernte im dritten Jahr?", "Der Hopfengarten am Südhang\n\nZwei Jahre lang trugen die Reben wenig.\n\nIm dritten wurden neun Zentner eingebracht."),
           ("Wer stimmte die Orgel vor der Weihe?", "Die Orgel in Sankt Veit\n\nSie hat 23 Register.\n\nVor der Weihe stimmte sie der Sohn des Erbauers."),
           ("Wozu diente der Turm nach dem Krieg?", "Der Wasserturm\n\nEr fasste 300 Kubikmeter.\n\nNach dem Krieg diente er als Lager für Saatgut."),
           ("Was fehlt in diesem Absatz?", ""),
           ("Warum wurde die Schmalspurbahn stillgelegt?", "Von Haltepunkt zu Haltepunkt\n\nDie Bahn fuhr mit Torf.\n\nAls der Torf ausging, legte man sie still.")],
    "th": [("ข้าวต้มของบ้านนี้ใส่อะไร", "อาหารเช้าริมคลอง\n\nทุกเช้ามีข้าวต้มร้อน ๆ\n\nบ้านนี้ใส่ปลากะพงและขิงซอย"),
           ("เรือลำนั้นต่อที่ไหน", "อู่เรือเก่า\n\nไม้ที่ใช้คือไม้ตะเคียน\n\nเรือลำนั้นต่อที่อยุธยา")],
    "en": [("What did the keeper write down each noon?", "The weather house\n\nIt stood on the ridge.\n\nEach noon the keeper wrote down the height of the mercury."),
           ("How were the bells brought up the hill?", "Bells\n\nThere are five of them.\n\nOxen brought them up on sledges, in snow.")],
}  # fmt: skip


def build(folder: Path) -> None:
    for language, entries in _TEXTS.items():
        lines = []
        for number, (question, document) in enumerate(entries):
            others = [text for _, text in entries if text and text != document]
            negatives = [{"docid": f"doc-{language}-{90 + i}", "text": text} for i, text in enumerate(others[:3])]
            positives = [{"docid": f"doc-{language}-{number}", "text": document}] if document else []
            record = {"query_id": f"q-{language}-{number}", "query": question, "positive_passages": positives}
            lines.append(json.dumps(record | {"negative_passages": negatives}, ensure_ascii=False))
        home = folder / f"Shitao/MLDR/mldr-v1.0-{language}"
        home.mkdir(parents=True, exist_ok=True)
        (home / "train.jsonl.gz").write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0))
        held_out = {"query_id": "q-x-0", "query": "?", "positive_passages": [], "negative_passages": []}
        (home / "dev.jsonl.gz").write_bytes(gzip.compress(json.dumps(held_out).encode(), mtime=0))
