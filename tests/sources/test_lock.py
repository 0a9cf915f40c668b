"""The lock: a rebuild reads the commits that were locked, and nothing that differs from them."""

import shutil
from urllib.parse import quote

import pytest

from open_ml_embed.core.errors import FetchError, SettingsError, TransientError
from sources.fetch import FetchOptions, fetch, hub
from sources.fetch.hub import resolve
from sources.lock import Lock, Locked, read_lock, write_lock
from tests.support.hub.server import Failure, serving
from tests.support.hub_set import PLAIN, manifest, options


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "PAUSE_S", 0.01)
    monkeypatch.setattr(hub, "_listings", {})
    with serving(tmp_path / "hub") as running:
        for number in range(3):
            running.add("org/set", f"data/train-{number:02d}.jsonl", PLAIN * (number + 1))
        yield running


def move_on(server, repo="org/set"):
    """Change a file upstream; the commit before stays reachable, as on the Hub."""
    commit = server.commit(repo, "main")
    shutil.copytree(server.root / repo / "main", server.root / repo / quote(commit, safe=""))
    server.add(repo, "data/train-01.jsonl", PLAIN * 9)
    hub._listings.clear()


def test_locked_commit_is_read_when_the_branch_has_moved_on(server, tmp_path):
    lock = Lock(resolve(manifest(), options(server, tmp_path)))
    before = fetch(manifest(), "en", options(server, tmp_path, lock=lock))
    move_on(server)
    assert fetch(manifest(), "en", options(server, tmp_path, lock=lock)) == before
    moved = fetch(manifest(), "en", options(server, tmp_path))
    assert [f.identity for f in moved] != [f.identity for f in before]


def test_locked_commit_is_read_on_another_machine(server, tmp_path):
    lock = Lock(resolve(manifest(), options(server, tmp_path)))
    move_on(server)
    elsewhere = FetchOptions(str(tmp_path / "elsewhere"), endpoint=server.endpoint, lock=lock)
    files = fetch(manifest(), "en", elsewhere)
    assert {f.name: (f.size, f.identity) for f in files} == lock.find("org/set", "main").files


def test_a_locked_commit_that_is_gone_has_a_remedy_of_its_own(server, tmp_path):
    lock = Lock(resolve(manifest(), options(server, tmp_path)))
    server.add("org/set", "data/train-01.jsonl", PLAIN * 9)
    hub._listings.clear()
    with pytest.raises(FetchError, match="has this commit no more") as caught:
        fetch(manifest(), "en", options(server, tmp_path, lock=lock))
    assert "curate lock" in caught.value.remedy


def test_a_file_renamed_upstream_is_still_there_under_the_lock(server, tmp_path):
    lock = Lock(resolve(manifest(), options(server, tmp_path)))
    move_on(server)
    (server.root / "org/set/main/data/train-00.jsonl").rename(server.root / "org/set/main/data/part-00.jsonl")
    hub._listings.clear()
    assert len(fetch(manifest(), "en", options(server, tmp_path, lock=lock))) == 3
    with pytest.raises(FetchError, match=r"no file matches data/train-00\.jsonl") as caught:
        fetch(manifest(["data/train-00.jsonl"]), "en", options(server, tmp_path))
    assert "data/part-00.jsonl" in caught.value.remedy


def test_all_subsets_and_tables_are_locked_without_a_download(server, tmp_path):
    server.add("org/other", "x.jsonl", PLAIN)
    source = manifest().model_dump()
    source["tables"] = {
        "records": source["tables"]["records"] | {"files": ["data/train-0{subset}.jsonl"]},
        "more": source["tables"]["records"] | {"files": ["*.jsonl"], "repo": "org/other"},
    }
    source["subsets"] = {"0": {"query_lang": "eng-Latn"}, "2": {"query_lang": "eng-Latn"}}
    found = resolve(type(manifest()).model_validate(source), options(server, tmp_path))
    assert {revision: sorted(locked.files) for revision, locked in found.items()} == {
        ("org/set", "main"): ["data/train-00.jsonl", "data/train-02.jsonl"],
        ("org/other", "main"): ["x.jsonl"],
    }
    assert not server.requests("/resolve/")


def test_the_mirror_is_locked_where_the_origin_is_gone(server, tmp_path):
    source = manifest(repo="org/gone", mirrors=["org/set"])
    found = resolve(source, options(server, tmp_path))
    assert list(found) == [("org/set", "main")]
    assert fetch(source, "en", options(server, tmp_path, lock=Lock(found)))


@pytest.fixture
def mirrored(server):
    """A source with a mirror, whose files are the same by name and not by content."""
    for number in range(3):
        server.add("org/copy", f"data/train-{number:02d}.jsonl", PLAIN * (number + 5))
    return manifest(mirrors=["org/copy"])


def vanish(server, repo="org/set"):
    shutil.rmtree(server.root / repo)
    hub._listings.clear()


def test_mirrors_are_locked_too_each_to_its_commit(server, tmp_path, mirrored):
    found = resolve(mirrored, options(server, tmp_path))
    assert {revision: locked.commit for revision, locked in found.items()} == {
        (repo, "main"): server.commit(repo, "main") for repo in ("org/set", "org/copy")
    }
    assert len(found["org/copy", "main"].files) == 3


