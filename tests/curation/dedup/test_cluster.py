"""Clusters of texts in memory: against brute force, against long chains, and against inputs made to hurt."""

import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.dedup import cluster, signatures
from curation.dedup.exact import ALL_PAIRS, NEIGHBORS, fold, least_agreement, merge, run_pairs
from curation.dedup.joining import ShingleSets, join
from curation.dedup.settings import DedupSettings
from curation.dedup.step.ranks import ranked
from curation.settings import load_profile
from open_ml_embed.core.errors import SettingsError

SURE = DedupSettings(bands=64)
"""Two values a band: a pair at the threshold is missed with probability 10⁻²⁹."""


def shingles(text: str, k: int = 5) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[i : i + k]) for i in range(len(words) - k + 1)}


def similarity(a: str, b: str) -> float:
    if " ".join(a.lower().split()) == " ".join(b.lower().split()):
        return 1.0
    x, y = shingles(a), shingles(b)
    return len(x & y) / len(x | y) if x and y else 0.0


words = st.sampled_from(["one", "two", "three", "Four", "five", "six", "seven"])
texts = st.lists(words, min_size=0, max_size=30).map(" ".join)


@st.composite
def relatives(draw) -> list[str]:
    """Up to as many texts as are all compared, some of them edits of others."""
    found = draw(st.lists(texts, min_size=1, max_size=4))
    for _ in range(draw(st.integers(0, ALL_PAIRS - 4))):
        parts = draw(st.sampled_from(found)).split()
        if parts and draw(st.booleans()):
            parts[draw(st.integers(0, len(parts) - 1))] = draw(words)
        found.append(" ".join(parts) + draw(st.sampled_from(["", " ", " seven"])))
    return found


@given(relatives())
@settings(max_examples=150, deadline=None)
def test_whoever_goes_resembles_the_row_that_stays_and_no_two_that_stay_resemble_each_other(found):
    table = cluster(found, SURE).to_pydict()
    kept = [row for row, keep in zip(table["row"], table["keep"], strict=True) if keep]
    assert table["row"] == list(range(len(found)))
    for row, (home, reason) in enumerate(zip(table["cluster"], table["reason"], strict=True)):
        assert home in kept
        assert (home == row) == (reason is None)
        assert similarity(found[row], found[home]) >= SURE.threshold
        assert home <= row
        same = " ".join(found[row].lower().split()) in {" ".join(t.lower().split()) for t in found[:row]}
        assert (reason == "exact-duplicate") == same
    for i in kept:
        assert not any(j < i and similarity(found[i], found[j]) >= SURE.threshold for j in kept)


def test_a_chain_is_cut_at_the_row_that_stays():
    """Each text lost its first word and gained a last one: neighbors are near, the ends share nothing."""
    line = [f"w{i}" for i in range(140)]
    chain = [" ".join(line[i : i + 60]) for i in range(80)]
    table = cluster(chain, SURE).to_pydict()
    step = next(i for i in range(80) if similarity(chain[0], chain[i]) < SURE.threshold)
    assert 1 < step < 10
    assert [row for row, keep in enumerate(table["keep"]) if keep] == list(range(0, 80, step))
    assert table["cluster"] == [row - row % step for row in range(80)]


def test_one_component_of_a_chain_is_counted_once():
    sets = [np.arange(i, i + 20, dtype=np.uint32) for i in range(4)]
    pairs = np.array([(i << 32) | (i + 1) for i in range(3)], np.uint64)
    found = join(
        pairs,
        ShingleSets(np.arange(4, dtype=np.uint32), np.concatenate(sets), np.arange(4) * 20, np.full(4, 20)),
        0.85,
    )
    assert found.component.tolist() == [0, 0, 0, 0]
    assert found.keeper.tolist() == [0, 0, 2, 2]
    chains = (found.keeper == found.ranks).sum() - (found.component == found.ranks).sum()
    assert (found.verified, chains) == (3, 1)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40), st.randoms())
@settings(max_examples=100, deadline=None)
def test_folding_keeps_the_lowest_rank_of_equal_hashes_all_64_bits_counting(values, rng):
    # Hashes that differ in their lowest bit only share every bit that fits beside a rank.
    exact = np.array([(value << 58) | low for value, low in values], np.uint64)
    ranks = np.array(rng.sample(range(len(values)), len(values)), np.uint32)
    leaders = fold(exact, ranks)
    for row, rank in enumerate(ranks):
        assert leaders[rank] == min(ranks[other] for other in range(len(values)) if exact[other] == exact[row])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 3)), max_size=50))
@settings(max_examples=100, deadline=None)
def test_ranks_are_by_priority_then_id_then_place(rows):
    high, low = (np.array([r[i] for r in rows], np.uint64) for i in (1, 2))
    rank, row = ranked(high, low, np.array([r[0] for r in rows], np.int64))
    assert row.tolist() == sorted(range(len(rows)), key=lambda i: (rows[i], i))
    assert rank[row].tolist() == list(range(len(rows)))


def pairs_of_run(size: int, same: bool) -> np.ndarray:
    sketch = np.zeros((size, 2), np.uint64)
    if not same:
        sketch = np.random.default_rng(0).integers(0, 2**64, (size, 2), np.uint64)
    everyone = np.arange(size, dtype=np.uint32)
    return run_pairs(np.ones(size, np.uint32), everyone, everyone, sketch, least_agreement(128, 0.8))


def test_short_runs_are_compared_in_full():
    assert len(pairs_of_run(ALL_PAIRS, same=True)) == ALL_PAIRS * (ALL_PAIRS - 1) // 2


