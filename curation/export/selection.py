"""Which samples of a mix are exported, in which order, and why the others are not: from their metadata alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.export.options import Options, Split
from curation.mixing.files import MixFiles
from curation.mixing.licenses import permitted
from curation.mixing.shares import quotas_of
from open_ml_embed.core.array_types import I64, Array, Mask
from open_ml_embed.core.errors import SettingsError, UnknownNameError
from open_ml_embed.core.ragged import offsets_of
from open_ml_embed.core.splitmix import mixed
from sources.languages import LanguageCodeError, tag_of
from sources.manifest import License

FAMILIES = ("retrieval", "clustering", "classification")
LicenseOf = Callable[[str], License]
"""Returns a source's license; raises `UnknownNameError` where there is no such source."""
_COLUMNS = ["source", "subset", "family", "language", "positive_language", "negative_ids"]


@dataclass(frozen=True)
class Selection:
    """The samples to export.

    Attributes:
        split: whose samples they are.
        total: samples of the split.
        rows: int64[n], their numbers within the split's files, in the order to write.
        family: int8[n], their families, as numbers in `FAMILIES`.
        left_out: reason → samples; with n they add up to `total`.
        repeated: how many of the n have fewer negatives than they get, so that some are there twice.
        sources: source → samples of it among the n.
        pools: source and subset, of every pool that has samples in the split.
        pool: int32[n], their pools, as numbers in `pools`.

    """

    split: Split
    total: int
    rows: I64
    family: Array
    left_out: dict[str, int]
    repeated: int
    sources: dict[str, int]
    pools: list[tuple[str, str]]
    pool: Array

    def of(self, family: str) -> I64:
        """Return the rows of one family, in the order to write."""
        chosen: I64 = self.rows[self.in_family(family)]
        return chosen

    def in_family(self, family: str) -> Mask:
        """Tell which rows are of a family, bool[n]."""
        found: Mask = self.family == FAMILIES.index(family)
        return found

    @property
    def families(self) -> dict[str, int]:
        """Family → samples, those that there are, in the order of `FAMILIES`."""
        counts = np.bincount(self.family, minlength=len(FAMILIES))
        return {name: int(count) for name, count in zip(FAMILIES, counts, strict=True) if count}


def select(
    mix: MixFiles,
    options: Options,
    *,
    split: Split,
    least: Mapping[str, int],
    same: bool,
    license_of: LicenseOf,
) -> Selection:
    """Choose samples.

    Args:
        mix: whose samples.
        options: what to take.
        split: whose samples.
        least: family that the format can have → negatives that a row must have; with `options.shortage` `repeat` one is
            enough.
        same: whether all rows get that many negatives, so that one with fewer repeats some.
        license_of: asked only where `options.license` is set.

    Raises:
        UnknownNameError: a source or language that the split does not have; the message has the nearest.
        SettingsError: nothing is left.
        StageError: a file lacks a column.

    """
    parts = [_Part.of(batch) for batch in mix.read(split, _columns(options))]
    sources = sorted({name for part in parts for name in part.sources})
    languages = sorted({code for part in parts for code in part.languages})
    wanted = {_language(code, languages) for code in options.languages}
    for option, names in (("--source", options.sources), ("--weight", options.weights)):
        for source in names:
            if source not in sources:
                raise UnknownNameError("source", source, sources, where=option)
    allowed = _allowed(parts, options, license_of)
    wished = np.array([least.get(name, 0) for name in FAMILIES])
    need = np.minimum(wished, 1) if options.shortage == "repeat" else wished
    left_out: Counter[str] = Counter()
    pools = sorted({pool for part in parts for pool in part.pools})
    numbers = {pool: number for number, pool in enumerate(pools)}
    kept, family, short, pool_codes = [], [], [], []
    first = 0
    for part in parts:
        reasons = {
            "family": ~np.isin(part.family, [FAMILIES.index(name) for name in least]),
            "source": ~part.has("source", options.sources) if options.sources else None,
            "language": ~(part.has("language", wanted) | part.has("positive_language", wanted)) if wanted else None,
            "license": None if allowed is None else ~part.licensed(allowed),
            "negatives": part.negatives < need[part.family],
        }
        stays = np.ones(len(part.family), np.bool_)
        for reason, out in reasons.items():
            if out is not None:
                left_out[reason] += int((stays & out).sum())
                stays &= ~out
        places = np.flatnonzero(stays)
        kept.append(places + first)
        family.append(part.family[places])
        short.append((part.negatives < wished[part.family])[places])
        pool_codes.append(part.pool_codes(numbers)[places])
        first += len(part.family)
    rows = np.concatenate(kept) if kept else np.zeros(0, np.int64)
    pool = np.concatenate(pool_codes) if pool_codes else np.zeros(0, np.int32)
    source_of_pool = np.array([sources.index(source) for source, _ in pools], np.int64)
    source_codes = source_of_pool[pool]
    order = np.argsort(
        mixed(mixed(rows.astype(np.uint64)) ^ mixed(np.array([options.seed + 1], np.uint64))), kind="stable"
    )
    if options.limit is not None:
        drawn = _shared_out(source_codes[order], sources, options) if options.shared else order[: options.limit]
        if options.shared:
            drawn = order[drawn]
        left_out["limit"] = len(order) - len(drawn)
        order = drawn
    if not len(order):
        said = ", ".join(f"{reason} {count:,}" for reason, count in left_out.items() if count)
        raise SettingsError(
            f"none of the {first:,} samples of the split {split} is left ({said or 'it is empty'})",
            where=str(mix.root),
            remedy="ask for fewer negatives, for --shortage repeat, or for more sources or languages",
        )
    counts = np.bincount(source_codes[order], minlength=len(sources))
    return Selection(
        split,
        first,
        rows[order],
        np.concatenate(family)[order],
        {reason: count for reason, count in left_out.items() if count},
        int(np.concatenate(short)[order].sum()) if same else 0,
        {source: int(count) for source, count in zip(sources, counts, strict=True) if count},
        pools,
        pool[order],
    )


