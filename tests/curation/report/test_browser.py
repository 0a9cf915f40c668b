"""The report in a browser: at every width, in both themes, in print, and by keyboard."""

import base64

import pytest

from curation.pipeline.run import run_step
from tests.support.browser import AUDIT, AXE, CHROMIUM, WIDE, opened
from tests.support.hostile import make_corpus, run_every_step
from tests.support.workshop import Workshop

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the path, as Debian packages it")
PAGES = ("report.html", "contamination.html")
A4 = 1047
"""Width of a landscape A4 page within its margins, in CSS pixels."""


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder with the pages of a whole build, hostile texts among them."""
    root = tmp_path_factory.mktemp("browser")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CORPUS_MANIFESTS", str(root / "manifests"))
        build = make_corpus(Workshop(root))
        run_every_step(build)
        run_step(build, "report")
    return build.out


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("chromium") / "profile") as page:
        yield page


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200, 2000])
def test_it_fits_is_quiet_and_is_readable(out, page, name, width, scheme):
    page.events.clear()
    page.open(out / name, width, scheme=scheme)
    assert page.run("() => matchMedia('(prefers-color-scheme: dark)').matches") is (scheme == "dark")
    page.run("() => { for (const d of document.querySelectorAll('details')) d.open = true; }")
    assert page.run(WIDE) == []
    assert page.run(AUDIT) == []
    assert page.complaints() == []


@pytest.fixture
def bad(tmp_path):
    """A page with one fault of each kind, so that an audit without findings means something."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!doctype html><html lang=en><title>t</title><main><h1>a</h1><h3>b</h3><p style='color:#aaa'>pale</p>"
        "<button></button><table><tr><th>x</th></tr></table><i id=q></i><i id=q></i><nav></nav>"
        "<div style='width:3000px;height:1px'></div></main><script>console.log('said')</script>"
    )
    return bad


def test_the_audit_finds_what_is_wrong(page, bad):
    page.events.clear()
    page.open(bad, 1200)
    kinds = {kind.split(" 2")[0] for kind, _ in page.run(AUDIT)}
    assert kinds == {"contrast", "no name", "no scope", "id twice", "heading skips a level"}
    assert page.run(WIDE)[0] == ["page", 3008]
    assert len(page.complaints()) == 1


needs_axe = pytest.mark.skipif(AXE is None, reason="AXE_CORE names no axe.min.js; see CONTRIBUTING.md")


@needs_axe
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200, 2000])
def test_axe_finds_nothing_wrong(out, page, name, width, scheme):
    page.open(out / name, width, scheme=scheme)
    page.run("() => { for (const d of document.querySelectorAll('details')) d.open = true; }")
    assert page.axe() == []


@needs_axe
def test_axe_finds_what_is_wrong(page, bad):
    page.open(bad, 1200)
    assert {"button-name", "color-contrast"} <= {rule for rule, *_ in page.axe()}


@pytest.mark.parametrize("name", PAGES)
def test_print_has_everything(out, page, name):
    page.open(out / name, A4, scheme="dark", media="print")
    page.run("() => { dispatchEvent(new Event('beforeprint')); }")
    assert page.run(WIDE) == []
    cut = """() => [...document.querySelectorAll("td, th")].filter((e) => e.scrollWidth > e.clientWidth + 2).length"""
    hidden = """() => [...document.querySelectorAll("tr, .card, summary")].filter((e) => !e.checkVisibility()).length"""
    assert page.run(cut) == 0
    assert page.run(hidden) == 0
    assert page.run("() => getComputedStyle(document.querySelector('nav')).display") == "none"
    page.run("() => { dispatchEvent(new Event('afterprint')); }")
    page.open(out / name, 1200, media="")
    assert base64.b64decode(page.pdf()).startswith(b"%PDF")


HEAD = "document.querySelector('table[data-table=funnel] th"
ROWS = """() => [...document.querySelector("table[data-table=funnel] tbody").rows].map(
  (row) => row.cells[0].textContent)"""


def test_tables_are_sorted_by_keyboard(out, page):
    page.open(out / "report.html")
    first = page.run(ROWS)
    page.run(f"() => {HEAD}[data-column=source] button').focus()")
    page.press("Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    assert page.run(ROWS) == sorted(first)
    assert page.run(f"() => {HEAD}[data-column=source]').ariaSort") == "ascending"
    page.run(f"() => {HEAD}[data-column=records] button').click()")
    records = """() => [...document.querySelector("table[data-table=funnel] tbody").rows].map(
      (row) => +row.cells[1].textContent.replace(/,/g, ""))"""
    assert page.run(records) == sorted(page.run(records), reverse=True)
    page.run(f"() => {HEAD}[data-column=records] button').click()")
    assert page.run(records) == sorted(page.run(records))


def test_the_first_key_leads_to_the_content(out, page):
    page.open(out / "report.html")
    page.press("Tab", code="Tab", windowsVirtualKeyCode=9)
    assert page.run("() => document.activeElement.textContent") == "Skip to the content"


def test_long_tables_are_searched(out, page):
    page.open(out / "report.html")
    typed = """() => {
      const table = document.querySelector("table[data-table=settings]");
      const input = table.parentElement.previousElementSibling.querySelector("input");
      input.value = "MINING.num_neg"; input.dispatchEvent(new Event("input"));
      return [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[0].textContent);
    }"""
    assert page.run(typed) == ["mining.num_negatives", "mining.num_negatives_classification"]


def test_examples_are_browsed_by_source_language_and_verdict(out, page):
    page.open(out / "report.html")
    choose = """() => {
      const [source, language, verdict] = document.querySelectorAll("#browser select");
      const shown = (card) => !card.hidden && !card.closest(".examples").hidden;
      const seen = () => [...document.querySelectorAll(".examples .card")].filter(shown);
      const every = seen().length;
      verdict.value = "near-duplicate"; verdict.dispatchEvent(new Event("change"));
      const near = seen().map((card) => card.closest(".examples").dataset.source);
      source.value = "code"; verdict.value = ""; source.dispatchEvent(new Event("change"));
      const code = [...new Set(seen().map((card) => card.dataset.language))];
      source.value = ""; source.dispatchEvent(new Event("change"));
      return [every, near, code, seen().length, document.querySelectorAll(".examples .card").length];
    }"""
    every, near, code, again, cards = page.run(choose)
    assert every == again == cards > 10
    assert set(near) == {"pairs"}
    assert sorted(code) == ["eng", "objective-c"]
