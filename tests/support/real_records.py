"""Runs samples of real records through the normalizer: `python3 tasks.py real FOLDER`.

The folder has one folder a source. In it are the files as they lie inside the repository, or below the repository's
name (as `sources.local_root` has them); a further folder in it is another case of the same source. What a sample lacks
(the passages of a large collection) is said. Nothing is expected of a sample but rows: exits with 1 where a source that
has all its tables gives none (save where its records are alone in their class), or a file is not what its manifest
states.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from open_ml_embed.core.errors import CorpusError
from sources import registry
from sources.checks import seen
from sources.cleaning.texts import clean
from sources.fetch.local import names_below
from sources.globs import any_match
from sources.manifest import HubOrigin, Manifest, ManualOrigin
from sources.normalize import normalize, parts
from sources.parts import RawFile
from sources.quarantine import Quarantine
from sources.renaming import read_renamed
from sources.schema import ROW_SCHEMA

EXAMPLE_CHARS = 100
ALONE = ("alone-in-class", "in-one-language-only")


@dataclass
class Outcome:
    """What came of one case of a source."""

    case: str
    records: int = 0
    rows: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    filtered: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    changed: tuple[str, str] | None = None
    lacking: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def failed(self) -> bool:
        """Tell whether the source gave nothing though it had all it needs, or was refused."""
        return bool(self.error) or (self.rows == 0 and not self.lacking and not self.too_small)

    @property
    def too_small(self) -> bool:
        """Tell whether the sample's records are only left out because others of their class are not in it."""
        return not self.quarantined and sum(self.filtered[reason] for reason in ALONE) >= self.records > 0


def cases(manifest: Manifest, home: Path) -> Iterator[tuple[str, Path]]:
    """Yield (case, where its files are) of a source's samples."""
    inner = [path for path in sorted(home.iterdir()) if path.is_dir() and _files(manifest, path)]
    # A repository's own folders hold files of their own names; a case is a whole sample again.
    own = _files(manifest, home)
    if own or not inner:
        yield home.name, home
    for path in inner:
        if not any(file.is_relative_to(path) for _, _, file in own):
            yield f"{home.name}/{path.name}", path


def outcomes(home: Path) -> Iterator[Outcome]:
    """Yield what comes of the cases of a folder that is called as a source."""
    try:
        manifest = registry.load(home.name)
    except CorpusError as error:
        yield Outcome(home.name, error=str(error))
        return
    for case, folder in cases(manifest, home):
        yield outcome(case, manifest, folder)


def _files(manifest: Manifest, home: Path) -> list[tuple[str, RawFile, Path]]:
    """Return (subset, raw file, path) of what the manifest's tables mean below a folder."""
    found = []
    for subset in manifest.subsets:
        for key, table in manifest.bound(subset).tables.items():
            root = next((path for path in _roots(manifest, table.repo, home) if path.is_dir()), home)
            for name in names_below(root):
                if any_match(name, table.files):
                    path = root / name
                    raw = RawFile(key, name, str(path), path.stat().st_size, f"sample:{name}")
                    found.append((subset, raw, path))
    return found


def _roots(manifest: Manifest, repo: str | None, home: Path) -> list[Path]:
    origin = manifest.origin
    if isinstance(origin, HubOrigin):
        return [home / (repo or origin.repo).partition("@")[0]]
    return [home / origin.folder] if isinstance(origin, ManualOrigin) else [home / manifest.name]


def outcome(case: str, manifest: Manifest, home: Path) -> Outcome:
    """Normalize one case."""
    made = Outcome(case)
    files = _files(manifest, home)
    taken = {path for _, _, path in files}
    made.unread = [
        name for name in names_below(home) if home / name not in taken and Path(name).stem.upper() != "README"
    ]
    by_subset = {subset: [file for name, file, _ in files if name == subset] for subset in manifest.subsets}
    full = [subset for subset, raw in by_subset.items() if {file.table for file in raw} == set(manifest.tables)]
    complete = bool(full)
    for subset in full or [subset for subset, raw in by_subset.items() if raw]:
        raw = by_subset[subset]
        try:
            if complete:
                _normalized(made, manifest, subset, raw)
            else:
                made.lacking += sorted(set(manifest.tables) - {file.table for file in raw} - set(made.lacking))
                _columns(made, manifest, subset, raw)
        except CorpusError as error:
            made.error = f"{type(error).__name__}: {error}"
    if not files:
        made.error = f"no file matches {', '.join(glob for t in manifest.tables.values() for glob in t.files)}"
    return made


