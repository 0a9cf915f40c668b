"""Lists of equal records, held by column: a build of 50,000 shards has 350,000, and most readers need two fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any, Generic, TypeVar, overload

R = TypeVar("R")


class Records(Sequence[R], Generic[R]):
    """A list of instances of one dataclass. An instance is made when it is read.

    >>> from open_ml_embed.core.store import Output
    >>> outputs = Records(Output, [Output("a.arrow", 3, 100, "ff")])
    >>> outputs.column("bytes"), outputs[0].path
    ([100], 'a.arrow')

    """

    def __init__(self, kind: type[R], records: Iterable[R] = ()) -> None:
        self.kind = kind
        self._columns: dict[str, list[Any]] = {field.name: [] for field in fields(kind)}  # type: ignore[arg-type]
        self += records

    @classmethod
    def of_columns(cls, kind: type[R], columns: dict[str, list[Any]]) -> Records[R]:
        """Return records with these columns.

        Raises:
            ValueError: the columns are not those of the dataclass, or not equally long.

        """
        records = cls(kind)
        if columns.keys() != records._columns.keys() or len({len(column) for column in columns.values()}) > 1:
            raise ValueError(f"not the columns of {kind.__name__}: {sorted(columns)}")
        records._columns = {name: columns[name] for name in records._columns}
        return records

    @property
    def columns(self) -> dict[str, list[Any]]:
        """The fields by name, in the order of the dataclass; not to be changed."""
        return self._columns

    def column(self, name: str) -> list[Any]:
        """Return one field of all records; not to be changed."""
        return self._columns[name]

    def append(self, record: R) -> None:
        """Add a record."""
        for name, column in self._columns.items():
            column.append(getattr(record, name))

    def __iadd__(self, records: Iterable[R]) -> Records[R]:
        """Add records at the end."""
        if isinstance(records, Records):
            for name, column in self._columns.items():
                column.extend(records._columns[name])
            return self
        for record in records:
            self.append(record)
        return self

    def __len__(self) -> int:
        """Return the number of records."""
        return len(next(iter(self._columns.values())))

    def __iter__(self) -> Iterator[R]:
        """Yield every record."""
        return map(self.kind, *self._columns.values())

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> list[R]: ...
    def __getitem__(self, index: int | slice) -> R | list[R]:
        """Return one record, or some as a list."""
        if isinstance(index, slice):
            return list(map(self.kind, *(column[index] for column in self._columns.values())))
        return self.kind(*(column[index] for column in self._columns.values()))

    def __eq__(self, other: object) -> bool:
        """Compare with records or a list of them."""
        if isinstance(other, Records):
            return self.kind is other.kind and self._columns == other._columns
        return list(self) == other if isinstance(other, list) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return the records as a list would show them."""
        return repr(list(self))
