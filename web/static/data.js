// The table of the Data page by Tabulator, on screens that are wide enough: filters in its head,
// columns that are moved and resized. It shows the page that the server makes for the address, and
// every change is an address: without this script the same page is a form and links.
"use strict";

const holder = document.getElementById("table");
const library = document.currentScript.dataset.library;
const columns = JSON.parse(holder?.dataset.columns || "[]");
const byName = new Map(columns.map((column) => [column.name, column]));
const NUMBERS = ["number", "whole", "day", "moment", "night"];
let table = null;
let asked = 0; // the newest load counts
let quiet = false; // while the table is filled, its events are ours

// What stands in the head of a column, and the fields of the address that it means.

function fieldsOf(column, value) {
  const name = column.name;
  if (Array.isArray(value)) return value.map((one) => [name, one]);
  const text = String(value ?? "").trim();
  if (!text) return [];
  if (text === "none" || text === "some") {
    return ["choice", "yes-no", "list", "night"].includes(column.kind) ? [[name, text]] : [[`${name}.is`, text]];
  }
  if (NUMBERS.includes(column.kind)) {
    const range = text.match(/^(.*?)\.\.(.*)$/);
    if (range) return [[`${name}.from`, range[1].trim()], [`${name}.to`, range[2].trim()]].filter((field) => field[1]);
    const side = text.match(/^([<>])=?\s*(.+)$/);
    if (side) return [[`${name}.${side[1] === ">" ? "from" : "to"}`, side[2]]];
    if (column.kind === "whole" || column.kind === "night") return [[name, text]];
    return [[`${name}.from`, text], [`${name}.to`, text]];
  }
  if (column.kind === "flags") {
    return text.split(/[\s,]+/).filter((word) => word && word !== "-").map((word) => word.startsWith("-") ? [`${name}.lacks`, word.slice(1)] : [`${name}.has`, word]);
  }
  if (column.kind === "choice" || column.kind === "yes-no" || column.kind === "source") return [[name, text]];
  const pattern = column.pattern && text.match(/^\/(.+?)\/?$/);
  if (pattern) return [[`${name}.matches`, pattern[1]]];
  if (text.startsWith("=")) return text.slice(1).split("|").map((one) => [name, one.trim()]);
  return [[`${name}.has`, text]];
}

function textOf(column, params) {
  const of = (way) => params.getAll(way ? `${column.name}.${way}` : column.name);
  if (column.kind === "choice") return of("");
  const is = of("is")[0];
  if (is) return is;
  if (NUMBERS.includes(column.kind)) {
    const [from, to] = [of("from")[0], of("to")[0]];
    if (from && from === to) return from;
    if (from && to) return `${from}..${to}`;
    return from ? `>${from}` : to ? `<${to}` : of("").join(" ");
  }
  if (column.kind === "flags") return [...of("has"), ...of("lacks").map((name) => `-${name}`)].join(" ");
  if (column.kind === "source" || column.kind === "yes-no") return of("")[0] || "";
  if (of("matches")[0]) return `/${of("matches")[0]}/`;
  return of("").length ? `=${of("").join("|")}` : of("has")[0] || "";
}

// The page of an address.

function shownNames() {
  return [...document.querySelectorAll("#list thead th")].map((head) => head.dataset.name);
}

function rowsOf(list) {
  const names = [...list.querySelectorAll("thead th")].map((head) => head.dataset.name);
  return [...list.querySelectorAll("tbody tr")].map((line) => {
    const row = { key: line.dataset.key };
    [...line.children].forEach((cell, index) => { row[names[index]] = cell.innerHTML; });
    return row;
  });
}

function say(text) {
  const place = document.getElementById("table-wrong");
  place.textContent = text;
  place.hidden = !text;
}

async function load(address, { keep = false } = {}) {
  const mine = ++asked;
  holder.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" }, credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== asked) return;
    const list = page.getElementById("list");
    if (answer.status === 400 && page.querySelector("#asking .banner.bad")) {
      say(page.querySelector("#asking .banner.bad").textContent);
      return;
    }
    if (!answer.ok || !list) {
      say("The table cannot be read now. Try again in a moment.");
      return;
    }
    say("");
    if (!keep) history.pushState(null, "", answer.url || address);
    const before = shownNames().join();
    for (const place of ["#list", "#files", "#asking .chips", "h1"]) take(place, page);
    takeForm(page);
    holder.dataset.sort = page.getElementById("table").dataset.sort;
    if (table) await fill(before !== shownNames().join());
  } catch (error) {
    if (mine === asked) say("The site does not answer. Try again in a moment.");
  } finally {
    if (mine === asked) holder.removeAttribute("aria-busy");
  }
}

