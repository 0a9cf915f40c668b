"""Files for others' programs: containers, citation, issue forms, workflows; each is checked by a linter or a schema."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.support import ROOT
from tools.release_notes import notes

BIN = Path(sys.executable).parent
SCHEMAS = {
    "vendor.github-workflows": sorted((ROOT / ".github/workflows").glob("*.yml")),
    "vendor.github-issue-forms": [ROOT / ".github/ISSUE_TEMPLATE" / name for name in ("bug.yml", "source.yml")],
    "vendor.github-issue-config": [ROOT / ".github/ISSUE_TEMPLATE/config.yml"],
    "vendor.citation-file-format": [ROOT / "CITATION.cff"],
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def ran(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_have_the_form_that_others_read(schema):
    assert ran(BIN / "check-jsonschema", "--builtin-schema", schema, *SCHEMAS[schema])[0] == 0


def test_the_images_are_built_as_a_linter_wants_it():
    dockerfile = ROOT / "containers/Dockerfile"
    code, said = ran(BIN / "hadolint", "--config", ROOT / "containers/hadolint.yaml", dockerfile)
    assert (code, said) == (0, "")
    stages = [line.split()[-1] for line in dockerfile.read_text("utf-8").splitlines() if line.startswith("FROM ")]
    opened = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text("utf-8"))["build"]
    assert {"cpu", "cuda", opened["target"]} <= set(stages)
    assert (ROOT / ".devcontainer" / opened["dockerfile"]).resolve() == dockerfile


def test_what_is_ignored_is_not_what_an_image_needs():
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert {".git", ".venv", "work", "out"} <= set(ignored)
    assert not set(ignored) & {path.name for path in ROOT.iterdir() if path.name in ("curation", "sources", "train")}


def test_the_citation_is_of_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert (cited["version"], cited["license"]) == (PROJECT["version"], PROJECT["license"])


def test_notes_of_a_release_are_those_of_the_changelog(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## Unreleased\n\n## 0.2.0 (2027-01-01)\n\n- More.\n\n## 0.1.0\n\n- All.\n"
    )
    assert notes("v0.2.0", tmp_path) == "- More.\n"
    with pytest.raises(SystemExit, match=r"v0\.2\.1 is not v0\.2\.0"):
        notes("v0.2.1", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n- More.\n")
    with pytest.raises(SystemExit, match=r"no section `## 0\.2\.0`"):
        notes("v0.2.0", tmp_path)


def test_the_documentation_is_built_without_a_warning(tmp_path):
    """Every page is in the navigation, every link and anchor leads somewhere, and nothing is loaded from elsewhere."""
    code, said = ran(BIN / "python", "-m", "mkdocs", "build", "--strict", "-f", ROOT / "mkdocs.yml", "-d", tmp_path)
    assert code == 0, said
    pages = list(tmp_path.glob("*.html"))
    assert {"index.html", "first-day.html", "settings.html", "CONTRIBUTING.html"} <= {page.name for page in pages}
    for page in pages:
        loaded = [part.split('"')[0] for part in page.read_text("utf-8").split(' src="')[1:]]
        assert not [address for address in loaded if address.startswith(("http:", "https:", "//"))], page.name
