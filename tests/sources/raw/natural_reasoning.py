"""`facebook/natural_reasoning`: JSON lines; reference answers may be missing or a word, responses are by a model."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.writing import write_jsonl

SUBSETS = ("en",)
BROKEN = ("full.jsonl", 6, "empty-positive")

_ROWS = [
    ("A ball rolls off a table 1.25 m high. How long does it fall?", "About 0.5 s, from h = g t² / 2.", "The fall takes the square root of 2h/g, which is half a second."),
    ("Why does a balance sheet always balance?", "", "Every asset was paid for with either debt or equity, so both sides count the same money."),
    ("Is the sum of two odd numbers even?", "Yes", "Write them as 2a + 1 and 2b + 1; the sum is 2(a + b + 1), which is even."),
    ("How many edges has a tree with 12 vertices?", "11", "A tree on n vertices has n - 1 edges, so 11."),
    ("What happens to a gas that expands into a vacuum?", "An ideal gas does no work and keeps its temperature.", ""),
    ("Does raising the minimum wage always raise unemployment?", "Not always; it depends on the employers' market power.", "Models of monopsony say no."),
    ("Prove that there is no largest prime.", None, None),
    ("Which gas do yeasts give off?", "CO2", ""),
    ("What does the derivative of position tell?", "It is the velocity of the body.", "Velocity."),
    ("Why is the night sky dark if the stars are countless?", "", "The universe has a finite age, so light of the farthest stars has not arrived."),
]  # fmt: skip


def build(folder: Path) -> None:
    rows = [
        {"question": question, "reference_answer": reference,
         "responses": [] if response is None else [{"response_model": "Llama3.3-70B-Instruct", "response": response}]}
        for question, reference, response in _ROWS
    ]  # fmt: skip
    write_jsonl(folder / "facebook/natural_reasoning/full.jsonl", rows)
