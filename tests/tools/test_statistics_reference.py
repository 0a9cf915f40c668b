"""docs/statistics.md is what the models say."""

from tools.statistics_reference import PAGE, page


def test_the_page_is_current():
    assert PAGE.read_text("utf-8") == page(), "run `python -m tools.statistics_reference`"


def test_every_field_is_there():
    assert page().count("\n| `") > 80
    assert "any" not in {row.split(" | ")[1] for row in page().splitlines() if row.startswith("| `")}
