import hashlib
import logging
import os
import shutil
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from open_ml_embed.core.errors import FetchError, MissingToolError, TransientError
from sources import registry
from sources.fetch import FetchOptions, apt, fetch
from tests.support.offline import md5, paragraph

needs_apt = pytest.mark.skipif(
    not (shutil.which("apt-get") and shutil.which("dpkg-deb")), reason="apt-get or dpkg-deb is missing"
)
MEMBERS = {
    "usr/share/mediawiki/languages/i18n/en.json": '{"hello": "Hello world"}',
    "usr/share/mediawiki/languages/i18n/eo.json": '{"hello": "Saluton mondo"}',
    "usr/share/mediawiki/languages/i18n/exif/eo.json": '{"width": "Larĝo"}',
    "usr/share/mediawiki/languages/i18n/Odd Name.json": "{}",
    "usr/share/mediawiki/load.php": "<?php",
}


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small Debian archive on this disk, and an apt configuration that knows no other."""
    root = tmp_path / "archive"
    deb = _deb(tmp_path)
    pool = root / "pool/mediawiki_1.0_all.deb"
    pool.parent.mkdir(parents=True)
    shutil.copy(deb, pool)
    package = (
        f"Package: mediawiki\nVersion: 1.0\nArchitecture: all\nMaintainer: Nobody <n@example.org>\n"
        f"Description: wiki\nDescription-md5: {md5('mediawiki')}\nSection: web\n"
        f"Filename: pool/{pool.name}\nSize: {pool.stat().st_size}\n"
        f"SHA256: {hashlib.sha256(pool.read_bytes()).hexdigest()}\n"
    )
    files = {
        "main/i18n/Translation-en": paragraph("mediawiki", "en", "wiki\nA wiki for everybody."),
        "main/i18n/Translation-pt_BR": paragraph("mediawiki", "pt_BR", "wiki\nUma wiki para todos."),
        "main/i18n/Translation-ml": "",
    }
    arch = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    files[f"main/binary-{arch}/Packages"] = package
    _release(root, "toy", files, arch)
    _release(root, "toy-updates", {f"main/binary-{arch}/Packages": package.replace("1.0\n", "1.1\n", 1)}, arch)
    etc = tmp_path / "etc"
    for folder in ("apt.conf.d", "sources.list.d", "preferences.d", "trusted.gpg.d", "auth.conf.d"):
        (etc / folder).mkdir(parents=True)
    (etc / "apt.conf.d/no-languages").write_text('Acquire::Languages "none";\nAcquire::GzipIndexes "true";\n')
    (etc / "apt.conf.d/hook").write_text(f'APT::Update::Post-Invoke {{ "touch {tmp_path}/hook-ran"; }};\n')
    lines = [f"deb [trusted=yes] file:{root} {suite} main\n" for suite in ("toy", "toy-updates")]
    (etc / "sources.list").write_text("".join(lines))
    (tmp_path / "apt.conf").write_text(f'Dir::Etc "{etc}";\n')
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    return root


def _deb(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    for name, content in MEMBERS.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(content, "utf-8")
    (tree / "usr/share/mediawiki/languages/i18n/fr.json").symlink_to("/etc/passwd")
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        "Package: mediawiki\nVersion: 1.0\nArchitecture: all\nMaintainer: Nobody <n@example.org>\nDescription: wiki\n"
    )
    deb = tmp_path / "mediawiki.deb"
    subprocess.run(["dpkg-deb", "--build", "-Zgzip", str(tree), str(deb)], check=True, capture_output=True)
    return deb


def _release(root: Path, suite: str, files: dict[str, str], arch: str) -> None:
    lines = []
    for name, content in files.items():
        path = root / "dists" / suite / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
        lines.append(f" {hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_size:>16} {name}\n")
    (root / "dists" / suite / "Release").write_text(
        f"Origin: Debian\nLabel: Debian\nSuite: {suite}\nCodename: {suite}\nArchitectures: {arch} all\n"
        "Components: main\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n" + "".join(lines)
    )


@needs_apt
def test_indexes_arrive_whatever_the_machine_says_of_languages(archive, tmp_path):
    files = fetch(registry.load("debian_descriptions"), "pt_BR", FetchOptions(str(tmp_path / "raw")))
    assert [(file.table, file.name) for file in files] == [
        ("descriptions", "toy/main/i18n/Translation-pt_BR"),
        ("english", "toy/main/i18n/Translation-en"),
    ]
    for file in files:
        source = archive / "dists" / file.name
        assert Path(file.path).read_bytes() == source.read_bytes()
        assert file.identity == f"sha256:{hashlib.sha256(source.read_bytes()).hexdigest()}"
    assert not (tmp_path / "hook-ran").exists(), "the system's own update hooks are none of ours"


@needs_apt
def test_updates_of_a_suite_are_left_out(archive, tmp_path):
    files = fetch(registry.load("debian_sections"), "en", FetchOptions(str(tmp_path / "raw")))
    assert {file.name.split("/")[0] for file in files} == {"toy"}
    assert {file.table for file in files} == {"descriptions", "english", "packages"}


@needs_apt
def test_a_language_without_an_index_is_empty_and_said(archive, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        files = fetch(registry.load("debian_descriptions"), "da", FetchOptions(str(tmp_path / "raw")))
    assert [file.table for file in files] == ["english"]
    assert "debian_descriptions/da" in caplog.text


@needs_apt
def test_messages_of_a_package_come_as_one_tar_a_language(archive, tmp_path):
    options = FetchOptions(str(tmp_path / "raw"))
    files = fetch(registry.load("mediawiki_messages"), "eo", options)
    assert [file.name for file in files] == ["mediawiki/eo.tar", "mediawiki/en.tar"]
    with tarfile.open(files[0].path) as tar:
        assert tar.getnames() == [name for name in sorted(MEMBERS) if name.endswith("/eo.json")]
        assert {member.mtime for member in tar} == {0}
    tars = sorted(path.name for path in (tmp_path / "raw/apt/files/mediawiki").iterdir())
    assert tars == ["en.tar", "eo.tar"], "links and odd names stay out"


@needs_apt
def test_what_was_fetched_is_reused_offline_and_stays_as_it_was(archive, tmp_path, monkeypatch):
    options = FetchOptions(str(tmp_path / "raw"))
    first = fetch(registry.load("debian_descriptions"), "en", options)
    shutil.rmtree(archive)
    monkeypatch.setenv("PATH", "")
    again = fetch(registry.load("debian_descriptions"), "en", FetchOptions(options.raw_root, offline=True))
    assert again == first
    with pytest.raises(FetchError, match="never fetched"):
        fetch(registry.load("mediawiki_messages"), "eo", FetchOptions(options.raw_root, offline=True))


@needs_apt
def test_an_index_lost_on_the_way_is_worth_another_try(archive, tmp_path):
    (archive / "dists/toy/main/i18n/Translation-pt_BR").unlink()
    options = FetchOptions(str(tmp_path / "raw"))
    with pytest.raises(TransientError, match="pt_BR"):
        fetch(registry.load("debian_descriptions"), "en", options)
    assert not (tmp_path / "raw/apt/indexes.json").exists()


@needs_apt
def test_a_mirror_that_is_gone_is_worth_another_try(archive, tmp_path):
    shutil.rmtree(archive)
    with pytest.raises(TransientError, match="no mirror"):
        fetch(registry.load("debian_descriptions"), "en", FetchOptions(str(tmp_path / "raw")))


@needs_apt
def test_a_machine_without_a_debian_archive_lacks_the_source(archive, tmp_path):
    for path in archive.glob("dists/*/Release"):
        path.write_text(path.read_text().replace("Origin: Debian", "Origin: Elsewhere"))
    with pytest.raises(MissingToolError, match="no Debian archive"):
        fetch(registry.load("debian_descriptions"), "en", FetchOptions(str(tmp_path / "raw")))


@needs_apt
def test_a_damaged_package_is_worth_another_try_and_does_not_stay(archive, tmp_path, monkeypatch):
    broken = tmp_path / "broken_1.0_all.deb"
    broken.write_bytes(b"!<arch>\n")
    monkeypatch.setattr(apt, "downloaded", lambda _home, _package: broken)
    with pytest.raises(TransientError, match="damaged"):
        fetch(registry.load("mediawiki_messages"), "eo", FetchOptions(str(tmp_path / "raw")))
    assert not broken.exists()


def test_no_apt_is_a_missing_tool(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for source, subset in (("debian_descriptions", "en"), ("mediawiki_messages", "eo")):
        with pytest.raises(MissingToolError, match="apt-get is not installed"):
            fetch(registry.load(source), subset, FetchOptions(str(tmp_path / "raw")))


def test_the_update_is_made_once_for_all_who_ask(tmp_path, monkeypatch):
    runs = []

    def take(home: Path) -> dict[str, dict[str, str | int]]:
        runs.append(os.getpid())
        return {}

    monkeypatch.setattr(apt, "_take_indexes", take)
    options = FetchOptions(str(tmp_path))
    with ThreadPoolExecutor(4) as pool:
        list(
            pool.map(lambda code: fetch(registry.load("debian_descriptions"), code, options), ("de", "en", "fr", "it"))
        )
    assert len(runs) == 1
