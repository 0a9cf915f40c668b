"""The report's page: escaped, self-contained, deterministic, and there whatever has run."""

import base64
import csv
import hashlib
import re

import pytest

from curation.build import StepResult
from curation.pipeline.freshness import inputs_of, load, save_as_made
from curation.pipeline.run import run_step
from curation.report.data import collect
from open_ml_embed.core.errors import StageError
from tests.support.hostile import EVIL, Page, read
from tests.support.report_page import ReportPage


def test_every_text_is_escaped(whole):
    page = Page(read(whole))
    assert not {"img", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert page.tags.count("script") == 1, "our own"
    shown = "".join(page.text)
    titles = (f"Pairs {EVIL}", f"Nobody, {EVIL}")
    reasons = (f"npm is not installed {EVIL}", f"where {EVIL}")
    for place in (*titles, *reasons, f"file {EVIL}, record"):
        assert place in shown
    assert re.search(r"topic text \d+ " + re.escape(EVIL), shown)
    assert shown.count(EVIL) > 10


def test_nothing_is_loaded_from_anywhere(whole):
    text = read(whole)
    page = Page(text)
    assert page.targets
    assert all(target.startswith("#") or target == "data:," for target in page.targets)
    css = text[text.index("<style>") : text.index("</style>")]
    assert "@import" not in css
    assert "url(" not in css
    assert "default-src 'none'" in text
    script = text[text.index("<script>") + len("<script>") : text.index("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert not re.search(r"fetch|XMLHttp|import\(|src|eval|innerHTML", script)
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {f"#{name}" for name in page.ids}


def test_ids_are_unique_and_the_contents_lead_somewhere(whole):
    page = Page(read(whole))
    assert len(page.ids) == len(set(page.ids))
    assert {t[1:] for t in page.targets if t.startswith("#")} <= set(page.ids)


def test_equal_inputs_give_equal_bytes(whole):
    run_step(whole, "report")
    first = (whole.out / "report.html").read_bytes()
    run_step(whole, "report")
    assert (whole.out / "report.html").read_bytes() == first
    assert b"<dc:date>" not in first
    assert {file.path for file in load(whole, "report").files} == {"report.html", "contamination.html"}


@pytest.mark.parametrize("name", ["report.html", "contamination.html"])
def test_every_number_on_a_page_is_in_the_data_files(whole, tmp_path, name):
    run_step(whole, "report")
    page = ReportPage((whole.out / name).read_text("utf-8"))
    data = collect(whole, inputs_of(whole, "report"))
    data.write(tmp_path)
    files = {
        table: list(csv.DictReader((tmp_path / f"{table}.csv").read_text("utf-8").splitlines(keepends=True)))
        for table in data
    }
    shown = page.cells | {(table, int(row), column): text for (table, row, column), text in page.values.items()}
    assert len(shown) > (500 if name == "report.html" else 20)
    for (table, row, column), text in shown.items():
        assert agrees(text, files[table][row][column]), (table, row, column, text)
    for table, stated, counted_table, counted in page.shown:
        assert (table, int(stated.replace(",", ""))) == (counted_table, counted)
    # what stands between the tables has no figure of its own; names with digits are left out
    prose = re.sub(r"nDCG@10|arXiv \d{4}\.\d{5}|95 %|up to 12 %|the (100|10) largest", "", " ".join(page.prose))
    ranks = {row["rank"] for row in files["model"]}
    prose = re.sub(r"embedding rank (\d+)", lambda found: "" if found[1] in ranks else found[0], prose)
    assert re.findall(r"\d[\d.,]*", prose) == []


def agrees(text, value):
    """Tell whether a text of the page is a value of a CSV file, rounded as the page says."""
    text = text.strip()
    if text in (value.strip() or "–", {"true": "yes", "false": "no"}.get(value)):
        return True
    plain = text.replace(",", "").replace("−", "-")
    try:
        number, shown = float(value), float(plain.removesuffix(" %").removeprefix("< ").removeprefix("> "))
    except ValueError:
        return False
    if plain.endswith(" %"):
        between = {"<": 0 < number < 0.001, ">": 0.999 < number < 1}
        return between.get(plain[0], abs(shown / 100 - number) <= 0.0005 + 1e-9)
    digits = len(plain.partition(".")[2])
    points = plain[0] in "+-" and abs(shown / 100 - number) <= 0.0005 + 1e-9
    return points or abs(shown - number) <= 0.5 * 10**-digits + 1e-9


def test_the_numbers_of_charts_are_in_the_data(whole):
    data = collect(whole, inputs_of(whole, "report"))
    known = {f"{v:,}" for table in data.values() for row in table.rows for v in row.values() if isinstance(v, int)}
    labels = [re.fullmatch(r"([\d,]+) of ([\d,]+)", text) for text in ReportPage(read(whole)).charts]
    counted = [number for found in labels if found for number in found.groups()]
    assert len(counted) == 2 * (3 + 2), "sources of two mixes"
    assert set(counted) <= known


def test_the_style_of_other_charts_is_left_alone(whole):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    run_step(whole, "report")
    assert dict(mpl.rcParams) == before


def test_steps_that_have_not_run_leave_a_line(corpus):
    text = read(corpus)
    for step in ("identify", "dedup", "mine", "mix everything", "mix some"):
        assert f"step <code>{step}</code> has not run" in text
    assert "Not trained yet" in text
    assert "Example rows" in text


def test_a_skipped_source_is_named_with_its_reason(corpus):
    text = read(corpus)
    assert "Sources skipped" in text
    assert "<code>absent</code> Not here" in text
    result = load(corpus, "normalize")
    result.skipped = {}
    corpus.save(result)
    assert "Sources skipped" not in read(corpus)


def test_nothing_normalized_is_an_error_with_a_remedy(workshop):
    with pytest.raises(StageError, match="normalize"):
        run_step(workshop.build(), "report")


@pytest.mark.parametrize("step", ["identify", "dedup", "mine", "mix-some"])
def test_a_step_made_from_other_rows_is_refused(whole, step):
    run_step(whole, "report")
    result = load(whole, step)
    result.made_from["rows"] = "another identity"
    whole.save(result)
    with pytest.raises(StageError, match="other rows") as caught:
        run_step(whole, "report")
    assert f"curate {step.replace('-', ' ')}" in caught.value.remedy


def test_a_source_without_rows_is_in_the_report(corpus):
    result = load(corpus, "normalize")
    result.stats["sources"]["absent"] = {"rows": 0, "filtered": {}, "quarantined": {"empty-query": 7}}
    result.skipped = {}
    corpus.save(result)
    cells = ReportPage(read(corpus)).cells
    (row,) = {
        row for (table, row, column), text in cells.items() if (table, column, text) == ("sources", "source", "absent")
    }
    assert cells["sources", row, "records"] == cells["sources", row, "quarantined"] == "7"
    assert cells["sources", row, "title"] == "Not here"


def test_a_build_without_any_row_has_a_report(workshop):
    workshop.manifest("pairs", ["all"])
    build = workshop.build()
    workshop.fetched(build, ["pairs"])
    none = {"rows": 0, "filtered": {}, "quarantined": {}}
    save_as_made(build, StepResult("normalize", stats={"sources": {"pairs": none}}))
    assert "What is in the corpus" in read(build)
