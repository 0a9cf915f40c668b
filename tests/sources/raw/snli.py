"""`stanfordnlp/snli`: Parquet, three hypotheses a premise, -1 where annotators disagree."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("en",)
BROKEN = ("train-00000-of-00001.parquet", 6, "unknown-label")

_SCENES = [
    ("A woman in a yellow coat feeds gulls on a pier.", "Someone is feeding birds.", "The woman waits for a boat.", "The pier is empty."),
    ("Two boys race wooden carts down a hill.", "Children are going downhill.", "The boys are brothers.", "The boys are asleep."),
    ("An old man repairs a net by lamplight.", "A man is mending something.", "He will go fishing tomorrow.", "A woman plays the piano."),
    ("A dog shakes water from its fur.", "The dog is wet.", "The dog swam across a river.", "The dog is dry and asleep."),
    ("Dancers in masks fill the square at noon.", "People are outdoors.", "It is a carnival.", "The square is deserted."),
    ("A baker slides loaves into an oven.", "Somebody is baking.", "The bread is for a wedding.", "The baker is skiing."),
    ("Three climbers rest on a ledge above the clouds.", "People are resting.", "They will reach the top by dusk.", "The climbers are in a cellar."),
    ("A girl reads to her grandmother on a porch.", "Two people are together.", "The book is a mystery.", "The girl is alone."),
]  # fmt: skip


def build(folder: Path) -> None:
    rows: list[tuple[str, str, int]] = []
    for premise, *hypotheses in _SCENES:
        rows += [(premise, hypothesis, label) for label, hypothesis in enumerate(hypotheses)]
    rows[6] = (rows[6][0], rows[6][1], 7)
    # No gold label, a premise nobody entails anything from, and one whose hypotheses do not stand together.
    rows += [("A clown juggles.", "A person performs.", -1), ("A tram stops.", "The tram is moving fast.", 2)]
    rows += [(_SCENES[0][0], "The coat is new.", 1)]
    # The first thing that follows is nothing, or what was said; another follows too.
    rows += [("A ferry crosses the sound.", "", 0), ("A ferry crosses the sound.", "A ship is on the water.", 0)]
    rows += [("Bells ring.", "Bells ring.", 0), ("Bells ring.", "There is a sound.", 0)]
    premise, hypothesis, label = map(list, zip(*rows, strict=True))
    home = folder / "stanfordnlp/snli/plain_text"
    home.mkdir(parents=True, exist_ok=True)
    table = pa.table({"premise": premise, "hypothesis": hypothesis, "label": pa.array(label, pa.int64())})
    pq.write_table(table, home / "train-00000-of-00001.parquet")