function take(place, page) {
  const [old, fresh] = [document.querySelector(place), page.querySelector(place)];
  if (!old && fresh && place.endsWith(".chips")) {
    document.querySelector("#asking > details").before(document.adoptNode(fresh));
  } else if (old && fresh) {
    if (window.htmx && old.hasAttribute("hx-get")) {
      // Without these attributes htmx lets go of what it listens to for it.
      for (const name of ["hx-get", "hx-trigger"]) old.removeAttribute(name);
      window.htmx.process(old, true);
    }
    old.replaceWith(document.adoptNode(fresh));
    if (place === "#list") {
      document.getElementById("list").classList.toggle("enhanced", Boolean(table));
      window.htmx?.process(document.getElementById("list"));
    }
  } else if (old) {
    old.remove();
  }
}

function takeForm(page) {
  // The fields as the new address has them; what a person writes now stays.
  const [old, fresh] = [document.querySelector("#asking > details"), page.querySelector("#asking > details")];
  document.querySelectorAll("#asking > input[type=hidden]").forEach((one) => one.remove());
  page.querySelectorAll("#asking > input[type=hidden]").forEach((one) => old.before(document.adoptNode(one)));
  if (old.contains(document.activeElement)) return;
  const open = [...old.querySelectorAll("details")].map((one) => one.open);
  fresh.open = old.open;
  fresh.querySelectorAll("details").forEach((one, index) => { one.open = open[index]; });
  old.replaceWith(document.adoptNode(fresh));
}

async function fill(again) {
  quiet = true;
  try {
    if (again) table.setColumns(heads());
    // In place: the table stays where it was scrolled to.
    await (again ? table.setData : table.replaceData).call(table, rowsOf(document.getElementById("list")));
    showState();
    takeRoles();
  } finally {
    quiet = false;
  }
}

// The address as the head of the table has it.

function addressOf(change) {
  const params = new URLSearchParams(location.search);
  params.delete("cursor");
  change(params);
  const text = params.toString();
  return `${form().getAttribute("action")}${text ? `?${text}` : ""}`;
}

const form = () => document.getElementById("asking");

function currentParams() {
  // The address of "Frames not used" asks for nothing, and the page for its states.
  const params = new URLSearchParams(location.search);
  if (![...params.keys()].length) {
    const first = document.querySelector("#files a");
    const made = new URLSearchParams(first ? new URL(first.href).search : "");
    made.delete("format");
    return made;
  }
  return params;
}

function filterBy(column, value) {
  const params = currentParams();
  params.delete("cursor");
  for (const name of [...params.keys()]) {
    if (name === column.name || name.startsWith(`${column.name}.`)) params.delete(name);
  }
  for (const [name, text] of fieldsOf(column, value)) params.append(name, text);
  load(`${form().getAttribute("action")}?${params}`);
}

function sortBy(column) {
  const now = holder.dataset.sort;
  const falls = now === `-${column.name}` ? false : now === column.name ? true : !["text", "source", "choice", "list"].includes(column.kind);
  const params = currentParams();
  params.delete("cursor");
  params.set("sort", `${falls ? "-" : ""}${column.name}`);
  load(`${form().getAttribute("action")}?${params}`);
}

function hint(column) {
  if (NUMBERS.includes(column.kind)) return column.number ? "1..2  >1  <2" : "2026-11-22";
  if (column.kind === "day" || column.kind === "moment") return ">2026-11-22";
  if (column.kind === "flags") return "edge -clouds";
  if (column.kind === "source") return "name";
  return column.pattern ? "text or /regex/" : "contains";
}

function widths() {
  // As the browser lays out the table of the page, at once: Tabulator would lay out the whole page for each column.
  const list = document.getElementById("list");
  const isHidden = list.classList.contains("enhanced");
  list.classList.remove("enhanced");
  list.classList.add("measured");
  const found = [...list.querySelectorAll("thead th")].map((head) => Math.ceil(head.getBoundingClientRect().width));
  list.classList.remove("measured");
  list.classList.toggle("enhanced", isHidden);
  return found;
}

