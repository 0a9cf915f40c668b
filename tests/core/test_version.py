"""The commit of the code is that of its own repository, or unknown."""

import shutil
import subprocess
import sys
from pathlib import Path

from open_ml_embed.core import version

SCRIPT = "from open_ml_embed.core.version import code_commit; print(code_commit())"


def git(folder, *arguments):
    name = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = subprocess.run(["git", "-C", folder, *name, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(root):
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=root, env={"PYTHONPATH": str(root)}, capture_output=True,
                          text=True, check=True)  # fmt: skip
    return done.stdout.strip()


def test_the_commit_is_that_of_the_code(tmp_path):
    package = tmp_path / "open_ml_embed"
    (package / "core").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "core" / "__init__.py").touch()
    shutil.copy(Path(version.__file__), package / "core")
    (tmp_path / ".gitignore").write_text("__pycache__/\n")
    assert commit(tmp_path) == "None", "in no repository"
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "another project, into which the package is installed")
    assert commit(tmp_path) == "None", "the repository does not have the code"
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "all")
    git(tmp_path, "tag", "v1")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit(tmp_path) == head
    (package / "__init__.py").write_text("changed = True\n")
    assert commit(tmp_path) == f"{head}-dirty"
