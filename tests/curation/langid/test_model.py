"""The bundled identifier: its features, its arithmetic, its training, and the file in the package."""

import unicodedata
from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.langid.codes import corpus_languages
from curation.langid.confidence import SHORT
from curation.langid.features import CHARACTERS, MOST, ORDERS, folding, hashed, read
from curation.langid.identity import BUNDLED
from curation.langid.interface import answer
from curation.langid.model import FEWEST, PRIOR, Bundled, Weights, load_weights
from curation.langid.scripts import NAMES, look
from open_ml_embed.core.errors import SettingsError, StageError
from tools.langid.card import coverage, write_card
from tools.langid.run import calibrated, load, train_model
from tools.langid.train import Recipe, fit

MASK = (1 << 20) - 1
WORD = 1 << 64
TEXT = st.text(st.characters(codec="utf-8"), max_size=40) | st.text("ab 'é\u0301\u4e00.\t9", max_size=30)


def slow_points(text: str) -> list[int]:
    """Read a text as `features.read` says it does, one character at a time."""
    points = [32]
    for char in text:
        folded = " "
        if char in "'\u2019\u02bc\u02bb\u2018`\u00b4":
            folded = "'"
        elif ord(char) >= 0x20000:
            folded = char
        elif unicodedata.category(char)[0] in "LM":
            folded = char.lower() if len(char.lower()) == 1 else char
        if len(points) >= CHARACTERS - 1:
            break
        if folded != " " or points[-1] != 32:
            points.append(ord(folded))
    return points if points[-1] == 32 else [*points, 32]


def slow_features(points: list[int]) -> list[int]:
    """Hash n-grams and words as written in the module, with Python's integers."""
    ids, golden, prime = [], 0x9E3779B97F4A7C15, 0x100000001B3
    word = 0
    for i, char in enumerate(points):
        if char == 32:
            if i and word:
                ids.append((((word * golden) % WORD) >> 29) & MASK)
            word = 0
        else:
            word = (word + char + 1) * prime % WORD
        key = 0xCBF29CE484222325
        for order, other in enumerate(points[i : i + ORDERS]):
            key = (key ^ other) * prime % WORD
            if order or other != 32:
                mixed = key * golden % WORD
                ids.append((mixed ^ (mixed >> 32)) & MASK)
            if order and other == 32:
                break
    return ids


def features(text: str) -> tuple[list[int], list[int]]:
    data = np.frombuffer(text.encode(), np.uint8)
    points, ids = np.empty(CHARACTERS, np.uint32), np.empty(MOST, np.int64)
    count = read(data, 0, len(data), folding(), points)
    return points[:count].tolist(), ids[: hashed(points, count, np.uint64(MASK), ids)].tolist()


@settings(deadline=None)  # the first call compiles
@given(TEXT)
def test_features_are_those_of_the_slow_way(text):
    points, ids = features(text)
    assert points == slow_points(text)
    assert ids == slow_features(points)


@pytest.mark.parametrize("text", ["x" * 5000, "ab " * 2000, "\u4e00" * 3000, "a b c d e f " * 500])
def test_long_texts_stay_within_their_buffers(text):
    points, ids = features(text)
    assert len(points) <= CHARACTERS
    assert len(ids) <= MOST
    assert ids == slow_features(points)


def random_weights(seed: int = 0) -> Weights:
    rng = np.random.default_rng(seed)
    return Weights(
        ("aaa-Latn", "bbb-Latn", "ccc-Cyrl"),
        rng.integers(-127, 127, (1 << 10, 8), np.int8),
        rng.random(8, np.float32) / 100,
        rng.normal(size=(3, 8)).astype(np.float16).astype(np.float32),
        rng.normal(size=3).astype(np.float32),
        np.zeros(3, np.float32),
    )