def _normalized(made: Outcome, manifest: Manifest, subset: str, raw: list[RawFile]) -> None:
    bound = manifest.bound(subset)
    for file in raw:
        batches = read_renamed(file.path, file.name, bound.tables[file.table], Quarantine("", ""))
        made.records += sum(batch.columns.num_rows for batch in batches)
    uncleaned = manifest.model_copy(update={"clean": []})
    tables = {}
    for name, how in (("clean", manifest), ("raw", uncleaned)):
        quarantine, filtered = Quarantine(manifest.name, subset), Counter[str]()
        rows = [batch for part in parts(how, subset, raw) for batch in normalize(part, how, quarantine, filtered)]
        tables[name] = pa.Table.from_batches(rows, ROW_SCHEMA)
        if name == "clean":
            made.quarantined += quarantine.counts
            made.filtered += filtered
    made.rows += tables["clean"].num_rows
    for side in ("query", "positive"):
        texts, langs = (tables["clean"][name].combine_chunks() for name in (side, f"{side}_lang"))
        made.seen += Counter({f"{side} {kind}": count for kind, count in seen(texts, langs).items() if count})
    made.changed = made.changed or _difference(tables["raw"], tables["clean"])


def _difference(raw: pa.Table, clean: pa.Table) -> tuple[str, str] | None:
    """Return the first text that `clean` changed, before and after, from where the two differ."""
    if raw.num_rows != clean.num_rows or raw["origin"] != clean["origin"]:
        return None
    pairs = ((raw[side], clean[side]) for side in ("query", "positive"))
    return next((found for before, after in pairs if (found := _first_changed(before, after))), None)


def _columns(made: Outcome, manifest: Manifest, subset: str, raw: list[RawFile]) -> None:
    """Clean the text columns of a sample whose tables cannot be joined."""
    bound = manifest.bound(subset)
    lang = bound.subsets[subset].query_lang
    for file in raw:
        for batch in read_renamed(file.path, file.name, bound.tables[file.table], Quarantine("", "")):
            made.records += batch.columns.num_rows
            for name, kind in bound.tables[file.table].fields.items():
                if kind == "string" and isinstance(lang, str):
                    texts = batch.columns[name].combine_chunks()
                    langs = pa.repeat(pa.scalar(lang), len(texts))
                    after = clean(texts, langs, manifest, "positive")
                    before = clean(texts, langs, manifest.model_copy(update={"clean": []}), "positive")
                    made.seen += Counter({f"{name} {k}": count for k, count in seen(after, langs).items() if count})
                    made.changed = made.changed or _first_changed(pa.chunked_array([before]), pa.chunked_array([after]))


def _first_changed(before: pa.ChunkedArray, after: pa.ChunkedArray) -> tuple[str, str] | None:
    for old, new in zip(before.to_pylist(), after.to_pylist(), strict=True):
        if old is not None and old != new:
            at = max(next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0) - 20, 0)
            return old[at : at + EXAMPLE_CHARS], new[at : at + EXAMPLE_CHARS]
    return None


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "-"


def show(made: Outcome) -> None:
    """Print one case."""
    state = "FAILED" if made.failed else ("partial" if made.lacking or made.too_small else "ok")
    print(
        f"{state:8}{made.case:34}{made.records:8,}{made.rows:8,}  {_counted(made.quarantined)} | "
        f"{_counted(made.filtered)} | {_counted(made.seen)}"
    )
    if made.lacking:
        print(f"        the sample has no file for {', '.join(made.lacking)}")
    if made.unread:
        print(f"        not taken: {', '.join(made.unread[:6])}")
    if made.changed:
        print(f"        before {made.changed[0]!r}\n        after  {made.changed[1]!r}")
    if made.error:
        print(f"        {made.error}")


def main(arguments: list[str]) -> int:
    """Normalize every sample of a folder, or those named after it, and print what came of them."""
    if not arguments or not Path(arguments[0]).is_dir():
        print("usage: python3 tasks.py real FOLDER [SOURCE...]", file=sys.stderr)
        return 2
    print(f"{'':8}{'source':34}{'records':>8}{'rows':>8}  quarantined | filtered | seen after cleaning")
    failed = 0
    for home in sorted(path for path in Path(arguments[0]).iterdir() if path.is_dir()):
        if len(arguments) == 1 or home.name in arguments[1:]:
            for made in outcomes(home):
                failed += made.failed
                show(made)
    print(f"{failed} failed" if failed else "all gave rows")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
