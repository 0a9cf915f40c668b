"""The archive that GitHub makes of the TWEAC repository: a text file a class below `data/<collection>/<split>/`."""

import gzip
import io
import tarfile
from pathlib import Path

_COMMIT = "ed4f0cafa87aefd4820cca0d7f4881d2de99a9f0"


def archive(home: Path, files: dict[str, list[str]]) -> None:
    """Write it with the lines of these files, and with others of the repository that are no training data."""
    others = {"README.md": ["# TWEAC"], "data/reddit/test/AFL.txt": ["held out"], "data/intents/train/oos.txt": ["no"]}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, lines in sorted((files | others).items()):
            data = "".join(f"{line}\n" for line in lines).encode()
            member = tarfile.TarInfo(f"TWEAC-qa-agent-selection-{_COMMIT}/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    home.mkdir(parents=True, exist_ok=True)
    (home / f"{_COMMIT}.tar.gz").write_bytes(gzip.compress(packed.getvalue(), mtime=0))
