"""`miracl/miracl` and `miracl/miracl-corpus`: TREC-like TSV files, and a corpus of gzipped JSON lines."""
# ruff: noqa: E501 - rows of data

import gzip
import json
from pathlib import Path

SUBSETS = ("sw", "zh", "ar", "fa", "th", "fi")
BROKEN = ("qrels.miracl-v1.0-sw-train.tsv", 4, "too-few-values")

_TEXTS = {
    "sw": [("Mlima Kenya una urefu gani?", "Mlima Kenya", "Mlima Kenya una kimo cha mita 5199 juu ya usawa wa bahari."),
           ("Ziwa kubwa kuliko yote Afrika ni lipi?", "Viktoria Nyanza", "Ziwa Viktoria ni ziwa kubwa kuliko yote barani Afrika."),
           ("Mji mkuu wa Tanzania ni upi?", "Dodoma", "Dodoma ni mji mkuu wa Tanzania tangu mwaka 1996."),
           ("Kahawa ilitoka nchi gani?", "Kahawa", "Kahawa ina asili yake katika nyanda za juu za Ethiopia."),
           ("Nani aliandika \"Rosa Mistika\"?", "Euphrase Kezilahabi", "Kezilahabi aliandika riwaya ya Rosa Mistika.")],
    "zh": [("长江有多长？", "长江", "长江全长约6300公里，是亚洲最长的河流。"), ("故宫建于何时？", "故宫", "北京故宫于明永乐十八年建成。"),
           ("谁写了《红楼梦》？", "红楼梦", "《红楼梦》通常认为是曹雪芹所作。"), ("台北101有多少层？", "台北101", "台北101地上101层，地下5层。")],
    "ar": [("ما هو أطول نهر في العالم؟", "نهر النيل", "نهر النيل من أطول أنهار العالم."), ("أين تقع مدينة فاس؟", "فاس", "تقع مدينة فاس في شمال المغرب."),
           ("متى بني الأزهر؟", "الجامع الأزهر", "أنشئ الجامع الأزهر سنة 970 ميلادية.")],
    "fa": [("کدام کتاب\u200cها را سعدی نوشته است؟", "سعدی", "سعدی گلستان را نوشت و می\u200cگفت شاعر است.")],
    "th": [("ภูเขา\u200bไฟ\u200bใดสูงที่สุด?", "ภูเขาไฟ", "ภูเขาไฟที่สูง\u200bที่สุดอยู่ในชิลี")],
    "fi": [("Missä on Saa\u00admen kanava?", "Saa\u00adma", "Kanava on Saa\u00admel\u00adta merelle.")],
}  # fmt: skip


def build(folder: Path) -> None:
    for language, entries in _TEXTS.items():
        topics, judged, passages = [], [], []
        for round_ in range(4):
            for number, (question, title, text) in enumerate(entries):
                query, page = f"{round_}{number}#0", round_ * 100 + number
                topics.append(f"{query}\t{question if not round_ else f'{question} ({round_})'}")
                passages.append({"docid": f"{page}#0", "title": title, "text": f"{text} {round_ or ''}"})
                passages.append({"docid": f"{page}#1", "title": title, "text": f"… {round_}"})
                judged += [f"{query}\tQ0\t{page}#1\t0", f"{query}\tQ0\t{page}#0\t1"]
        judged[4] = judged[4].rpartition("\t")[0]
        judged[-1] = judged[-1][:-1] + "0"  # judged, but nothing relevant found
        home = folder / f"miracl/miracl/miracl-v1.0-{language}"
        corpus = folder / f"miracl/miracl-corpus/miracl-corpus-v1.0-{language}"
        for name, lines in (("topics", topics), ("qrels", judged)):
            (home / name).mkdir(parents=True, exist_ok=True)
            (home / name / f"{name}.miracl-v1.0-{language}-train.tsv").write_text("\n".join(lines) + "\n", "utf-8")
        corpus.mkdir(parents=True, exist_ok=True)
        half = len(passages) // 2
        for part, some in enumerate((passages[:half], passages[half:])):
            lines = "".join(json.dumps(p, ensure_ascii=False) + "\n" for p in some)
            (corpus / f"docs-{part}.jsonl.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))
