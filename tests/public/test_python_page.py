"""The page on the Python interface is one session: every example of it is run, in a new project."""

import doctest

import pytest
import yaml

from curation.pipeline.new_project import write_project
from tests.support.printed import ROOT, blocks

PAGE = "docs/python.md"
NAMES = (
    *("identify", "find_duplicates", "find_contamination", "mine_hard_negatives", "Build.from_params", "build.plan"),
    *("build.run", "build.mix", "mix.export", "build.statistics", "report", "sources.load", "sources.draft"),
    *("TrainConfig.from_params", "Trainer", "trainer.fit", "load_model"),
)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_session_of_the_page_gives_what_it_shows(tmp_path, monkeypatch):
    on_page = [block for block in blocks() if block.page == PAGE]
    (settings,) = [block.text for block in on_page if block.language == "yaml"]
    write_project(tmp_path)
    assert yaml.safe_load(settings)["example"].keys() >= {"sources", "mixes", "train"}
    (tmp_path / "params.yaml").write_text(settings)
    monkeypatch.chdir(tmp_path)
    lines: list[str] = []  # the page with nothing but its examples, so that the numbers of lines are the page's
    for block in on_page:
        if block.language == "python":
            lines += [""] * (block.line - 1 - len(lines)) + block.text.splitlines() + [""]
    text = "\n".join(lines)
    missing = [name for name in NAMES if f"{name}(" not in text]
    assert missing == []
    session = doctest.DocTestParser().get_doctest(text, {}, PAGE, str(ROOT / PAGE), 0)
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(session, out=said.append)
    assert runner.failures == 0, "".join(said)
    assert runner.tries > 20
