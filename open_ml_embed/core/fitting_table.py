"""A table for terminals and pipes of any width: no column is empty and no word or number is cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rich import table as rich_table
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

_INDENT, _BETWEEN = "  ", "  "


class Table(rich_table.Table):
    """A rich table whose columns are at least as wide as their longest word.

    Where they do not fit side by side, each row is a paragraph: its name, and below it `heading: value` of the other
    columns, as many in a line as fit. A word that is longer than a line goes on in the next one.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, or the paragraphs."""
        widths = self._widths(console, options.max_width)
        if widths is None:
            yield from self._paragraphs(console, options.max_width)
            return
        fixed = rich_table.Table()
        fixed.__dict__.update(self.__dict__)
        fixed.columns = [
            replace(column, width=width, no_wrap=False, overflow="fold")
            for column, width in zip(self.columns, widths, strict=True)
        ]
        yield from rich_table.Table.__rich_console__(fixed, console, options)

    def _widths(self, console: Console, most: int) -> list[int] | None:
        """Return the width of each column: what is over after their longest words goes to those that wrap; or none."""
        left = most - self._extra_width - sum(self._get_padding_width(index) for index in range(len(self.columns)))
        least, whole = [], []
        for column in self.columns:
            cells = [_text(console, cell) for cell in column.cells]
            heading = [_text(console, column.header)] if self.show_header else []
            # numbers stay on one line; words, and headings, wrap between words
            texts = [*heading, *([] if column.justify == "right" else cells)]
            words = max((_longest_word(text) for text in texts), default=0)
            numbers = max((cell.cell_len for cell in cells), default=0) if column.justify == "right" else 0
            least.append(max(words, numbers))
            whole.append(max((text.cell_len for text in [*heading, *cells]), default=0))
        left -= sum(least)
        if left < 0:
            return None
        widths = list(least)
        for index in sorted(range(len(widths)), key=lambda index: whole[index] - least[index]):
            more = min(whole[index] - least[index], left)
            widths[index] += more
            left -= more
        return widths

    def _paragraphs(self, console: Console, width: int) -> Iterator[Text]:
        if self.title:
            yield Text.assemble(_text(console, self.title), style="bold")
        columns = [[_text(console, cell) for cell in column.cells] for column in self.columns]
        headings = [_text(console, column.header) if self.show_header else Text() for column in self.columns]
        names = next((i for i, heading in enumerate(headings[1:], 1) if heading.plain), len(headings))
        names = names if self.show_header else 1
        group = Text()
        for number, row in enumerate(self.rows):
            cells = [column[number] for column in columns]
            begins = bool(number) and self.rows[number - 1].end_section
            group = cells[0] if cells[0].plain or begins else group
            label = [cell for cell in (group, *cells[1:names]) if cell.plain]
            values = [
                (heading, cell) for heading, cell in zip(headings[names:], cells[names:], strict=True) if cell.plain
            ]
            if len(values) == 1 and not values[0][0].plain:
                yield Text.assemble(Text(" ").join(label), ": ", values[0][1], style=row.style or "")
                continue
            yield Text.assemble(Text(" ").join(label), style=row.style or "bold")
            pairs = [Text.assemble(heading, ": " if heading.plain else "", cell) for heading, cell in values]
            for line in _lines(pairs, width - len(_INDENT)):
                yield Text.assemble(_INDENT, line, style=row.style or "")


def _lines(parts: list[Text], width: int) -> Iterator[Text]:
    """Yield lines with as many parts as fit; a part that is longer than a line has its own."""
    line: list[Text] = []
    for part in parts:
        if line and sum(one.cell_len + len(_BETWEEN) for one in line) + part.cell_len > width:
            yield Text(_BETWEEN).join(line)
            line = []
        line.append(part)
    if line:
        yield Text(_BETWEEN).join(line)


def _text(console: Console, cell: RenderableType) -> Text:
    """Return a cell as text; cells are strings or texts."""
    return cell if isinstance(cell, Text) else console.render_str(str(cell))


def _longest_word(text: Text) -> int:
    return max((Text(word).cell_len for word in text.plain.split()), default=0)
