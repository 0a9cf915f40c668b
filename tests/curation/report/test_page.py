"""The report's page: escaped, self-contained, deterministic, and there whatever has run."""

import base64
import csv
import hashlib
import json
import re
from collections import Counter

import pytest

from curation.build import StepResult
from curation.pipeline.freshness import inputs_of, load, save_as_made
from curation.pipeline.run import run_step
from curation.report import charts
from curation.report.data import FORMS, collect, read_folder
from open_ml_embed.core.errors import StageError
from tests.support import project
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


@pytest.fixture(scope="module")
def projects(tmp_path_factory):
    """A build of a project by commands, with evaluation sets and damaged texts, which `whole` does not have."""
    root = project.make(tmp_path_factory.mktemp("pages"), rows=60)
    with (root / "raw/pairs/part-0.jsonl").open("a") as file:
        file.write(
            json.dumps({"q": "what is <b>bold</b> &amp; plain", "d": "<p>a text with tags &nbsp; in it</p>"}) + "\n"
        )
    for step in (*project.STEPS, ("report",)):
        project.run(root, *step)
    project.run(root, "report", "--data", str(root / "data"))
    return root


PAGES = ("report.html", "contamination.html")


@pytest.mark.parametrize("name", PAGES)
def test_every_number_on_a_page_is_in_the_data_files(whole, tmp_path, name):
    run_step(whole, "report")
    collect(whole, inputs_of(whole, "report")).write(tmp_path)
    page = ReportPage((whole.out / name).read_text("utf-8"))
    assert check_numbers(page, tmp_path) > (500 if name == "report.html" else 20)


@pytest.mark.parametrize("name", PAGES)
def test_so_is_every_number_of_evaluation_sets_and_text_quality(projects, name):
    page = ReportPage((projects / "out/tiny" / name).read_text("utf-8"))
    assert check_numbers(page, projects / "data") > (500 if name == "report.html" else 20)


def test_every_table_is_shown(whole, projects, tmp_path):
    """A table without rows in both builds shows nothing: each that has rows in neither is named here.

    `mix_filters` is looked at by tests/curation/mixing/test_recipe_filters.py.
    """
    run_step(whole, "report")
    collect(whole, inputs_of(whole, "report")).write(tmp_path)
    in_cards = {"examples", "example_verdicts", "example_negatives", "near_duplicates", "overlap_examples"}
    in_charts = {"length_histogram", "scores"}
    filled = set()
    for folder, out in ((tmp_path, whole.out), (projects / "data", projects / "out/tiny")):
        page = ReportPage((out / "report.html").read_text("utf-8"))
        shown = {table for table, *_ in (*page.cells, *page.values)}
        rows = {name: len(table) for name, table in read_folder(folder).items()}
        assert {name for name in rows if rows[name]} <= shown | in_cards | in_charts | {"skipped"}
        filled |= {name for name in rows if rows[name]}
    assert set(FORMS) - filled == {"token_lengths", "distrusted", "mix_filters"} - filled


def check_numbers(page, folder):
    """Check all numbers of a page against the files of its tables; return how many cells and values it has."""
    files = {
        path.stem: list(csv.DictReader(path.read_text("utf-8").splitlines(keepends=True)))
        for path in folder.glob("*.csv")
    }
    shown = page.cells | {(table, int(row), column): text for (table, row, column), text in page.values.items()}
    for (table, row, column), text in shown.items():
        assert agrees(text, files[table][row][column]), (table, row, column, text)
    for table, stated, counted_table, counted in page.shown:
        assert (table, int(stated.replace(",", ""))) == (counted_table, counted)
    # what stands between the tables has no figure of its own; names with digits are left out
    prose = re.sub(r"nDCG@10|arXiv \d{4}\.\d{5}|95 %|up to 12 %|the (100|10) largest", "", " ".join(page.prose))
    ranks = {row["rank"] for row in files["model"]}
    prose = re.sub(r"embedding rank (\d+)", lambda found: "" if found[1] in ranks else found[0], prose)
    assert re.findall(r"\d[\d.,]*", prose) == []
    check_cards(page, files)
    return len(shown)


