(() => {
  "use strict";
  const number = (text) => {
    const found = text.replace(/,/g, "").replace("\u2212", "-").match(/-?\d+(\.\d+)?/);
    return found ? parseFloat(found[0]) - (text.startsWith("<") ? 1e-6 : 0) : -Infinity;
  };
  const sort = (table, column, head) => {
    const body = table.tBodies[0], numeric = head.matches(".n, .s"), was = head.getAttribute("aria-sort");
    const down = was ? was === "ascending" : numeric;
    const rows = [...body.rows].map((row) => [numeric ? number(row.cells[column].textContent) : row.cells[column].textContent, row]);
    const order = (a, b) => (numeric ? a[0] - b[0] : a[0].localeCompare(b[0])) * (down ? -1 : 1);
    rows.sort((a, b) => order(a, b) || a[1].dataset.row - b[1].dataset.row);
    for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...rows.map((row) => row[1]));
  };
  const search = (table) => {
    const label = document.createElement("label"), input = document.createElement("input");
    const seen = document.createElement("output");
    input.type = "search";
    label.className = "search";
    label.append("Search ", input, " ", seen);
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      let left = 0;
      for (const row of table.tBodies[0].rows) {
        row.hidden = !row.textContent.toLowerCase().includes(wanted);
        left += !row.hidden;
      }
      seen.textContent = wanted ? left.toLocaleString("en") + " rows" : "";
    });
    table.parentElement.before(label);
  };
  for (const table of document.querySelectorAll("table[data-table]")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, column, head));
    });
    if (table.tBodies[0].rows.length > 12) search(table);
  }
  const browser = document.getElementById("browser");
  if (browser) {
    const groups = [...document.querySelectorAll("details.examples")];
    const cards = groups.flatMap((group) => [...group.querySelectorAll(".card")]);
    const choice = (title, values) => {
      const label = document.createElement("label"), select = document.createElement("select");
      select.append(new Option("all", ""), ...[...new Set(values)].filter(Boolean).sort().map((value) => new Option(value, value)));
      label.append(title + " ", select);
      browser.append(label);
      select.addEventListener("change", show);
      return select;
    };
    const seen = document.createElement("output");
    const show = () => {
      const any = source.value || language.value || verdict.value;
      let left = 0;
      for (const group of groups) {
        let here = 0;
        for (const card of group.querySelectorAll(".card")) {
          const fits = (!source.value || group.dataset.source === source.value) &&
            (!language.value || card.dataset.language === language.value) &&
            (!verdict.value || card.dataset.verdict.split(" ").includes(verdict.value));
          card.hidden = !fits;
          here += fits;
        }
        group.hidden = !here;
        group.open = Boolean(any && here);
        left += here;
      }
      seen.textContent = any ? left.toLocaleString("en") + " rows" : "";
    };
    const source = choice("Source", groups.map((group) => group.dataset.source));
    const language = choice("Language", cards.map((card) => card.dataset.language));
    const verdict = choice("Verdict", cards.flatMap((card) => card.dataset.verdict.split(" ")));
    browser.append(seen);
    browser.hidden = false;
  }
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });
})();