def test_a_locked_mirror_steps_in_for_an_origin_that_vanishes_later(server, tmp_path, mirrored):
    lock = Lock(resolve(mirrored, options(server, tmp_path)))
    assert all("/org/set/" in f.path for f in fetch(mirrored, "en", options(server, tmp_path, lock=lock)))
    move_on(server, "org/copy")
    vanish(server)
    files = fetch(mirrored, "en", options(server, tmp_path, lock=lock))
    assert all("/org/copy/" in file.path for file in files)
    assert {f.name: (f.size, f.identity) for f in files} == lock.find("org/copy", "main").files


def test_a_mirror_that_is_not_as_it_was_locked_does_not_step_in(server, tmp_path, mirrored):
    lock = Lock(resolve(mirrored, options(server, tmp_path)))
    server.add("org/copy", "data/train-01.jsonl", PLAIN * 9)
    vanish(server)
    with pytest.raises(
        FetchError, match=r"no such repository.*mirror org/copy: the repository has this commit no more"
    ):
        fetch(mirrored, "en", options(server, tmp_path, lock=lock))


def test_an_old_lock_without_the_mirror_does_not_let_it_in(server, tmp_path, mirrored):
    lock = Lock(resolve(manifest(), options(server, tmp_path)))
    vanish(server)
    with pytest.raises(FetchError, match=r"no such repository.*mirror org/copy: not in the lock"):
        fetch(mirrored, "en", options(server, tmp_path, lock=lock))


@pytest.mark.parametrize("status", [None, 503])
def test_a_mirror_that_does_not_answer_is_left_out_of_the_lock_and_named(server, tmp_path, mirrored, status):
    if status is None:
        vanish(server, "org/copy")
    else:
        server.failures.append(Failure("/org/copy/", status, times=999))
    unlocked = {}
    found = resolve(mirrored, options(server, tmp_path), unlocked)
    assert list(found) == [("org/set", "main")]
    assert list(unlocked) == [("org/copy", "main")]


def test_an_origin_that_only_rests_is_not_replaced_by_its_mirror_in_the_lock(server, tmp_path, mirrored):
    server.failures.append(Failure("/org/set/", 503, times=999))
    with pytest.raises(TransientError, match="503"):
        resolve(mirrored, options(server, tmp_path))


def test_when_no_mirror_can_be_locked_either_all_are_named(server, tmp_path, mirrored):
    vanish(server)
    vanish(server, "org/copy")
    with pytest.raises(FetchError, match=r"no such repository.*mirror org/copy: no such repository"):
        resolve(mirrored, options(server, tmp_path))


def test_a_folder_may_agree_with_the_mirror_where_the_origin_could_not_be_locked(server, tmp_path, mirrored):
    vanish(server)
    lock = Lock(resolve(mirrored, options(server, tmp_path)))
    shutil.copytree(server.root / "org/copy/main", tmp_path / "copy/org/set")
    local = options(server, tmp_path, lock=lock, local_root=str(tmp_path / "copy"))
    assert len(fetch(mirrored, "en", local)) == 3
    (tmp_path / "copy/org/set/data/train-02.jsonl").write_bytes(b"{}\n")
    with pytest.raises(FetchError, match="is not what was locked"):
        fetch(mirrored, "en", local)


def test_what_is_not_locked_is_refused(server, tmp_path):
    with pytest.raises(FetchError, match="not in the lock") as caught:
        fetch(manifest(), "en", options(server, tmp_path, lock=Lock()))
    assert "curate lock" in caught.value.remedy


def test_a_folder_has_to_agree_with_the_lock(server, tmp_path):
    lock = Lock(resolve(manifest(), options(server, tmp_path)))
    shutil.copytree(server.root / "org/set/main", tmp_path / "copy/org/set")
    local = options(server, tmp_path, lock=lock, local_root=str(tmp_path / "copy"))
    assert len(fetch(manifest(), "en", local)) == 3
    path = tmp_path / "copy/org/set/data/train-02.jsonl"
    path.write_bytes(path.read_bytes().replace(b"x", b"y"))
    with pytest.raises(FetchError, match=r"train-02\.jsonl is not what was locked"):
        fetch(manifest(), "en", local)


def test_a_server_that_gives_other_files_for_a_commit_is_found_out(server, tmp_path):
    true = resolve(manifest(), options(server, tmp_path))["org/set", "main"]
    size, _ = true.files["data/train-01.jsonl"]
    forged = Locked(true.commit, {**true.files, "data/train-01.jsonl": (size, "git:" + "0" * 40)})
    with pytest.raises(FetchError, match="is not what was locked"):
        fetch(manifest(), "en", options(server, tmp_path, lock=Lock({("org/set", "main"): forged})))


def test_lock_file_comes_back_as_it_was_written(tmp_path):
    revisions = {
        ("o/b", "main"): Locked("1" * 40, {"b c.jsonl": (3, "git:" + "a" * 40), "a": (0, "sha256:" + "b" * 64)}),
        ("o/a", "refs/convert/parquet"): Locked("2" * 40, {}),
    }
    path = tmp_path / "lock.json"
    write_lock(path, revisions)
    lock = read_lock(path)
    assert lock is not None
    assert dict(lock.revisions) == revisions
    first = path.read_bytes()
    write_lock(path, dict(reversed(lock.revisions.items())))
    assert path.read_bytes() == first
    assert read_lock(tmp_path / "none.json") is None


@pytest.mark.parametrize("text", ["", "[]", '{"version": 99}', '{"version": 1, "repositories": [{"repo": "a/b"}]}'])
def test_damaged_lock_file(tmp_path, text):
    (tmp_path / "lock.json").write_text(text)
    with pytest.raises(SettingsError, match="not a lock file"):
        read_lock(tmp_path / "lock.json")
