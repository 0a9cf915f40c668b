"""`beomi/KoAlpaca-v1.1a`: long questions of a forum and polite answers, in Parquet."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("ko",)
BROKEN = ("train-00000-of-00001-21df739eb88d711e.parquet", 1, "empty-positive")

_RECORDS = [
    ("양파는 어떤 식물 기관인가요? 그리고 고구마는 뿌리인가요? ", "양파는 잎이 아닌 비늘줄기이고, 고구마는 덩이뿌리입니다."),
    ("갯벌은 어떻게 생기나요?", " "),
    ("바닷물은 왜 얼기 어려운가요? \n초등학교 숙제입니다.", "소금이 녹아 있어서 어는점이 낮아지기 때문입니다. 약 영하 1.8도에서 업니다."),
    ("기차 시간표에서 급행과 완행의 차이가 무엇인가요?", "급행은 큰 역에만 서고, 완행은 모든 역에 섭니다."),
    ("벌집은 왜 육각형인가요?", "같은 양의 밀랍으로 가장 넓은 공간을 만들 수 있기 때문입니다."),
    ("등산화는 언제 바꿔야 하나요?", "밑창의 무늬가 닳아 미끄러질 때 바꾸는 것이 좋습니다."),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [
        {"instruction": question, "output": answer, "url": f"https://kin.example/{n}"}
        for n, (question, answer) in enumerate(_RECORDS)
    ]
    parquet(folder / "beomi/KoAlpaca-v1.1a/data/train-00000-of-00001-21df739eb88d711e.parquet", rows)
