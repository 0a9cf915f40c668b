"""The experiments whose results are in docs/experiments.md, run by `train3d experiment` in its small preset.

    .venv/bin/python -m benchmarks.experiments mel-robustness nesting    # what is finished is kept
    .venv/bin/python -m benchmarks.experiments --docs                    # writes what is finished into docs/

Options after `--` go to `train3d experiment`, such as `-- --mix main=FOLDER`.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from train.experiments import plan, report

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "experiments.md"
SECTION = re.compile(r"^(?=### )", re.MULTILINE)
NAMED = re.compile(r"^`train3d experiment ([\w-]+)`$", re.MULTILINE)
MARKS = ("<!-- experiments -->\n", "<!-- /experiments -->\n")


def section(results: Path, name: str) -> str:
    """Return the section of an experiment for the page, and copy its picture beside the page."""
    result = json.loads((results / f"{name}-small.json").read_text("utf-8"))
    picture = f"experiment-{name}.svg"
    shutil.copyfile(results / f"{name}-small.svg", PAGE.parent / picture)
    command = f"`train3d experiment {name}`"
    title = f"### {result['title']}\n\n{result['question']}\n\n"
    return f"{title}{report.markdown(result)}\n![{result['title']}]({picture})\n\n{command}\n"


def write_docs(results: Path) -> None:
    """Write the sections of the finished experiments between the marks of the page; others stay as they are."""
    before, _, rest = PAGE.read_text("utf-8").partition(MARKS[0])
    written, _, after = rest.partition(MARKS[1])
    there = {found[1]: part for part in SECTION.split(written) if (found := NAMED.search(part))}
    made = {name: section(results, name) for name in plan.names() if (results / f"{name}-small.json").is_file()}
    both = there | made
    text = "\n".join(f"{both[name].rstrip()}\n" for name in plan.names() if name in both)
    PAGE.write_text(f"{before}{MARKS[0]}{text}{MARKS[1]}{after}", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="experiments to run")
    parser.add_argument("--results", type=Path, default=ROOT / "out" / "experiments")
    parser.add_argument("--docs", action="store_true", help="write what is finished into docs/")
    own, further = sys.argv[1:], []
    if "--" in own:
        own, further = own[: own.index("--")], own[own.index("--") + 1 :]
    options = parser.parse_args(own)
    for name in options.names:
        command = [sys.executable, "-m", "train.cli", "experiment", name, "--to", str(options.results), *further]
        subprocess.run(command, check=True)
    if options.docs:
        write_docs(options.results)


if __name__ == "__main__":
    main()