@settings(deadline=None)
@given(st.lists(TEXT, max_size=6))
def test_probabilities_are_those_of_numpy(texts):
    weights = random_weights()
    model = Bundled.of(weights)
    found, scores = model.best(pa.array(texts, pa.string()), 3)
    for row, text in enumerate(texts):
        ids = [i & (len(weights.embedding) - 1) for i in slow_features(slow_points(text))]
        if not ids:
            assert found[row].tolist() == [-1, -1, -1]
            assert scores[row].tolist() == [0, 0, 0]
            continue
        state = weights.embedding[ids].astype(np.float64).mean(axis=0) * weights.scale
        logits = weights.output @ state + weights.bias
        chance = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        np.testing.assert_allclose(scores[row], np.sort(chance)[::-1], rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(chance[found[row]], scores[row], rtol=1e-3, atol=1e-5)
        np.testing.assert_allclose(model.logits(pa.array([text]))[0], logits, rtol=1e-3, atol=1e-3)


def slow_state(weights: Weights, text: str) -> np.ndarray | None:
    ids = [i & (len(weights.embedding) - 1) for i in slow_features(slow_points(text))]
    return weights.embedding[ids].astype(np.float64).mean(axis=0) * weights.scale if ids else None


@settings(deadline=None)
@given(st.lists(st.text("abcßжш 漢ก-", max_size=20), max_size=6))
def test_labels_are_those_of_the_scripts_and_the_prior_counts_in_short_texts(texts):
    weights = replace(random_weights(), labels=("eng-Latn", "gsw-Latn", "rus-Cyrl"))
    model = Bundled.of(weights)
    scripts = look(pa.array(texts, pa.string()))
    found, scores = model.ranked(pa.array(texts, pa.string()), scripts, 3)
    corpus = corpus_languages()
    whole = sum(language.samples for language in corpus.values())
    prior = np.log(
        [corpus[code].samples / whole if code in corpus else FEWEST / whole for code in ("eng", "gsw", "rus")]
    )
    for row, text in enumerate(texts):
        latin = sum((char.isascii() and char.isalpha()) or char == "ß" for char in text)
        cyrillic = sum(char in "жш" for char in text)
        admitted = {NAMES[number] for number in scripts.admitted[row] if number >= 0}
        kept = np.array([name[4:] in admitted for name in weights.labels])
        state = slow_state(weights, text)
        if state is None or not kept.any():
            assert found[row].tolist() == [-1, -1, -1]
            continue
        letters = latin * ("Latn" in admitted) + cyrillic * ("Cyrl" in admitted)
        letters += sum(char == "漢" for char in text) * ("Hani" in admitted) + text.count("ก") * ("Thai" in admitted)
        if NAMES[scripts.admitted[row, 0]] in ("Hani", "Jpan"):
            letters *= 3
        weight = PRIOR * max(1 / letters - 1 / SHORT, 0)
        logits = np.where(kept, weights.output @ state + weights.bias + weight * prior, -np.inf)
        chance = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        there = int(kept.sum())
        np.testing.assert_allclose(scores[row, :there], np.sort(chance)[::-1][:there], rtol=1e-3, atol=1e-5)
        assert (found[row, there:] == -1).all()
        np.testing.assert_allclose(chance[found[row, :there]], scores[row, :there], rtol=1e-3, atol=1e-5)


def test_threads_and_slices_change_nothing():
    texts = pa.array([f"text {i} " + "wort" * (i % 7) for i in range(5000)])
    one, two = Bundled.of(random_weights()), Bundled.of(random_weights(), threads=2)
    for left, right in zip(one.best(texts, 2), two.best(texts, 2), strict=True):
        np.testing.assert_array_equal(left, right)
    np.testing.assert_array_equal(one.best(texts[4000:])[1], one.best(texts)[1][4000:])


def test_file_comes_back(tmp_path):
    weights = random_weights()
    weights.save(tmp_path / "a.lid")
    back = load_weights(tmp_path / "a.lid")
    assert back.labels == weights.labels
    for name in ("embedding", "scale", "output", "bias", "threshold"):
        np.testing.assert_array_equal(getattr(back, name), getattr(weights, name))


@pytest.mark.parametrize("content", [None, b"", b"no model at all"])
def test_file_that_is_no_model(tmp_path, content):
    path = tmp_path / "x.lid"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match="no language model"):
        load_weights(path)


SYLLABLES = {"aaa-Latn": "ka lo mi tu ", "bbb-Latn": "she dro ing wap ", "ccc-Cyrl": "да не лов ырк "}


def made_up(seed: int, each: int = 150) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for label, syllables in SYLLABLES.items():
        for _ in range(each):
            words = rng.choice(syllables.split(), (5, 2))
            texts.append(" ".join("".join(word) for word in words))
            labels.append(label)
    return texts, labels


def trained(recipe: Recipe) -> Weights:
    texts, labels = made_up(0)
    steps = fit(pa.array(texts), labels, recipe, blocks=4)
    losses = []
    while True:
        try:
            losses.append(next(steps)[1])
        except StopIteration as stop:
            assert losses[-1] < losses[0]
            return stop.value


SMALL = Recipe(rows=1 << 12, dims=8, draws=6000)


