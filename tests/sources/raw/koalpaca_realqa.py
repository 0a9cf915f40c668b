"""`beomi/KoAlpaca-RealQA`: what users asked, with an answer in Markdown, in Parquet."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("ko",)
BROKEN = ("train-00000-of-00001.parquet", 2, "empty-query")

_RECORDS = [
    ("등대지기는 하루에 몇 번 불을 확인해?", "보통 해 질 때, 자정, 새벽에 세 번 확인합니다.\n\n1. 해 질 때 점등\n2. 자정 점검\n3. 새벽 소등"),
    ("김치를 오래 보관하려면", "공기를 빼고 눌러 담아 0도에서 2도 사이에 두세요."),
    ("", "질문을 입력해 주세요."),
    ("배가 출항하기 전에 꼭 봐야 하는 것 알려줘", "날씨, 연료, 구명조끼, 무전기를 확인하세요."),
    ("파이썬에서 리스트를 뒤집는 법", "```python\nxs.reverse()\n```"),
    ("소금은 왜 음식을 상하지 않게 해?", "소금이 물을 빨아들여 미생물이 살 수 없기 때문입니다."),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [
        {"custom_id": f"q-{n}", "question": question, "answer": answer} for n, (question, answer) in enumerate(_RECORDS)
    ]
    parquet(folder / "beomi/KoAlpaca-RealQA/data/train-00000-of-00001.parquet", rows)
