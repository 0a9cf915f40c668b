"""docs/report.md is what the forms of the tables say now."""

from tools.report_reference import PAGE, page


def test_the_page_is_current():
    assert PAGE.read_text("utf-8") == page(), "run `python -m tools.report_reference`"
