"""`mteb/amazon_counterfactual`: Parquet by language, beside an extended English set that is not wanted.

Some sentences have entities, one has lost a letter, one stands under both labels.
"""

from pathlib import Path

import pyarrow as pa

from tests.sources.rawkit.writing import write_parquet

SUBSETS = ("de", "ja")
BROKEN = ("de/train-00000-of-00001.parquet", 3, "unknown-label")

_SENTENCES = {
    "de": [
        ("Hätte ich das vorher gewusst, wäre die Pfanne im Laden geblieben.", 1),
        ("Die Tasche hat drei Fächer und einen festen Boden.", 0),
        ("Ich wünschte, der Akku hielte einen ganzen Tag.", 1),
        ("Ohne Urteil eines zweiten Lesers.", None),
        ("Der Versand dauerte nur zwei Tage.", 0),
        ("Wenn das Kabel länger wäre, gäbe es den fünften Stern.", 1),
        ("Wenn es regnet, ziehe ich die Jacke jeden Tag an.", 0),
        ("Meine Schwester hätte sie in Grün genommen.", 1),
        ("Nach einem Jahr klappert noch nichts.", 0),
        ("Auf &#34;Stufe 3&#34; w\ufffdre er mir zu laut &amp; zu warm.", 1),
        ("Die Farbe k\u00f6nnte so bleiben.", 1),
        ("Die Farbe k\u00f6nnte  so bleiben.", 0),
    ],
    "ja": [
        ("もう少し軽ければ毎日持ち歩いたのに。", 1),
        ("箱を開けたらすぐに使えました。", 0),
        ("説明書を先に読んでおけばよかった。", 1),
        ("色は写真のとおりです。", 0),
        ("返品できるなら、していたでしょう。", 1),
        ("雨の日でも靴の中は乾いています。", 0),
        ("一年使っていますが、壊れていません。", 0),
        ("サイズがもう一つ大きかったら完璧だったと思う。", 1),
    ],
    "en": [("It would have been a bargain at half the price.", 1), ("It is half the price of the old one.", 0)],
    "en-ext": [("I would have kept it had it fitted.", 1)],
}  # fmt: skip
_NAMES = {0: "not-counterfactual", 1: "counterfactual", None: ""}


def build(folder: Path) -> None:
    schema = pa.schema([("text", pa.string()), ("label", pa.int32()), ("label_text", pa.string())])
    for language, sentences in _SENTENCES.items():
        rows = [{"text": text, "label": label, "label_text": _NAMES[label]} for text, label in sentences]
        for split in ("train", "validation", "test"):
            kept = rows if split == "train" else [rows[0] | {"text": "held out"}]
            path = folder / f"mteb/amazon_counterfactual/{language}/{split}-00000-of-00001.parquet"
            write_parquet(path, kept, schema)
