"""`mteb/banking77`: Parquet beside the JSON lines of an older layout."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SUBSETS = ("en",)
BROKEN = ("train-00000-of-00001.parquet", 2, "empty-query")

_INTENTS = {
    "card_arrival": ["Where is my card?", "My new card has not come yet", "", "When will the card I ordered get here?",
                     "Still waiting on my card", "Is there tracking for the card you sent?"],
    "lost_or_stolen_card": ["I lost my card", "Someone took my wallet with the card in it", "My card was stolen on holiday",
                            "I cannot find my card anywhere", "Please block a lost card"],
    "exchange_rate": ["What rate do you use for euros?", "Which exchange rate applies abroad?", "How is the rate set?",
                      "Is the rate the interbank one?", "Rate for Swiss francs today?"],
    "pin_blocked": ["My PIN is blocked", "I typed the wrong PIN three times", "How do I unblock my PIN?",
                    "PIN locked, what now?"],
    "age_limit": ["How old must I be to open an account?"],
}  # fmt: skip


def build(folder: Path) -> None:
    rows = [
        {"text": text, "label": number, "label_text": intent}
        for number, (intent, texts) in enumerate(_INTENTS.items())
        for text in texts
    ]
    home = folder / "mteb/banking77"
    (home / "data").mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), home / "data/train-00000-of-00001.parquet")
    pq.write_table(pa.Table.from_pylist(rows[:3]), home / "data/test-00000-of-00001.parquet")
    (home / "train.jsonl").write_text('{"text": "old layout", "label": 0, "label_text": "card_arrival"}\n')