def check_cards(page, files):
    """Check that a number of an example, but for the texts of the data, is one of its own rows."""
    pairs = {}
    for row in files["near_duplicates"]:
        pairs.setdefault(row["pair"], []).append(row)
    waiting = list(pairs.values())
    for attributes, parts in page.cards:
        text = " ".join(parts)
        if "pair" in attributes["class"].split():
            rows = waiting.pop(0)
        elif "data-language" in attributes:
            of_row = [files[name] for name in ("examples", "example_negatives", "example_verdicts")]
            rows = [row for table in of_row for row in table if row["row_id"] in text]
        else:
            rows = [row for row in files["overlap_examples"] if row["row_id"] in text and row["evaluation_id"] in text]
        assert rows
        values = sorted({value for row in rows for value in row.values()}, key=len, reverse=True)
        for value in values:
            if value and not is_number(value):
                text = text.replace(value, " ")
        for number in re.findall(r"\d[\d.,]*\d|\d", text):
            assert any(is_number(value) and agrees(number, value) for value in values), (number, text)
    assert waiting == [] or not any("pair" in attributes["class"].split() for attributes, _ in page.cards)


def is_number(text):
    return re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", text) is not None


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
    drawn = ReportPage(read(whole)).charts
    labels = [re.fullmatch(r"([\d,]+) of ([\d,]+)", text) for texts in drawn.values() for text in texts]
    counted = [number for found in labels if found for number in found.groups()]
    assert len(counted) == 2 * (3 + 2), "sources of two mixes"
    assert set(counted) <= known
    assert {f"{row['rows']:,}" for row in data["tasks"].rows} <= set(drawn["Rows of each task"])


def test_a_heat_map_has_the_counts_of_its_pairs_and_one_order_where_both_axes_have_the_same_names():
    counts = {("a", "a"): 950, ("b", "b"): 30, ("b", "a"): 2, ("a", "c"): 12_000, ("c", "b"): 4, ("d", "a"): 1}
    rows = [{"line": line, "column": column, "rows": n} for (line, column), n in counts.items()]
    svg = charts.heat_map("test", rows, "line", "column", "rows", ("one", "other"), 3)
    (texts,) = ReportPage(str(svg) + "</svg>").charts.values()
    numbers = Counter(text for text in texts if re.fullmatch(r"[\d.]+k?", text))
    assert numbers == Counter(["950", "30", "2", "12k", "4"]), "the three largest lines; d is left out"
    names = [text for text in texts if text in ("a", "b", "c", "d")]
    assert names == ["a", "b", "c"] * 2


def test_scores_are_charted_by_the_number_of_rows_and_a_far_one_does_not_squeeze_the_axis():
    def bins(source, side, counts):
        return [{"source": source, "side": side, "at_least": i, "below": i + 1, "texts": n} for i, n in counts]

    rows = [*bins("few", "positive", [(0, 5)]), *bins("many", "positive", [(3, 99), (900, 1)]),
            *bins("many", "negative", [(2, 50)]), *bins("unscored", "negative", [(1, 5)])]  # fmt: skip
    (texts,) = ReportPage(str(charts.score_chart(rows)) + "</svg>").charts.values()
    assert [text for text in texts if text in ("few", "many", "unscored")] == ["many", "few"]
    ticks = [float(text) for text in texts if re.fullmatch(r"\d+(\.\d+)?", text)]
    assert 3 <= max(ticks) <= 5


def test_the_style_of_other_charts_is_left_alone(whole):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    run_step(whole, "report")
    assert dict(mpl.rcParams) == before


def test_steps_that_have_not_run_leave_a_line(corpus):
    text = read(corpus)
    for step in ("identify", "measure", "dedup", "mine", "mix everything", "mix some"):
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


@pytest.mark.parametrize("step", ["identify", "measure", "dedup", "mine", "mix-some"])
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