def test_training_learns_and_gives_the_same_bytes_again(tmp_path):
    weights = trained(SMALL)
    texts, labels = made_up(1)
    found, scores = Bundled.of(weights).best(pa.array(texts))
    assert np.mean([weights.labels[i] == label for i, label in zip(found[:, 0], labels, strict=True)]) > 0.97
    assert 0 <= scores.min() <= scores.max() <= 1
    weights.save(tmp_path / "a.lid")
    trained(SMALL).save(tmp_path / "b.lid")
    assert (tmp_path / "a.lid").read_bytes() == (tmp_path / "b.lid").read_bytes()


def test_temperature_and_thresholds_follow_held_out_texts():
    weights = trained(SMALL)
    texts, labels = made_up(1)
    # A third of one language's texts is said to be another's: no confidence makes that answer right often enough.
    wrong = ["bbb-Latn" if label == "aaa-Latn" and i % 3 == 0 else label for i, label in enumerate(labels)]
    cool = calibrated(weights, pl.DataFrame({"text": texts, "label": wrong}))
    by_label = dict(zip(cool.labels, cool.threshold.tolist(), strict=True))
    assert by_label["aaa-Latn"] > 0
    assert by_label["ccc-Cyrl"] == 0
    before, after = (Bundled.of(w).best(pa.array(texts))[1] for w in (weights, cool))
    assert np.mean(after) < np.mean(before)


def collected(folder, domains=("one", "two")):
    folder.mkdir()
    for number, domain in enumerate(domains):
        texts, labels = made_up(number, 300)
        split = ["test" if i % 5 == 0 else "train" for i in range(len(texts))]
        pl.DataFrame({"text": texts, "label": labels, "split": split}).write_parquet(folder / f"{domain}.parquet")
    lines = ["domain\tregistry\tpackage\tversion\tlicense\trows\tlanguages"]
    lines += [f"{domain}\tpip\tmade-up\t1\tCC0-1.0\t900\t3" for domain in domains]
    (folder / "sources.tsv").write_text("\n".join(lines) + "\n")
    return folder


def test_a_domain_left_out_of_training_is_all_for_testing(tmp_path):
    folder = collected(tmp_path / "texts")
    whole, without = load(folder), load(folder, without=["two"])
    assert set(whole.train["domain"]) == {"one", "two"}
    assert set(without.train["domain"]) == {"one"}
    assert without.test.filter(pl.col("domain") == "two").height == 900
    with pytest.raises(StageError, match="three"):
        load(folder, without=["three"])
    with pytest.raises(StageError, match=r"python -m tools\.langid collect"):
        load(tmp_path / "nothing")


def test_card_says_what_the_model_is(tmp_path):
    data = load(collected(tmp_path / "texts"))
    weights = train_model(data, SMALL)
    path = write_card(weights, data, SMALL, tmp_path / "texts/sources.tsv", tmp_path)
    card = path.read_text("utf-8")
    for words in ("made-up 1", "CC0-1.0", "Not answered under any", "| one | corpus |", "langid-reliability.svg"):
        assert words in card
    first = (tmp_path / "langid-reliability.svg").read_bytes()
    write_card(weights, data, SMALL, tmp_path / "texts/sources.tsv", tmp_path)
    assert (tmp_path / "langid-reliability.svg").read_bytes() == first


# One sentence each, of this project's own.
SENTENCES = {
    "deu": "Der Fährmann wartet, bis der letzte Koffer an Bord ist.",
    "fra": "Le facteur a oublié son vélo devant la boulangerie.",
    "est": "Vana tuulik seisab mäe otsas ja vaatab mere poole.",
    "swh": "Mvuvi alirudi nyumbani jioni akiwa na samaki wawili tu.",
    "ell": "Ο φάρος ανάβει κάθε βράδυ την ίδια ώρα.",
    "jpn": "灯台の明かりは毎晩同じ時刻にともる。",
    "rus": "Старый маяк зажигается каждый вечер в одно и то же время.",
    "vie": "Người đánh cá trở về nhà lúc trời vừa tối.",
}


def test_the_packaged_model():
    assert BUNDLED.stat().st_size <= 10_000_000
    model = Bundled()
    assert len(coverage(model.names)["any"]) >= 270
    found = answer(model, pa.array(list(SENTENCES.values())), "corpus")
    assert found["code"].to_pylist() == list(SENTENCES)
    assert min(found["confidence"].to_pylist()) > 0.5
    nothing = answer(model, pa.array(["", "12 34 !", None], pa.string()), "corpus")
    assert nothing["code"].to_pylist() == ["und"] * 3
    assert nothing["confidence"].to_pylist() == [0.0] * 3
    (alternatives,) = answer(model, pa.array([SENTENCES["est"]]), "individual", 3)["alternatives"].to_pylist()
    assert [len(alternatives), alternatives[0]["code"]] == [3, "ekk"]
