"""`CoIR-Retrieval/codefeedback-st-*`: requests, and answers that mix prose and code, with the code's language."""
# ruff: noqa: E501 - rows of data

from pathlib import Path

from tests.sources.rawkit.coir import collection

SUBSETS = ("all",)
BROKEN = ("train-00000-of-00001-4c3776d140931a29.parquet", 5, "missing-document")

_PAIRS = [
    ("Write a function that tells whether a year is a leap year.", "Check the centuries:\n```python\ndef leap(y):\n    if y % 100 == 0:\n        return y % 400 == 0\n    return y % 4 == 0\n```", "python"),
    ("Make a button turn red when it is clicked.", "Listen for the click:\n```javascript\nbutton.onclick = () => {\n  button.style.color = 'red';\n};\n```", "javascript"),
    ("Group orders by customer and keep those above 100.", "Use HAVING:\n```sql\nSELECT customer\n  FROM orders\n GROUP BY customer\nHAVING SUM(total) > 100;\n```", "sql"),
    ("Write a reusable swap in modern C++.", "```c++\ntemplate <class T>\nvoid swap_(T& a, T& b) {\n    T t = std::move(a);\n    a = std::move(b);\n    b = std::move(t);\n}\n```", "c++"),
    ("Print the numbers from 1 to 5 in the shell.", "`seq 5` does it; so does\n```bash\nfor i in {1..5}; do\n    echo $i\ndone\n```", "bash"),
    ("Draw a red circle in SVG.", "Lost.", "svg"),
    ("What does idempotent mean for an HTTP method?", "Doing it twice has the effect of doing it once.  PUT is; POST is not.", None),
    ("Lay out three boxes in a row.", "```css\n.row {\n  display: flex;\n}\n```", "css"),
    ("Define a record for a point in C#.", "```csharp\nrecord Point(double X, double Y);\n```", "csharp"),
    ("Greet the user in Lua.", "```lua\nprint('hello, ' .. name)\n```", "lua"),
    ("Sum a vector in R.", "`sum(v)`", "r"),
]  # fmt: skip


def build(folder: Path) -> None:
    # As the combined repositories have them: both are read.
    collection(folder, "codefeedback-st", _PAIRS, without=[5], dash="-")