function heads() {
  const wide = widths();
  return shownNames().map((name, index) => {
    const column = byName.get(name);
    const head = {
      width: Math.min(Math.max(wide[index] + 4, 90), 420),
      title: column.words, field: name, formatter: "html", headerSort: false, frozen: index === 0,
      hozAlign: column.number && index ? "right" : "left", headerTooltip: column.says, minWidth: 70,
      headerClick: (event) => { if (!event.target.closest(".tabulator-header-filter")) sortBy(column); },
    };
    if (!column.derived) {
      const label = { "aria-label": `Filter ${column.words}`, title: `Filter: ${hint(column)}` };
      const isList = column.kind === "choice" || column.kind === "yes-no";
      head.headerFilter = isList ? "list" : "input";
      head.headerFilterParams = isList
        ? { values: column.kind === "choice" ? column.choices : ["yes", "no"], multiselect: column.kind === "choice", clearable: true, elementAttributes: label }
        : { elementAttributes: label };
      head.headerFilterFunc = () => true;
      head.headerFilterPlaceholder = isList ? "any" : hint(column);
      head.headerFilterLiveFilter = !isList;
    }
    return head;
  });
}

function showState() {
  const params = currentParams();
  for (const name of shownNames()) {
    const column = byName.get(name);
    const head = table.getColumn(name)?.getElement();
    if (!head) continue;
    head.dataset.sorted = holder.dataset.sort === `-${name}` ? "▼" : holder.dataset.sort === name ? "▲" : "";
    head.setAttribute("aria-sort", head.dataset.sorted === "▼" ? "descending" : head.dataset.sorted ? "ascending" : "none");
    const field = head.querySelector(".tabulator-header-filter input");
    if (field && field !== document.activeElement && !column.derived) {
      const value = textOf(column, params);
      if (String(table.getHeaderFilterValue(name) ?? "") !== String(value)) table.setHeaderFilterValue(name, value);
    }
  }
}

function takeRoles() {
  // What scrolls takes the keyboard and is a part of the grid; without rows it is neither.
  const body = holder.querySelector(".tabulator-tableholder");
  const filled = table.getDataCount() > 0;
  body.setAttribute("role", filled ? "rowgroup" : "none");
  if (filled) body.tabIndex = 0;
  else body.removeAttribute("tabindex");
  holder.querySelector(".tabulator-table").removeAttribute("role");
  holder.removeAttribute("aria-owns");
}

function start() {
  const list = document.getElementById("list");
  table = new window.Tabulator(holder, {
    data: rowsOf(list), index: "key", columns: heads(), layout: "fitDataFill", movableColumns: true, rowHeight: 31,
    placeholder: "No row is like this.",
  });
  list.classList.add("enhanced");
  table.on("tableBuilt", () => {
    takeRoles();
    quiet = true;
    showState();
    quiet = false;
    const seen = new Map(shownNames().map((name) => [name, String(table.getHeaderFilterValue(name) ?? "")]));
    table.on("dataFiltering", (filters) => {
      if (quiet) return;
      for (const name of shownNames()) {
        const value = filters.find((one) => one.field === name)?.value ?? "";
        if (String(value) !== String(textOf(byName.get(name), currentParams()))) {
          if (seen.get(name) === String(value)) continue;
          seen.set(name, String(value));
          filterBy(byName.get(name), value);
          return;
        }
        seen.set(name, String(value));
      }
    });
    table.on("columnMoved", (_, all) => {
      const names = all.map((column) => column.getField());
      load(addressOf((params) => { params.delete("columns"); params.set("columns", names.join(",")); }));
    });
  });
  // Rows that came by the live stream.
  new MutationObserver(() => {
    const fresh = document.getElementById("list");
    if (fresh && !fresh.classList.contains("enhanced")) {
      fresh.classList.add("enhanced");
      fill(false);
    }
  }).observe(document.getElementById("main"), { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("#list .pager a, #asking .chips a, #list thead a");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  load(link.href);
});
document.addEventListener("change", (event) => {
  if (!event.target.closest("#asking")) return;
  const params = new URLSearchParams();
  for (const [name, value] of new FormData(form())) if (String(value).trim()) params.append(name, value);
  load(`${form().getAttribute("action")}?${params}`);
});
window.addEventListener("popstate", () => load(location.href, { keep: true }));

if (holder && document.getElementById("list") && window.matchMedia("(min-width: 721px)").matches) {
  const script = document.createElement("script");
  script.src = library;
  script.onload = start;
  document.head.append(script);
}
