"""Language identification through its one function, with each backend."""

import fasttext
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.langid import IDENTIFIED_SCHEMA, identify
from curation.langid.codes import usual_members
from curation.langid.scripts import scripts_of
from curation.langid.settings import LanguageSettings
from curation.langid.step.verdicts import agree
from open_ml_embed.core.errors import SettingsError

TEXTS = {
    "eng": "The quick brown fox jumps over the lazy dog near the river bank",
    "est": "Salvesta lehekülg ja mine tagasi avalehele, palun oota natuke",
    "rus": "Сохраните страницу и вернитесь на главную страницу сайта",
    "jpn": "このページを保存してメインページに戻ってください",
    "heb": "שמור את הדף וחזור לדף הראשי של האתר",
}


def test_default_backend_needs_nothing():
    found = identify(pa.array(list(TEXTS.values())))
    assert found.schema == IDENTIFIED_SCHEMA
    assert found["code"].to_pylist() == list(TEXTS)
    assert found["script"].to_pylist() == ["Latn", "Latn", "Cyrl", "Jpan", "Hebr"]
    assert min(found["confidence"].to_pylist()) > 0.5


@given(st.lists(st.text(max_size=60), max_size=8))
def test_any_text_gets_an_answer(texts):
    found = identify(pa.array(texts, pa.string()))
    assert found.num_rows == len(texts)
    pairs = zip(found["code"].to_pylist(), found["script"].to_pylist(), strict=True)
    assert all(script == "Code" or (len(code) == 3 and len(script) == 4) for code, script in pairs)
    assert all(0 <= c <= 1 for c in found["confidence"].to_pylist())


def test_code_comes_first_and_prose_around_it_keeps_its_language():
    texts = [
        "def area(r):\n    return 3.14159 * r * r\n\nprint(area(2))",
        "Siin on näide, mis arvutab ringi pindala:\n```python\nprint(3.14159 * 2 * 2)\n```\nSee trükib arvu.",
        "```rust\nfn main() {}\n```",
        "12, 34.5 — 67 %\n89",
        "https://example.org/a/b?c=1",
    ]
    found = identify(pa.array(texts))
    assert found["code"].to_pylist() == ["python", "est", "rust", "zxx", "zxx"]
    assert found["script"].to_pylist() == ["Code", "Latn", "Code", "Zxxx", "Zxxx"]
    plain = identify(pa.array(texts[:1]), LanguageSettings(content=False))
    assert plain["script"].to_pylist() == ["Latn"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    lines = [f"__label__{label} {text}" for label, text in [("eng_Latn", TEXTS["eng"]), ("est_Latn", TEXTS["est"])]]
    (folder / "train.txt").write_text("\n".join(lines * 200), "utf-8")
    trained = fasttext.train_supervised(str(folder / "train.txt"), dim=8, epoch=20, minn=2, maxn=4, verbose=0, thread=1)
    trained.save_model(str(folder / "tiny.bin"))
    return folder / "tiny.bin"


def test_fasttext_backend(model):
    settings = LanguageSettings(backend="fasttext", model=str(model))
    found = identify(pa.array([TEXTS["est"], "the lazy dog\njumps", ""]), settings)
    assert found["code"].to_pylist()[:2] == ["est", "eng"]


def test_fasttext_without_a_usable_model_says_so(tmp_path):
    (tmp_path / "broken.bin").write_bytes(b"not a model")
    for path, says in (
        (None, "needs a model"),
        ("nowhere.bin", "no such model"),
        (tmp_path / "broken.bin", "not a fast"),
    ):
        settings = LanguageSettings(backend="fasttext", model=str(path) if path else None)
        with pytest.raises(SettingsError, match=says):
            identify(pa.array(["text"]), settings)


@pytest.mark.parametrize(
    ("text", "script"),
    [("漢字", "Hani"), ("漢字です", "Jpan"), ("한국어 漢字", "Kore"), ("123 !?", "Zyyy"), ("", "Zyyy"), ("𠀀", "Hani"),
     ("ελληνικά and a", "Grek"), ("ქართული", "Geor")],
)  # fmt: skip
def test_scripts(text, script):
    assert scripts_of(pa.array([text])).to_pylist() == [script]


def test_agreement_folds_macrolanguages_and_nothing_else():
    assert all(agree(macro, member) and agree(member, macro) for macro, member in usual_members().items())
    assert not agree("yue", "cmn")
    assert not agree("arz", "arb")
    assert not agree("srp", "hrv")
