"use strict";
// Without this the page says the same; with it the table sorts and filters, and commands are copied.
const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
const said = document.getElementById("said");

// --- copy buttons
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
for (const code of all(".copied > code")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy ${code.dataset.what}: ${code.textContent}`);
  button.addEventListener("click", async () => {
    const done = await copy(code.textContent);
    button.textContent = done ? "Copied" : "Not copied";
    said.textContent = done ? `Copied: ${code.textContent}` : "The browser does not allow copying.";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  code.after(button);
}

// --- evidence and its marks on the ladder
for (const article of all(".exchange")) {
  const marked = all(".ladder [data-evidence]", article);
  const items = all(".evidence > li", article);
  const has = (element, ids) => element.dataset.evidence.split(" ").some((id) => ids.includes(id));
  const light = (ids) => {
    for (const element of marked) element.classList.toggle("on", has(element, ids));
  };
  for (const element of all("li[data-evidence], a[data-evidence]", article)) {
    const ids = element.dataset.evidence.split(" ");
    for (const type of ["mouseenter", "focusin"]) element.addEventListener(type, () => light(ids));
    for (const type of ["mouseleave", "focusout"]) element.addEventListener(type, () => light([]));
  }
  for (const rung of marked) {
    const ids = rung.dataset.evidence.split(" ");
    const show = (on) => { for (const item of items) item.classList.toggle("on", on && has(item, ids)); };
    rung.addEventListener("mouseenter", () => show(true));
    rung.addEventListener("mouseleave", () => show(false));
    for (const mark of all(".mark", rung)) {
      mark.addEventListener("click", () => {
        const id = mark.textContent.startsWith("E") ? mark.textContent : ids[0];
        const item = items.find((one) => has(one, [id]));
        const details = item && item.closest("details");
        if (details) details.open = true;
        if (item) item.querySelector("a").focus();
      });
    }
  }
}

// --- the table: sorting
const table = document.querySelector("table.rows");
const rows = table ? all("tbody > tr", table) : [];
const value = (row, column) => {
  const cell = row.cells[column];
  return "sort" in cell.dataset ? Number(cell.dataset.sort) : cell.textContent.trim();
};
const compare = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));
if (table && rows.length > 1) {
  const heads = all("thead th", table);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    if (!head.hasAttribute("aria-sort")) head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keyed = rows.map((row, place) => ({ row, place, key: value(row, column) }));
      keyed.sort((a, b) => (down ? -1 : 1) * compare(a.key, b.key) || a.place - b.place);
      table.tBodies[0].append(...keyed.map((one) => one.row));
      said.textContent = `Sorted by ${button.textContent}, ${down ? "descending" : "ascending"}.`;
    });
  });
}

// --- the table: filtering, and the exchanges below with it
const filter = document.querySelector("form.filter");
if (filter && rows.length > 1) {
  const text = filter.querySelector("input[type=search]");
  const boxes = all("input[type=checkbox]", filter);
  const shown = filter.querySelector(".shown");
  const words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const apply = () => {
    const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const outcomes = boxes.filter((box) => box.checked).map((box) => box.value);
    let count = 0;
    for (const row of rows) {
      const fits = outcomes.includes(row.dataset.outcome) && wanted.every((word) => words.get(row).includes(word));
      row.hidden = !fits;
      count += fits ? 1 : 0;
      const article = document.getElementById(row.dataset.exchange);
      if (article) article.hidden = !fits;
    }
    shown.textContent = `${count} of ${rows.length} rows shown`;
  };
  text.addEventListener("input", apply);
  for (const box of boxes) box.addEventListener("change", apply);
  filter.addEventListener("submit", (event) => event.preventDefault());
  filter.hidden = false;
  apply();
}

// --- printing shows everything that is folded
let closed = [];
addEventListener("beforeprint", () => {
  closed = all("details:not([open])");
  for (const details of closed) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of closed) details.open = false;
});
