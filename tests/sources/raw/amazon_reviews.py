"""`mteb/amazon_reviews_multi`: JSON lines by language, classes by number, a title before each review."""

from pathlib import Path

from tests.sources.rawkit.writing import write_jsonl

SUBSETS = ("es", "zh")
BROKEN = ("es/train.jsonl", 6, "unknown-label")

_REVIEWS = {
    "es": [
        ("Se rompió al segundo día", "El asa se soltó con la olla llena. Un peligro.", 0),
        ("Nunca llegó", "Un mes esperando y nadie contesta.", 0),
        ("Flojo", "Corta, pero hay que afilarlo cada semana.", 1),
        ("Esperaba más", "La tela es fina y pierde color.", 1),
        ("Ni fu ni fa", "Cumple, aunque hace mucho ruido.", 2),
        ("Correcto", "Tamaño justo, instrucciones malas.", 2),
        ("Sin estrellas", "Nadie marcó una puntuación aquí.", -1),
        ("Buena compra", "Lo único que falta es una funda.", 3),
        ("", "Cómodas desde el primer paseo; tardaron una semana.", 3),
        ("Perfecto", "Lo uso a diario desde hace tres años.", 4),
        ("¡Qué maravilla!", "Mi abuela ya ha pedido otro igual.", 4),
    ],
    "zh": [
        ("太差了", "用了两次就坏了，客服也不回复。", 0),
        ("别买", "收到的时候盒子是空的。", 0),
        ("不太满意", "味道很重，晾了一周还有。", 1),
        ("偏小", "按尺码买的，孩子穿不上。", 1),
        ("一般", "能用，没有什么特别的。", 2),
        ("还可以", "价格便宜，做工普通。", 2),
        ("不错", "声音清楚，就是线短了一点。", 3),
        ("挺好", "比上一个耐用，颜色少了些。", 3),
        ("非常喜欢", "茶壶很漂亮，倒水不漏。", 4),
        ("推荐", "全家人都在用，又买了一个送朋友。", 4),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    for language, reviews in _REVIEWS.items():
        home = folder / "mteb/amazon_reviews_multi" / language
        rows = [
            {"id": f"{language}_{number:07d}", "text": f"{title}\n\n{body}", "label": stars, "label_text": str(stars)}
            for number, (title, body, stars) in enumerate(reviews)
        ]
        write_jsonl(home / "train.jsonl", rows)
        for split in ("validation", "test"):
            write_jsonl(home / f"{split}.jsonl", [rows[0] | {"text": "held out"}])