def test_a_band_that_a_million_rows_share_stays_linear():
    assert len(pairs_of_run(1_000_000, same=True)) <= (NEIGHBORS + 1) * 1_000_000
    assert len(pairs_of_run(1_000_000, same=False)) < 10


def test_pairs_of_several_bands_are_merged_once_each():
    assert merge(np.array([1, 3, 5], np.uint64), np.array([1, 2, 5], np.uint64)).tolist() == [1, 2, 3, 5]


def test_a_million_identical_rows():
    table = cluster(pa.array(["the very same sentence about nothing"] * 1_000_000))
    assert table["keep"].to_numpy().sum() == 1
    assert table["cluster"].to_numpy().max() == 0


def test_a_million_rows_of_one_character():
    table = cluster(pa.array(["a", "b", "-", ""] * 250_000))
    assert np.flatnonzero(table["keep"].to_numpy()).tolist() == [0, 1, 2, 3]


def test_rows_that_repeat_one_word_have_one_shingle_between_them():
    """Sets of shingles are sets: any number of repetitions is one shingle, a Jaccard index of 1."""
    table = cluster(["spam " * n for n in range(1, 200)]).to_pydict()
    assert [row for row, keep in enumerate(table["keep"]) if keep] == [0, 1, 2, 3, 4]


def test_a_row_of_fifty_megabytes_finds_its_copy():
    rng = np.random.default_rng(1)
    lines = rng.integers(0, 30_000, (90_000, 90))
    huge = "\n".join(" ".join(map("w{}".format, line)) for line in lines.tolist())
    assert len(huge) > 45_000_000
    table = cluster(["a short text among long ones, kept", huge, huge + " and a last word"]).to_pydict()
    assert table["cluster"] == [0, 1, 1]
    assert table["reason"] == [None, None, "near-duplicate"]


@pytest.mark.parametrize("mark", ["!?…", "+-*/", "🙂🙃", "、。"])
def test_texts_without_a_word_match_exactly_or_not_at_all(mark):
    table = cluster([mark, mark * 2, f" {mark} ", mark * 2]).to_pydict()
    assert table["cluster"] == [0, 1, 0, 1]


def test_bytes_that_are_no_text_are_refused_in_words():
    raw = [b"a broken \xed\xa0\x80 surrogate in six words", b"\xff\xfe", b"\xf0\x9f", b"a text that is whole and well"]
    offsets = np.cumsum([0, *map(len, raw * 2)]).astype(np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(raw * 2))]
    with pytest.raises(SettingsError, match="damaged: Invalid UTF8"):
        cluster(pa.Array.from_buffers(pa.string(), 8, buffers))


@pytest.mark.parametrize(
    "text",
    [
        "وقد يكون هذا النص طويلا بما يكفي لكي تكون له بصمة من الكلمات المتتابعة فيه كلها هنا",
        "יש כאן משפט ארוך מספיק כדי שתהיה לו חתימה של מילים עוקבות אחת אחרי השנייה עד הסוף שלו",
        "नमस्ते यह एक लम्बा वाक्य है जिसमें इतने शब्द हैं कि उसका हस्ताक्षर बन सके और अन्त तक चलता रहे",
        "這個句子沒有空格但是它的長度足夠讓每五個字成為一個片段所以可以比較它們是否相近而不必分詞",
        "ประโยคนี้ไม่มีช่องว่างแต่ยาวพอที่จะมีลายเซ็นของตัวอักษรที่ต่อเนื่องกันและเปรียบเทียบได้",
    ],
)
def test_every_script_has_near_duplicates(text):
    table = cluster([text, text + ".", f"  {text} و", text[::-1]], SURE).to_pydict()
    assert table["cluster"] == [0, 0, 0, 3]


def test_slices_and_chunks_of_an_array_read_as_their_texts():
    found = [f"text number {i} of a few that are all different enough" for i in range(6)]
    chunked = pa.chunked_array([pa.array(["x", *found[:3]]).slice(1), pa.array(found[3:])])
    for a, b in zip(signatures(chunked), signatures(found), strict=True):
        assert (a == b).all()
    assert cluster(chunked).equals(cluster(found))


def test_nothing_in_nothing_out():
    assert cluster([]).num_rows == 0


def test_clusters_do_not_depend_on_how_many_texts_are_signed_at_once(monkeypatch):
    rng = random.Random(3)
    base = [" ".join(f"w{rng.randrange(300)}" for _ in range(30)) for _ in range(200)]
    found = base + [f"{text} more" for text in base[::2]]
    whole = cluster(found)
    monkeypatch.setattr("curation.dedup.api.AT_ONCE", 7)
    assert cluster(found).equals(whole)


@pytest.mark.parametrize("permutations", [64, 128])
def test_a_band_has_one_value_at_least(tmp_path, permutations):
    rng = random.Random(7)
    found = [" ".join(f"w{rng.randrange(300)}" for _ in range(30)) for _ in range(20)]
    most = DedupSettings(num_perm=permutations, bands=permutations)
    assert cluster([*found, found[3] + " end"], most)["cluster"].to_pylist() == [*range(20), 3]
    path = tmp_path / "params.yaml"
    path.write_text(f"sample: {{dedup: {{num_perm: {permutations}, bands: {permutations + 1}}}}}")
    with pytest.raises(SettingsError, match=rf"bands \({permutations + 1}\) above num_perm \({permutations}\)"):
        load_profile(path, "sample")
