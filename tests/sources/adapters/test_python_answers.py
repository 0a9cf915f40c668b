"""Which Python an answer gives, and when a file is refused."""

import pytest

from open_ml_embed.core.errors import SchemaError
from tests.support.shaping import run, texts

ARGS = {"query": "q", "answers": ["code", "prose"]}


def answered(code, prose):
    rows, _, filtered = run("python_answers", ARGS, records=[{"q": "q", "code": code, "prose": prose}])
    return rows[0]["positive"] if rows else filtered


@pytest.mark.parametrize(
    ("code", "prose", "expected"),
    [
        ("x = 1", "```python\ny = 2\n```", "x = 1"),
        ("```py\nx = 1\n```", "", "x = 1\n"),
        ("", "First:\n```python\npass\n```\nBetter:\n```python\ny = 2\n```\nRun:\n```bash\nls -l\n```", "y = 2\n"),
        ("not code at all", "y = 2", "y = 2"),
        (None, "```\ny = 2\n```", "y = 2\n"),
        (None, "```python\ny = 2", "y = 2"),
        ("x = '\\d'", None, "x = '\\d'"),
        ("  ", "You cannot do that.", {"no-python": 1}),
        ("x = (", "```python\ny = \0\n```", {"no-python": 1}),
        (None, None, {"no-python": 1}),
    ],
)
def test_first_answer_with_python(code, prose, expected):
    assert answered(code, prose) == expected


def test_file_without_any_python_is_refused():
    wrong = [{"q": "q", "code": "This is prose.", "prose": ""}] * 100
    with pytest.raises(SchemaError, match="none of 100 answers has Python that parses; looked in: code, prose"):
        run("python_answers", ARGS, records=wrong)
    rows, _, filtered = run("python_answers", ARGS, records=[*wrong, {"q": "q", "code": "x = 1", "prose": ""}])
    assert texts(rows) == [("q", "x = 1")]
    assert filtered == {"no-python": 100}
