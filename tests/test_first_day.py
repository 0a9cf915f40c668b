"""The ten tasks of docs/first-day.md, run one after the other in an empty folder, as the page has them."""

import re

import pytest

from tests.support import ROOT
from tests.support.page_session import run, script_of

PAGE = "first-day.md"


@pytest.mark.slow
def test_the_ten_tasks_of_a_first_day(tmp_path):
    numbers = re.findall(r"^## (\d+)\. ", (ROOT / "docs" / PAGE).read_text("utf-8"), re.MULTILINE)
    assert numbers == [str(n) for n in range(1, 11)]
    said = run(script_of(PAGE, without="python_docstrings"), tmp_path)
    assert (tmp_path / "my-project/out/example/report.html").is_file()
    assert (tmp_path / "my-project/tables/tables.json").is_file()
    assert "dedup.threshold" in said
    assert list((tmp_path / "my-project/for-sentence-transformers").iterdir())
