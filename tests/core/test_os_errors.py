"""What the system refuses ends in words, with the path, the free space and what to do."""

import errno
import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from open_ml_embed.core.errors import StageError
from open_ml_embed.core.files import whole_file, whole_folder
from open_ml_embed.core.lock import locked, waiting
from open_ml_embed.core.os_errors import SystemRefusedError, explained, in_words, naming
from open_ml_embed.core.scratch import scratch_folder
from open_ml_embed.core.store import Store


@pytest.mark.parametrize(
    ("number", "says", "remedy"),
    [
        (errno.ENOSPC, "no room to write", "make room"),
        (errno.EDQUOT, "GB are free", "make room"),
        (errno.EROFS, "can only be read", "mount it for writing"),
        (errno.EACCES, "may not do that", "give this user the right"),
        (errno.EMFILE, "too many files are open", "ulimit -n"),
        (errno.ENOLCK, "no locks", "file system with locks"),
        (errno.EISDIR, "something else stands there", "move it away"),
        (errno.EEXIST, "something else stands there", "move it away"),
        (errno.ENAMETOOLONG, "too long", "shorter names"),
        (errno.EIO, "the disk does not answer", "curate verify --deep"),
        (errno.ENOENT, "no such file", "curate fetch"),
        (errno.ENOMEM, "memory", "workers"),
    ],
)
def test_each_kind_has_its_words(tmp_path, number, says, remedy):
    path = tmp_path / "deep" / "x"
    with pytest.raises(SystemRefusedError) as caught, in_words():
        raise OSError(number, os.strerror(number), str(path))
    assert says in caught.value.what
    assert remedy in caught.value.remedy
    assert caught.value.where == str(path)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_arrow_puts_the_number_into_its_text():
    ours = explained(OSError("[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device"))
    assert ours is not None
    assert "no room to write" in ours.what


@pytest.mark.parametrize(
    "error", [OSError("something"), ConnectionResetError(104, "reset"), BrokenPipeError(32, "pipe")]
)
def test_what_is_no_matter_of_files_is_not_explained_away(error):
    with pytest.raises(type(error)), in_words():
        raise error


def test_memory_that_is_short_is_said():
    with pytest.raises(StageError, match="memory"), in_words():
        raise MemoryError


def test_a_path_is_added_where_the_system_names_none():
    with pytest.raises(OSError, match="here/x") as caught, naming("here/x"):
        raise OSError(errno.ENOSPC, "no")
    assert caught.value.filename == "here/x"


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_write_that_fails_leaves_what_was_there_and_nothing_half(tmp_path, monkeypatch):
    store, target = Store(str(tmp_path)), tmp_path / "folder"
    store.write_bytes("a", b"old")
    with whole_folder(target) as filled:
        (filled / "f").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", full)
    for write in (
        lambda: store.write_bytes("a", b"new"),
        lambda: _whole_file(tmp_path / "a"),
        lambda: _whole_folder(target),
    ):
        with pytest.raises(SystemRefusedError, match="no room") as caught, in_words():
            write()
        assert caught.value.where.startswith(str(tmp_path))
    assert (tmp_path / "a").read_bytes() == (target / "f").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "folder"]


def _whole_file(path: Path) -> None:
    with whole_file(path) as temporary:
        temporary.write_bytes(b"new")


def _whole_folder(path: Path) -> None:
    with whole_folder(path) as folder:
        (folder / "f").write_bytes(b"new")


def test_a_lock_is_held_by_one_and_a_file_system_without_locks_is_said(tmp_path, monkeypatch):
    with (
        locked(tmp_path, what="busy", remedy="wait"),
        pytest.raises(StageError, match="busy"),
        locked(tmp_path, what="busy", remedy="wait"),
    ):
        pass
    with waiting(tmp_path / "sub" / "lock"):
        pass

    def without(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", without)
    with pytest.raises(SystemRefusedError, match="no locks") as caught, locked(tmp_path, what="busy", remedy="wait"):
        pass
    assert caught.value.where == str(tmp_path / ".lock")


def test_a_folder_in_the_place_of_the_lock_is_said(tmp_path):
    (tmp_path / ".lock").mkdir()
    with pytest.raises(SystemRefusedError, match="something else stands there"), locked(tmp_path, what="b", remedy="w"):
        pass


def test_too_many_open_files_end_in_words(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, before[1]))
    try:
        with pytest.raises(SystemRefusedError, match="may open 64"), in_words():
            _open_all(tmp_path / "x", opened)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for file in opened:
            file.close()


def _open_all(path: Path, opened: list) -> None:
    while True:
        opened.append(path.open("w"))


def test_what_a_killed_process_left_in_the_temporary_folder_is_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    program = (
        "import os, signal; from open_ml_embed.core.scratch import make_scratch_folder as make; "
        "print(make('spool'), flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    left = Path(done.stdout.strip())
    assert left.is_dir()
    with scratch_folder("spool") as folder:
        assert not left.exists()
        (folder / "x").write_text("x")
    assert list(tmp_path.iterdir()) == []
