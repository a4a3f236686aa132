// A long list with boxes to tick: folded by group, filtered by words and by state. What a tick means
// is decided in Python; this tells which box was ticked and shows what comes back.
const OPEN = 120; // rows up to which every group stands open at first
const MOST = 200; // rows of a group drawn at once; the others on a click

function render({ model, el }) {
  const title = made("h3", { id: named("picks") });
  const words = made("input", { type: "search" });
  const view = made("select");
  const count = made("span", { className: "kc-count" });
  const table = made("table");
  table.setAttribute("aria-labelledby", title.id);
  count.setAttribute("role", "status");
  el.classList.add("kc-picks");
  el.append(title, made("div", { className: "kc-tools" }, words, view, count));
  el.append(made("div", { className: "kc-frame kc-words" }, table));

  const folded = new Map(); // group -> whether the planner shut it
  const drawn = new Map(); // group -> how many rows are drawn of it

  const wanted = (row) => {
    const sought = words.value.trim().toLocaleLowerCase();
    const kind = view.value;
    if (kind === "ticked" ? !row.ticked : kind && row.state !== kind) return false;
    return !sought || [row.key, ...row.cells].some((text) => text.toLocaleLowerCase().includes(sought));
  };

  const line = (row, heads, ticks) => {
    const tr = made("tr", { className: `kc-${row.state}` });
    for (const { code, label } of ticks) {
      const box = made("input", { type: "checkbox", checked: row.ticked === code });
      box.disabled = !row.open.includes(code);
      box.dataset.at = `${row.key}|${code}`;
      box.setAttribute("aria-label", `${label}: ${row.cells.slice(0, 2).join(" ")}`);
      box.addEventListener("change", () => model.send({ tick: [row.key, box.checked ? code : ""] }));
      tr.append(made("td", { className: "kc-tick" }, box));
    }
    row.cells.forEach((text, c) => {
      const cell = made(c ? "td" : "th", { textContent: text, className: `kc-${heads[c].kind}` });
      if (!c) cell.scope = "row";
      tr.append(cell);
    });
    return tr;
  };

  const fill = () => {
    const [heads, ticks, groups] = [model.get("heads"), model.get("ticks"), model.get("groups")];
    const all = model.get("rows");
    const rows = all.filter(wanted);
    const asked = words.value.trim() || view.value;
    const open = () => [...table.querySelectorAll("[data-at]:not(:disabled)")];
    const place = open().indexOf(document.activeElement);
    const focused = document.activeElement?.dataset?.at;
    const first = made("tr");
    for (const { label } of [...ticks, ...heads]) first.append(made("th", { scope: "col", textContent: label }));
    const isShut = (name, has) => {
      const first = groups.find((one) => one.name === name).is_shut ?? (!has && all.length > OPEN);
      return !asked && (folded.get(name) ?? first);
    };
    const bodies = groups.map(({ name, told, over }) => {
      const body = made("tbody");
      const parts = groups.filter((one) => one.over === name).map((one) => one.name);
      const own = rows.filter((row) => row.group === name);
      const is = own.length || rows.some((row) => parts.includes(row.group));
      if (!is || (over && isShut(over, true))) return body;
      const shut = isShut(name, parts.length);
      const fold = made("button", { textContent: `${shut ? "▸" : "▾"} ${told}` });
      fold.setAttribute("aria-expanded", !shut);
      fold.dataset.at = `group|${name}`;
      fold.addEventListener("click", () => (folded.set(name, !shut), fill()));
      body.append(made("tr", { className: over ? "kc-group kc-part" : "kc-group" }, made("th", { colSpan: 99, scope: "rowgroup" }, fold)));
      if (shut) return body;
      const most = drawn.get(name) ?? MOST;
      body.append(...own.slice(0, most).map((row) => line(row, heads, ticks)));
      if (own.length > most) {
        const more = made("button", { textContent: `▾ +${own.length - most}` });
        more.setAttribute("aria-label", `${told} +${own.length - most}`);
        more.addEventListener("click", () => (drawn.set(name, most + MOST), fill()));
        body.append(made("tr", { className: "kc-group" }, made("th", { colSpan: 99 }, more)));
      }
      return body;
    });
    table.replaceChildren(made("thead", {}, first), ...bodies);
    title.textContent = model.get("label");
    const told = model.get("told").replace("{shown}", rows.length);
    if (count.textContent !== told) count.textContent = told;
    if (place < 0) return;
    // Where the cursor stood, or where that line stood if it is gone.
    const now = open();
    (now.find((one) => one.dataset.at === focused) ?? now[Math.min(place, now.length - 1)])?.focus();
  };

  const name = () => {
    el.classList.toggle("kc-grey", model.get("greyed"));
    const chosen = view.value;
    words.placeholder = model.get("sought");
    words.setAttribute("aria-label", model.get("sought"));
    view.setAttribute("aria-label", model.get("label"));
    view.replaceChildren(...model.get("views").map(({ code, label }) => new Option(label, code)));
    view.value = chosen;
    fill();
  };

  // Keys typed into the filter are no commands of a notebook.
  words.addEventListener("keydown", (event) => event.stopPropagation());
  words.addEventListener("input", fill);
  view.addEventListener("change", fill);
  model.on("change", name);
  name();
  return () => model.off("change", name);
}

export default { initialize, render };
