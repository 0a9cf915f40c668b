"""The offline sources as they really are: fetched from this machine's mirror and environment, and normalized.

Needs a network, so it runs only when asked to: ``NETWORK_TESTS=1 python3 tasks.py test -k really``; the demo
does the same and more.
"""

import os
import shutil
import time
from collections import Counter

import pytest

from open_ml_embed.core.errors import TransientError
from sources import registry
from sources.fetch import FetchOptions, fetch
from sources.normalize import normalize, parts
from sources.quarantine import Quarantine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("NETWORK_TESTS"), reason="NETWORK_TESTS is not set"),
    pytest.mark.skipif(not (shutil.which("apt-get") and shutil.which("dpkg-deb")), reason="apt-get is missing"),
]


def test_really_half_a_million_rows_in_a_hundred_languages(tmp_path, capsys):
    options = FetchOptions(str(tmp_path))
    total, codes, lines = 0, set[str](), []
    for manifest in registry.load_all("offline"):
        started = time.perf_counter()
        rows, quarantined, languages = 0, 0, set()
        for subset in manifest.subsets:
            try:
                files = fetch(manifest, subset, options)
            except TransientError as error:
                pytest.skip(f"no mirror: {error.what}")
            for part in parts(manifest.bound(subset), subset, files):
                quarantine = Quarantine(manifest.name, subset)
                for batch in normalize(part, manifest, quarantine, Counter()):
                    rows += batch.num_rows
                    languages |= {
                        *batch["query_lang"].unique().to_pylist(),
                        *batch["positive_lang"].unique().to_pylist(),
                    }
                quarantined += quarantine.total
        assert rows > 0, manifest.name
        assert quarantined < 0.01 * rows, manifest.name
        total += rows
        codes |= {tag.split("-")[0] for tag in languages if not tag.endswith("-Code")}
        lines.append(f"{manifest.name}: {rows:,} rows, {len(languages)} tags, {time.perf_counter() - started:.0f} s")
    with capsys.disabled():
        print("", *lines, f"all: {total:,} rows, {len(codes)} ISO 639-3 codes", sep="\n")
    assert total >= 500_000
    assert len(codes) >= 100
