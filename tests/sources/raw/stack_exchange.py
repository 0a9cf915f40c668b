"""`flax-sentence-embeddings/stackexchange_titlebody_best_voted_answer_jsonl`: gzipped JSON lines, a file a site."""
# ruff: noqa: E501 - rows of data

import gzip
import json
from pathlib import Path

SUBSETS = ("en",)
BROKEN = ("cooking.stackexchange.com.jsonl.gz", 2, "invalid-json")

_SITES = {
    "cooking.stackexchange.com": [
        ("Why does my sourdough collapse in the oven? It rises well in the basket, but falls flat as soon as I score it.",
         "It has proved too long: the gluten is spent. Bake it an hour earlier, straight from the fridge."),
        ("Can I keep cut onions overnight? I have half an onion left and want to use it tomorrow.",
         "Yes, in a closed jar in the fridge. They get sharper, so rinse them before you eat them raw."),
        ("How do I season a wok?", "Burn off the coating, rub it with oil, heat until it smokes, and repeat three times."),
    ],
    "stackoverflow.com-Posts": [
        ("How to drop duplicate rows by two columns I have a frame with columns a, b and c and want one row for each (a, b).\ndf.drop_duplicates() removes nothing",
         "Name the columns: df.drop_duplicates(subset=['a', 'b'], keep='first'). Without subset the whole row is compared."),
        ("Why is my loop variable the same in every closure? All five functions print 4.",
         "They share one variable, which is 4 when they run. Bind it: lambda i=i: print(i)."),
    ],
    "mathoverflow.net": [
        ("Is every compact semigroup with cancellation a group? I know the statement for finite ones.",
         "Yes. By Ellis–Numakura it has an idempotent, and cancellation makes that idempotent an identity. Then $xS=S$ for all $x$."),
    ],
    "superuser.com": [
        ("Laptop wakes up by itself at night It is a 2014 model and the lid is closed.",
         "Run powercfg /waketimers: most likely it is the maintenance task, which may wake the machine."),
    ],
    "es.stackoverflow.com": [("¿Cómo leo un archivo línea por línea? Uso un bucle while.", "Con for linea in archivo: basta.")],
}  # fmt: skip


def build(folder: Path) -> None:
    home = folder / "flax-sentence-embeddings/stackexchange_titlebody_best_voted_answer_jsonl"
    home.mkdir(parents=True, exist_ok=True)
    for site, posts in _SITES.items():
        lines = [json.dumps({"title_body": title_body, "upvoted_answer": answer}) for title_body, answer in posts]
        if site.startswith("cooking"):
            lines.insert(2, lines[0][:60])
        text = "".join(line + "\n" for line in lines)
        (home / f"{site}.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
