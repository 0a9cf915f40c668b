"""`CoIR-Retrieval/synthetic-text2sql-*`: requests for data and the SQL statements that meet them."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.coir import collection

SUBSETS = ("sql",)
BROKEN = ("train-00000-of-00001-4c3776d140931a29.parquet", 4, "missing-document")

_PAIRS = [
    ("How many lighthouses were lit before 1850?", "SELECT COUNT(*) FROM lighthouses WHERE lit < 1850;"),
    ("List the ferries that have no captain.", "SELECT f.name\n  FROM ferries f\n  LEFT JOIN captains c ON c.ferry_id = f.id\n WHERE c.id IS NULL;"),
    ("What is the average yield of barley by region?", "SELECT region, AVG(yield) FROM harvests WHERE crop = 'barley' GROUP BY region;"),
    ("Raise the price of all teas by 5%.", "UPDATE products SET price = price * 1.05 WHERE kind = 'tea';"),
    ("Which choir sang most often in 2019?", "SELECT choir FROM concerts WHERE year = 2019 GROUP BY choir ORDER BY COUNT(*) DESC LIMIT 1;"),
    ("Remove visitors who never came back.", "DELETE FROM visitors WHERE visits = 1;"),
    ("Show the three steepest railways.", "SELECT name FROM railways ORDER BY gradient DESC LIMIT 3;"),
    ("Find bridges in both Porto and Gaia.", "SELECT name FROM bridges WHERE city = 'Porto' INTERSECT SELECT name FROM bridges WHERE city = 'Gaia';"),
    ("What share of patients missed their appointment?", "SELECT AVG(CASE WHEN missed THEN 1.0 ELSE 0 END) FROM appointments;"),
    ("Add a volcano called Hekla.", "INSERT INTO volcanoes (name) VALUES ('Hekla');"),
]  # fmt: skip


def build(folder: Path) -> None:
    collection(folder, "synthetic-text2sql", [(query, code, "sql") for query, code in _PAIRS], without=[4])
