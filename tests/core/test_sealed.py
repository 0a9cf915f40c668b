"""A record that is not what was written is never believed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from open_ml_embed.core import json_text
from open_ml_embed.core.hashing import FileHashes, hash_file
from open_ml_embed.core.sealed import DamagedRecordError, read_record, read_sealed, seal, unseal

RECORD = {"key": "k", "files": [{"rows": 3, "path": "a/b"}], "digest of it": {"digest": "0" * 32}, "text": 'ü\n "x"'}


def test_a_record_comes_back_and_equal_records_give_equal_bytes():
    assert unseal(seal(RECORD, "a"), "a") == RECORD
    assert seal(dict(reversed(RECORD.items())), "a") == seal(RECORD, "a")
    assert json.loads(seal(RECORD, "a"))["text"] == RECORD["text"]


@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_is_seen(bit):
    data = seal(RECORD, "a")
    for at in range(len(data)):
        damaged = data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
        with pytest.raises(DamagedRecordError):
            unseal(damaged, "a")


def test_a_record_in_the_place_of_another_is_no_record():
    assert seal(RECORD, "a") != seal(RECORD, "b")
    with pytest.raises(DamagedRecordError, match="another one's"):
        unseal(seal(RECORD, "a"), "b")


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_no_record(data):
    with pytest.raises(DamagedRecordError):
        unseal(data, "a")


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{}", b'{"key": 3}', b"[" * 100_000, b"\xff"])
def test_json_without_a_digest_is_refused_with_file_and_remedy(tmp_path, data):
    (tmp_path / "r.json").write_bytes(data)
    with pytest.raises(DamagedRecordError) as caught:
        read_sealed(tmp_path / "r.json", remedy="run it again")
    assert (caught.value.where, caught.value.remedy) == (str(tmp_path / "r.json"), "run it again")


def test_a_record_of_another_program_may_lack_the_digest_and_may_not_contradict_it(tmp_path):
    path = tmp_path / "r.json"
    assert read_record(path) is None
    path.write_text('{"queries": 3}')
    assert read_record(path) == {"queries": 3}
    path.write_bytes(seal({"queries": 3}, path.name).replace(b"3", b"4", 1))
    with pytest.raises(DamagedRecordError):
        read_record(path)


def test_json_that_is_nested_too_deeply_is_no_json(tmp_path):
    """Python raises another error than for other text that is no JSON, which ended commands in a traceback."""
    deep = "[" * 100_000
    with pytest.raises(ValueError, match="nested too deeply"):
        json_text.loads(deep)
    (tmp_path / "hashes.json").write_text(deep)
    (tmp_path / "x").write_text("x")
    assert FileHashes(tmp_path / "hashes.json").of(tmp_path / "x") == hash_file(tmp_path / "x")
