"""`akoksal/muri-it`: Parquet, many languages in one table, parts of several origins."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("all",)
BROKEN = ("train-00000-of-00013.parquet", 5, "unknown-language")

_ROWS = [
    ("deu", "German", "Beschreibe in zwei Sätzen, wie Käse reift.", "Käse reift in feuchten Kellern. Bakterien bauen dabei das Eiweiß ab."),
    ("cym", "Welsh", "Eglurwch beth yw eisteddfod.", "Gŵyl o lenyddiaeth, cerddoriaeth a pherfformio yw eisteddfod."),
    ("yor", "Yoruba", "Ṣàlàyé ohun tí àmàlà jẹ́.", "Àmàlà jẹ́ oúnjẹ tí wọ́n fi ìyẹ̀fun iṣu ṣe."),
    ("ckb", "Central Kurdish", "باسی شاری هەولێر بکە.", "هەولێر پایتەختی هەرێمی کوردستانە."),
    ("khm", "Khmer", "ពណ៌នាអំពីបឹងទន្លេសាប។", "បឹងទន្លេសាបជាបឹងទឹកសាបធំបំផុតនៅអាស៊ីអាគ្នេយ៍។"),
    ("roa", "Romance", "Una question in nulle lingua cognite?", "Un responsa in le mesme."),
    ("quz", "Cusco Quechua", "Willaway Machu Pikchumanta.", "Machu Pikchuqa ñawpa llaqtam, urqupi kachkan."),
    ("zho", "Chinese", "说明如何泡绿茶。", "用八十度的水冲泡，两三分钟即可饮用。"),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = []
    for copy in range(4):
        for language, name, question, answer in _ROWS:
            if language != "roa" or copy == 0:
                number = f" ({copy})" if copy else ""
                rows.append({"input": question + number, "output": answer + number, "dataset_name": "MRI",
                             "subdataset_name": None, "language": language, "language_name": name, "split": "train"})  # fmt: skip
    rows.append(rows[0] | {"input": "Translate: bread", "dataset_name": "xP3"})
    home = folder / "akoksal/muri-it/data"
    home.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([(name, pa.string()) for name in rows[0]])
    for part, some in enumerate((rows[:20], rows[20:])):
        pq.write_table(
            pa.Table.from_pylist(some, schema), home / f"train-{part:05d}-of-00013.parquet", row_group_size=8
        )
