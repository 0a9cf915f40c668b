"""`channelcorp/KoMagpie-raw`, converted: instructions and results in Parquet, some results cut to nothing."""

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("ko",)
BROKEN = ("0001.parquet", 1, "empty-positive")

_RECORDS = [
    ("바다를 주제로 짧은 시를 써 줘.", "파도는 밤새 말을 걸고\n나는 아침까지 듣는다."),
    ("주어진 문장을 높임말로 바꾸세요: 밥 먹었어?", "식사하셨어요?"),
    ("세 자리 소수를 하나 말해 보세요.", "101은 세 자리 소수입니다."),
    ("사과와 배의 공통점은 무엇인가요?", "둘 다 장미과에 속하는 과일입니다."),
    ("다음 글을 요약하세요.", ""),
    ("엑셀에서 중복 값을 지우는 방법은?", "데이터 탭에서 '중복된 항목 제거'를 선택하면 됩니다."),
    ("우산을 만드는 회사의 이름을 지어 주세요.", "빗소리 공방"),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [{"instruction": request, "output": result} for request, result in _RECORDS]
    home = folder / "channelcorp/KoMagpie-raw/default/train"
    parquet(home / "0000.parquet", rows[:3])
    parquet(home / "0001.parquet", rows[3:])
