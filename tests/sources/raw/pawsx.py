"""`google-research-datasets/paws-x`: near-identical sentences in Parquet; some were not translated or came out equal."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("de", "ja", "en")
BROKEN = ("de/train-00000-of-00001.parquet", 5, "empty-positive")

_PAIRS = {
    "de": [
        ("Der Fluss entspringt in Talheim und mündet bei Seedorf in den See.", "Bei Seedorf mündet der Fluss, der in Talheim entspringt, in den See.", 1),
        ("Der Fluss entspringt in Talheim und mündet bei Seedorf in den See.", "Der Fluss entspringt in Seedorf und mündet bei Talheim in den See.", 0),
        ("1954 zog die Familie von Graz nach Linz.", "Die Familie zog 1954 von Graz nach Linz.", 1),
        ("1954 zog die Familie von Linz nach Graz.", "1954 zog die Familie von Graz nach Linz.", 0),
        ("Das Album erschien im März, die Single im Mai.", "Die Single erschien im Mai, das Album im März.", 1),
        ("Er spielte auch für den Verein seiner Heimatstadt.", "", 1),
        ("Die Art kommt in Chile und Peru vor.", "Die Art kommt in Chile und Peru vor.", 1),
        ("Die Brücke verbindet die Altstadt mit dem Hafen.", "Die Altstadt ist durch die Brücke mit dem Hafen verbunden.", 1),
        ("Das Schloss ist älter als die Kirche.", "Die Kirche ist älter als das Schloss.", 0),
        ("Das Schloss ist älter als die Kirche.", "Die Kirche ist jünger als das Schloss.", 1),
        ("Anna wurde vor ihrem Bruder Jan geboren.", "Jan wurde nach seiner Schwester Anna geboren.", 1),
    ],
    "en": [
        ("The 1975 -- 76 season , called `` the long one '' , ended in Kendal .", "`` The long one '' , the season of 1975 -- 76 , ended in Kendal .", 1),
        ("The song -LRB- by Ada -RRB- did n't chart .", "It did n't chart , the song -LRB- by Ada -RRB- .", 1),
        ("Ada met Nell in York .", "Nell met Ada in Leeds .", 0),
    ],
    "ja": [
        ("その川は谷村に源を発し、湖町で湖に注ぐ。", "谷村に源を発するその川は、湖町で湖に注いでいる。", 1),
        ("その川は谷村に源を発し、湖町で湖に注ぐ。", "その川は湖町に源を発し、谷村で湖に注ぐ。", 0),
        ("一家は1954年に奈良から京都へ移った。", "1954年、一家は奈良から京都に移り住んだ。", 1),
        ("一家は1954年に奈良から京都へ移った。", "一家は1954年に京都から奈良へ移った。", 0),
        ("アルバムは三月に、シングルは五月に発売された。", "シングルは五月、アルバムは三月に出た。", 1),
        ("橋は旧市街と港を結んでいる。", "旧市街と港はその橋で結ばれている。", 1),
        ("城は教会より古い。", "教会は城より新しい。", 1), ("城は教会より古い。", "教会は城より古い。", 0),
        ("この種はチリとペルーに分布する。", "チリとペルーにこの種は見られる。", 1),
    ],
}  # fmt: skip


def build(folder: Path) -> None:
    for language, pairs in _PAIRS.items():
        rows = [{"id": n, "sentence1": a, "sentence2": b, "label": label} for n, (a, b, label) in enumerate(pairs, 1)]
        home = folder / "google-research-datasets/paws-x" / language
        home.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), home / "train-00000-of-00001.parquet")
        for split in ("validation", "test"):
            pq.write_table(pa.Table.from_pylist(rows[:2]), home / f"{split}-00000-of-00001.parquet")
