"""docs/python-api.md is what the docstrings say now."""

import open_ml_embed as ome
from tools.api_reference import PAGE, page


def test_the_page_is_current():
    assert PAGE.read_text("utf-8") == page(), "run `python -m tools.api_reference`"


def test_the_page_has_every_public_name_with_its_arguments():
    text = page()
    for name in ome.__all__:
        assert name == "__version__" or f"### {name}\n" in text
    assert "- `threshold`: of the Jaccard index, above 0, at most 1.\n" in text
    assert "    relative_margin: float | None = 0.05,\n" in text
    assert "def run(until: str | None = None, *, quiet: bool = False) -> BuildRun: ...\n" in text
