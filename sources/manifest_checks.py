"""What can be said of a manifest before any file is fetched: its shape, the arguments, and the columns of `where`."""

from __future__ import annotations

from open_ml_embed.core.errors import ManifestError
from sources.manifest import Manifest
from sources.shapes import check_shape


def check_manifest(manifest: Manifest) -> None:
    """Check a manifest's shape, its arguments and `where`, before any file is fetched.

    Raises:
        UnknownNameError: there is no such shape, or it has no such argument; the message suggests the nearest names.
        ManifestError: an argument is invalid, or `where` names an undeclared field.

    """
    for subset in manifest.subsets:
        bound = manifest.bound(subset)
        check_shape(bound)
        check_where(bound)


def check_where(manifest: Manifest) -> None:
    """Check that the columns of `where` are declared, and that their types can hold the accepted values.

    Raises:
        ManifestError: a column is not declared, or its declared type cannot hold a value.

    """
    for path, admitted in manifest.where.items():
        kinds = [
            table.fields.get(path, "any")
            for table in manifest.tables.values()
            if path in table.fields or path.split(".")[0] in table.fields
        ]
        if not kinds:
            raise ManifestError(
                f"`where` names {path!r}, which no table declares", where=manifest.name, remedy="add it to `fields`"
            )
        for kind in kinds:
            odd = [value for value in admitted if kind != "any" and type(value) not in _HELD[kind]]
            if odd:
                raise ManifestError(
                    f"`where` admits {odd[0]!r} in {path!r}, which is declared {kind}",
                    where=manifest.name,
                    remedy="state values of that type, or correct the type in `fields`; of lists and objects, name a "
                    f"column below (`{path}.…`)",
                )


_HELD: dict[str, tuple[type, ...]] = {
    "string": (str,), "bool": (bool,), "int64": (int,), "float64": (int, float),
    "list<string>": (), "struct": (), "list<struct>": (),
}  # fmt: skip
"""Declared type → Python types of its values under `where`; lists and objects cannot be compared."""