def _shared_out(codes: I64, sources: list[str], options: Options) -> I64:
    """Return the places of the samples that are drawn, ascending: of each source its first ones.

    Args:
        codes: int64[n], sources of the samples as numbers, in the drawn order.
        sources: names of the sources.
        options: with the limit and how it is shared out.

    """
    assert options.limit is not None, "it is what is shared out"
    sizes = np.bincount(codes, minlength=len(sources))
    quotas = quotas_of(
        dict(zip(sources, sizes.tolist(), strict=True)), options.limit, options.weights, options.temperature
    )
    by_source = np.argsort(codes, kind="stable")
    within = np.empty(len(codes), np.int64)
    within[by_source] = np.arange(len(codes)) - np.repeat(offsets_of(sizes)[:-1], sizes)
    chosen: I64 = np.flatnonzero(within < quotas[codes])
    return chosen


def _columns(options: Options) -> list[str]:
    return [*_COLUMNS, "provenance"] if options.license else _COLUMNS


def _language(asked: str, known: list[str]) -> str:
    """Return the code that a mix has for a language: `deu` for `de`, `deu` and `deu-Latn`."""
    if asked in known:
        return asked
    try:
        code = tag_of(asked).partition("-")[0]
    except LanguageCodeError:
        code = asked
    if code not in known:
        raise UnknownNameError("language", asked, known, where="--language")
    return code


def _allowed(parts: list[_Part], options: Options, license_of: LicenseOf) -> frozenset[str] | None:
    """Return the sources whose license allows what is asked for; null where nothing is."""
    if options.license is None:
        return None
    names = sorted({name for part in parts for name in part.origins})
    return frozenset(name for name in names if permitted(license_of(name), [options.license]))


@dataclass(frozen=True)
class _Part:
    """Metadata of the samples of one batch: n rows."""

    columns: dict[str, pa.DictionaryArray]
    family: Array
    negatives: Array
    provenance: pa.Array | None

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> _Part:
        columns = {
            name: batch[name].dictionary_encode() for name in ("source", "subset", "language", "positive_language")
        }
        family = pc.index_in(batch["family"], pa.array(FAMILIES))
        if family.null_count:
            strange = batch["family"].filter(pc.is_null(family))[0]
            raise UnknownNameError("family", str(strange), FAMILIES, where="the samples of the mix")
        negatives = pc.fill_null(pc.list_value_length(batch["negative_ids"]), 0).to_numpy().astype(np.int32)
        provenance = None
        if "provenance" in batch.schema.names:
            named = batch["provenance"]
            sources = pc.list_element(pc.split_pattern(named.flatten(), "/", max_splits=1), 0).dictionary_encode()
            starts = offsets_of(pc.list_value_length(named).to_numpy()).astype(np.int32)
            provenance = pa.ListArray.from_arrays(pa.array(starts), sources)
        return cls(columns, family.to_numpy().astype(np.int8), negatives, provenance)

    @property
    def sources(self) -> set[str]:
        return set(self.columns["source"].dictionary.to_pylist())

    @property
    def languages(self) -> set[str]:
        return {c for name in ("language", "positive_language") for c in self.columns[name].dictionary.to_pylist()}

    @property
    def origins(self) -> set[str]:
        """Sources of the samples and of the duplicates that they stand for."""
        known = self.sources
        return known if self.provenance is None else known | set(self.provenance.values.dictionary.to_pylist())

    def has(self, name: str, wanted: Iterable[str]) -> Mask:
        column = self.columns[name]
        member = np.isin(np.array(column.dictionary.to_pylist(), object), list(wanted))
        found: Mask = member[column.indices.to_numpy()]
        return found

    def licensed(self, allowed: frozenset[str]) -> Mask:
        assert self.provenance is not None, "it is read where a license is asked for"
        values = self.provenance.values
        good = np.array([name in allowed for name in values.dictionary.to_pylist()], np.bool_)
        bad = offsets_of(~good[values.indices.to_numpy()])
        starts = self.provenance.offsets.to_numpy()
        found: Mask = (bad[starts[1:]] == bad[starts[:-1]]) & self.has("source", allowed)
        return found

    @property
    def pools(self) -> set[tuple[str, str]]:
        """Source and subset of the pools of the samples."""
        sources, subsets = (self.columns[name].dictionary.to_pylist() for name in ("source", "subset"))
        return {(sources[key // len(subsets)], subsets[key % len(subsets)]) for key in np.unique(self._keys).tolist()}

    def pool_codes(self, numbers: Mapping[tuple[str, str], int]) -> Array:
        """Return int32[n], the number of each sample's pool."""
        sources, subsets = (self.columns[name].dictionary.to_pylist() for name in ("source", "subset"))
        keys, places = np.unique(self._keys, return_inverse=True)
        of_key = [numbers[sources[key // len(subsets)], subsets[key % len(subsets)]] for key in keys.tolist()]
        codes: Array = np.array(of_key, np.int32)[places]
        return codes

    @property
    def _keys(self) -> I64:
        source, subset = (self.columns[name].indices.to_numpy().astype(np.int64) for name in ("source", "subset"))
        keys: I64 = source * max(len(self.columns["subset"].dictionary), 1) + subset
        return keys
