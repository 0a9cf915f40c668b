"""What chromium needs to show a report: size, CPU seconds of opening, scrolling, unfolding; and pictures of it.

    .venv/bin/python -m benchmarks.rehearsal --fraction 0.001 --keep
    .venv/bin/python -m benchmarks.report_page work/rehearsal/0.001/out/rehearsal/report.html --pictures docs

The first command builds all 121 sources. Times are CPU seconds of the page's main thread, which parses, runs the
script, computes styles and lays out; so they do not depend on what else the machine does. Fails if the page has 5 MB or
more, or takes a second or more to be opened at 390 px.
"""

from __future__ import annotations

import argparse
import base64
import statistics
import tempfile
from pathlib import Path

from tests.support.browser import Page, opened

MOST_BYTES, MOST_SECONDS = 5_000_000, 1.0
WIDTHS = (390, 1200, 2000)
PARTS = {"TaskDuration": "all", "LayoutDuration": "layout", "RecalcStyleDuration": "styles", "ScriptDuration": "script"}
"""Metric of the DevTools protocol → its name here."""
FRAME = "new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))"
ACTIONS = {
    "scroll to the end": """async () => {
        for (let top = -1; top !== scrollY; ) {
          top = scrollY; scrollBy({top: innerHeight, behavior: "instant"}); await FRAME;
        }
    }""",
    "rows of one language": """async () => {
        const select = document.querySelectorAll("#browser select")[1];
        select.value = "eng"; select.dispatchEvent(new Event("change"));
        select.scrollIntoView({behavior: "instant"}); await FRAME;
    }""",
    "unfold everything": """async () => {
        for (const details of document.querySelectorAll("details")) details.open = true; await FRAME;
    }""",
}
PICTURES = {
    "report-funnel.png": ("#funnel", 5),
    "report-languages.png": ("#languages", 5),
    "report-rings.png": ("#kalm", 4),
    "report-duplicates.png": ("#duplicates", 6),
}
"""File → heading of the section, and how many of its elements stand in the picture."""
FRAMED = """() => {
    const section = document.querySelector("HEADING").parentElement;
    for (const each of document.querySelectorAll("section")) each.style.contentVisibility = "visible";
    [...section.children].slice(COUNT).forEach((rest) => { rest.style.display = "none"; });
    const {x, y, width, height} = section.getBoundingClientRect();
    return {x: x + scrollX - 8, y: y + scrollY - 8, width: width + 16, height: height + 16};
}"""


def metrics(page: Page) -> dict[str, float]:
    """Return the CPU seconds of the main thread so far, by part."""
    found = {metric["name"]: metric["value"] for metric in page.send("Performance.getMetrics")["metrics"]}
    return {name: found[metric] for metric, name in PARTS.items()}


def measured(page: Page, action: str) -> dict[str, float]:
    """Run a function of the page and return the CPU seconds that it took."""
    before = metrics(page)
    page.run(action.replace("FRAME", FRAME))
    return {name: value - before[name] for name, value in metrics(page).items()}


def opening(page: Page, path: Path, empty: Path, width: int) -> dict[str, float]:
    """Open the page and return the CPU seconds until its first frame stands."""
    page.open(empty, width)
    before = metrics(page)
    page.open(path, width)
    page.run(f"() => {FRAME}")
    return {name: value - before[name] for name, value in metrics(page).items()}


TOP = {"x": 0, "y": 0, "width": 1240, "height": 900}
"""What stands in the README's picture, in CSS pixels."""


def draw(page: Page, path: Path, folder: Path) -> None:
    """Write the pictures of the docs."""
    page.open(path, 1240)
    _shoot(page, TOP, folder / "report.png")
    for name, (heading, count) in PICTURES.items():
        page.open(path, 1240)
        _shoot(page, page.run(FRAMED.replace("HEADING", heading).replace("COUNT", str(count))), folder / name)


def _shoot(page: Page, clip: dict[str, float], to: Path) -> None:
    shot = page.send("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip | {"scale": 1})
    to.write_bytes(base64.b64decode(shot["data"]))
    print(f"{to}: {clip['width']:.0f} × {clip['height']:.0f}")


def main() -> None:
    """Measure a page, and draw it if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--pictures", type=Path, help="write the pictures of README.md and docs/report.md here")
    chosen = parser.parse_args()
    size = chosen.page.stat().st_size
    print(f"{size / 1e6:.1f} MB; CPU seconds of the main thread, medians of {chosen.times}")
    slowest = 0.0
    # chromium may still write to its profile when it is killed
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, opened(Path(folder) / "profile") as page:
        empty = Path(folder) / "empty.html"
        empty.write_text("<!doctype html><title>empty</title>")
        page.send("Performance.enable", timeDomain="threadTicks")
        for width in WIDTHS:
            found: dict[str, list[dict[str, float]]] = {}
            for _ in range(chosen.times):
                found.setdefault("open", []).append(opening(page, chosen.page, empty, width))
                for name, action in ACTIONS.items():
                    found.setdefault(name, []).append(measured(page, action))
            for name, times in found.items():
                median = {part: statistics.median(time[part] for time in times) for part in PARTS.values()}
                print(f"{width:>5} px  {name:<22}" + "".join(f"{part} {s:.2f}  " for part, s in median.items()))
                if (width, name) == (WIDTHS[0], "open"):
                    slowest = median["all"]
        if chosen.pictures:
            draw(page, chosen.page, chosen.pictures)
    assert size < MOST_BYTES, f"{size:,} bytes"
    assert slowest < MOST_SECONDS, f"{slowest:.2f} s"


if __name__ == "__main__":
    main()
