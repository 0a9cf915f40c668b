"""Thresholds of quality: which rows stay out of the mixes of a profile."""

from __future__ import annotations

from collections.abc import Iterator

from open_ml_embed.core.bounds import Range
from open_ml_embed.core.section import Section


class Thresholds(Section):
    """Bounds of the figures of a row. A figure without a bound leaves no row out; docs/quality.md says what each is."""

    query_alphanumeric: Range = Range()
    """Letters, marks and digits of the query."""
    positive_alphanumeric: Range = Range()
    """The same of the positive: `{min: 3}` leaves out positives that are nearly empty."""
    query_symbols: Range = Range()
    """Share of the query's visible characters that are no letter, mark or digit, 0 to 1."""
    positive_symbols: Range = Range()
    """The same of the positive."""
    query_repetition: Range = Range()
    """Share of the query's sequences of ten characters that occurred before in it, 0 to 1."""
    positive_repetition: Range = Range()
    """The same of the positive."""
    length_ratio: Range = Range()
    """Visible characters of the positive for each one of the query."""
    equal: Range = Range()
    """1 where both sides have the same letters and digits, case aside, else 0: `{max: 0}` leaves these rows out."""
    language_confidence: Range = Range()
    """Confidence of the step `identify`, of the less certain side, 0 to 1."""

    def __bool__(self) -> bool:
        return any(True for _ in self.stated())

    @property
    def needs_languages(self) -> bool:
        """Tell whether the results of the step `identify` are read."""
        return bool(self.language_confidence)

    @property
    def needs_measures(self) -> bool:
        """Tell whether the results of the step `measure` are read."""
        return any(name != "language_confidence" for name, _ in self.stated())

    def stated(self) -> Iterator[tuple[str, Range]]:
        """Yield (figure, bounds) of those that have any."""
        for name in type(self).model_fields:
            if bounds := getattr(self, name):
                yield name, bounds


class QualitySettings(Section):
    """Thresholds of all sources and of some; there is none by default. A change repeats the mixes only."""

    thresholds: Thresholds = Thresholds()
    """Those of every source."""
    sources: dict[str, Thresholds] = {}
    """Source → its own. A figure that is named there has these bounds, and with `{}` none; the others have those of
    `thresholds`."""

    def of(self, source: str) -> Thresholds:
        """Return the thresholds of a source.

        >>> settings = QualitySettings.model_validate(
        ...     {"thresholds": {"equal": {"max": 0}, "length_ratio": {"max": 9}}, "sources": {"squad": {"equal": {}}}}
        ... )
        >>> [name for name, _ in settings.of("squad").stated()]
        ['length_ratio']

        """
        own = self.sources.get(source)
        if own is None:
            return self.thresholds
        return self.thresholds.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})
