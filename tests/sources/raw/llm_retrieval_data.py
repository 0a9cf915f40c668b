"""`infgrad/retrieval_data_llm`: column names with blanks, long documents in Chinese."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.tables import parquet

SUBSETS = ("zh",)
BROKEN = ("0000.parquet", 3, "empty-positive")

_RECORDS = [
    ("灯塔为什么要定期刷漆？", "海边的空气含盐，铁制的灯塔会很快生锈。守塔人每三年刷一次漆，先用钢刷去掉旧漆，再刷两层红漆。", "灯塔的光在天气好的时候可以传到二十海里以外，船长用它判断自己的位置。"),
    ("冬天怎样储存苹果", "把没有碰伤的苹果用纸一个个包好，放在零度上下的地窖里，隔两周检查一次，烂的马上拿走。", "苹果树在四月开花，花期大约十天，需要蜜蜂授粉。"),
    ("木船下水前的检查步骤", "先看船底的缝是否填实，再让船在浅水里泡一夜，木板吸水膨胀后漏水处会自己合上。", "木船比钢船轻，修理也方便，但每年都要上一次油。"),
    ("蜂箱该朝哪个方向放", "", "蜂箱通常用松木做成，里面有十个巢框。"),
    ("如何给石墙补缝", "清掉松动的旧灰，把缝里洒湿，然后用石灰和细沙一比三拌成的灰浆填满，二十四小时内不要晒干。", "石墙可以保持屋里冬暖夏凉，在山区很常见。"),
    ("老式钟摆走快了怎么调", "把摆锤下面的螺母往下拧一圈，钟摆变长，一天大约慢半分钟；观察一天再接着调。", "摆钟在十七世纪由惠更斯发明，从前教堂里都有一座。"),
    ("养蚕需要多少桑叶", "一千条蚕从孵化到结茧大约要吃二十公斤桑叶，最后五天就吃掉其中的八成。", "蚕丝织成的布轻而结实，古时候沿着商路运到西方。"),
]  # fmt: skip


def build(folder: Path) -> None:
    names = ("Query", "Positive Document", "Hard Negative Document")
    rows = [dict(zip(names, record, strict=True)) for record in _RECORDS]
    parquet(folder / "infgrad/retrieval_data_llm/default/train/0000.parquet", rows)
