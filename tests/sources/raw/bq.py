"""`C-MTEB/BQ`: customers' questions in Parquet, half of the pairs the same; many differ by a word only."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("zh",)
BROKEN = ("train-00000-of-00001-eec36d2dc3f2a1c2.parquet", 6, "query-equals-positive")

_PAIRS = [
    ("还款日可以改吗", "能不能换一个还款日期", 1), ("还款日可以改吗", "还款日是哪一天", 0), ("怎么提前还清", "我想提前把钱还完，怎么操作", 1),
    ("怎么提前还清", "提前还清要手续费吗", 0), ("为什么没有我的借款入口", "我找不到借钱的入口", 1), ("借款多久到账", "我借的钱什么时候到卡里", 1),
    ("可以换手机号吗", "可以换手机号吗", 1), ("额度怎么提高", "如何增加我的额度", 1), ("额度怎么提高", "额度为什么降低了", 0),
    ("额度为什么降低了", "我的额度怎么变少了", 1), ("银行卡丢了怎么办", "换了新卡怎么绑定", 0), ("怎\u200b么关\u2060闭自动还款", "自动还\ue5f1款怎么\ufeff取消", 1), ("审核不通过是什么原因", "为什么审核没有通过", 1),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [{"sentence1": a, "sentence2": b, "score": score} for a, b, score in _PAIRS]
    table = pa.Table.from_pylist(
        rows, pa.schema({"sentence1": pa.string(), "sentence2": pa.string(), "score": pa.int32()})
    )
    home = folder / "C-MTEB/BQ/data"
    home.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, home / "train-00000-of-00001-eec36d2dc3f2a1c2.parquet")
    for name in ("validation-00000-of-00001-7f96017a1c50f024", "test-00000-of-00001-27441f0c8fdc9664"):
        pq.write_table(table.slice(0, 2), home / f"{name}.parquet")
