"""The report as a program reads it: its tables cell by cell, its marked values, and what is written between them."""

from html.parser import HTMLParser

UNREAD = {"style", "script", "title", "code", "bdi", "svg"}
"""Elements whose text holds no figure of the report: code, texts of the data, and charts, which are apart."""


class ReportPage(HTMLParser):
    """Collects what a report shows.

    Attributes:
        cells: (table, row, column) → the text of the cell.
        values: (table, row, column) → the text of a marked value; of a value shown twice the last.
        shown: (table, number of rows that a summary states, rows that its table has).
        prose: texts outside of tables, marked values, cards and `UNREAD`.
        cards: (attributes, text without those of the data) of each example.
        charts: label of a chart → its texts.

    """

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.cells, self.values, self.shown, self.prose, self.charts = {}, {}, [], [], {}
        self.cards = []
        self.stack, self.table, self.columns, self.row, self.column = [], None, [], None, 0
        self.stated = self.counted = self.value = None
        self.cell = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag in ("meta", "link", "br", "path", "use", "rect", "input"):
            return
        self.stack.append((tag, attrs))
        if tag == "article":
            self.cards.append((attrs, []))
        if tag == "table":
            self.table, self.columns, rows = attrs.get("data-table"), [], 0
            self.counted = [self.table, rows]
        elif tag == "th" and "data-column" in attrs:
            self.columns.append(attrs["data-column"])
        elif tag == "tr":
            self.row, self.column = attrs.get("data-row"), 0
            if self.row is not None:
                self.counted[1] += 1
        elif tag == "data":
            self.value = tuple(attrs["data-at"].split("/"))
            self.values[self.value] = ""
        elif tag == "span" and "data-shown" in attrs:
            self.stated = [attrs["data-shown"], ""]

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        if not self.stack or tag not in [name for name, _ in self.stack]:
            return
        while self.stack.pop()[0] != tag:
            pass
        if tag in ("td", "th"):
            if self.table and self.row is not None:
                key = (self.table, int(self.row), self.columns[self.column])
                assert self.cells.setdefault(key, self.cell) == self.cell, f"{key} is shown in two ways"
            self.cell = ""
            self.column += 1
        elif tag == "tr":
            self.row = None
        elif tag == "data":
            self.value = None
        elif tag == "table":
            if self.stated:
                self.shown.append((*self.stated, *self.counted))
            self.table = self.stated = None

    def handle_data(self, text):
        inside = [tag for tag, _ in self.stack]
        if self.value:
            self.values[self.value] += text
        elif "svg" in inside:
            label = next(attrs["aria-label"] for tag, attrs in self.stack if tag == "svg")
            self.charts.setdefault(label, []).append(text.strip())
        elif self.table and self.row is not None:
            self.cell += text
        elif self.stated and inside[-1:] == ["span"]:
            self.stated[1] += text
        elif "article" in inside and "bdi" not in inside:
            self.cards[-1][1].append(text)
        elif not {*inside} & UNREAD and not self.in_card():
            self.prose.append(text)

    def in_card(self):
        """Tell whether a text is in an example, or names a column."""
        return any("card" in (attrs.get("class") or "") or "data-column" in attrs for _, attrs in self.stack)
