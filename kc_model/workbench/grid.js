// A table that is filled in like a sheet. What a cell means is read in Python alone: this sends the
// text as it was typed or pasted, and shows what comes back.
function render({ model, el }) {
  const title = made("h3", { id: named("grid") });
  const said = made("p");
  const grid = made("table", { tabIndex: -1 }); // where the cursor stays once the last row is gone
  grid.setAttribute("role", "grid");
  grid.setAttribute("aria-labelledby", title.id);
  el.classList.add("kc-grid");
  el.append(title, made("div", { className: "kc-frame" }, grid), said);

  let at = [0, 1]; // where the cursor stands: row, column
  let editor = null;

  const cellAt = (row, column) => grid.tBodies[0]?.rows[row]?.cells[column];
  const kindOf = (column) => model.get("columns")[column]?.kind;
  const isOpen = (column) => !["fixed", "action"].includes(kindOf(column));
  const first = () => Math.max(1, model.get("columns").findIndex((_, column) => column && isOpen(column)));
  const send = (edits) => edits.length && model.send({ edits });
  const act = (row, column) => {
    if (kindOf(column) !== "action") return false;
    if (model.get("rows")[row][column].shown) send([[row, column, ""]]);
    return true;
  };

  const build = () => {
    const [head, body] = [made("thead"), made("tbody")];
    const line = head.insertRow();
    for (const { label, kind } of model.get("columns"))
      line.append(made("th", { scope: "col", textContent: label, className: `kc-${kind}` }));
    model.get("rows").forEach((row, r) => {
      const tr = body.insertRow();
      row.forEach((_cell, c) => {
        const cell = made(c ? "td" : "th", { tabIndex: -1, className: `kc-${model.get("columns")[c].kind}` });
        if (c) cell.setAttribute("role", "gridcell");
        else cell.scope = "row";
        cell.dataset.row = r;
        cell.dataset.column = c;
        tr.append(cell);
      });
    });
    grid.replaceChildren(head, body);
  };

  // The one cell that Tab reaches; the first filling has no columns yet.
  const stand = (row, column) => {
    const before = cellAt(...at);
    if (before) before.tabIndex = -1;
    at = [row, column];
    const here = cellAt(row, column);
    if (here) here.tabIndex = 0;
  };

  const fill = () => {
    const rows = model.get("rows");
    const columns = model.get("columns");
    const has = grid.tBodies[0];
    const fits = has && has.rows.length === rows.length && grid.tHead.rows[0].cells.length === columns.length;
    const held = !fits && grid.contains(document.activeElement);
    if (!fits) {
      editor = null;
      build();
    }
    columns.forEach((column, c) => (grid.tHead.rows[0].cells[c].textContent = column.label));
    rows.forEach((row, r) =>
      row.forEach((value, c) => {
        const cell = cellAt(r, c);
        if (editor?.cell === cell) return;
        cell.textContent = value.shown;
        cell.classList.toggle("kc-wrong", Boolean(value.error));
        if (value.error) cell.append(made("small", { textContent: value.error }));
        if (c) {
          cell.setAttribute("aria-invalid", Boolean(value.error));
          cell.setAttribute("aria-readonly", columns[c].kind === "fixed");
          cell.setAttribute("aria-label", `${columns[c].label}, ${row[0].shown}: ${value.shown} ${value.error}`);
        }
      }),
    );
    stand(Math.max(0, Math.min(at[0], rows.length - 1)), Math.max(1, Math.min(at[1], columns.length - 1)));
    if (held) (cellAt(...at) ?? grid).focus();
    title.textContent = model.get("label");
    said.textContent = model.get("said");
    said.className = !said.textContent ? "" : model.get("is_refusal") ? "kc-say kc-stop" : "kc-say kc-note";
  };

  const move = (row, column) => {
    const next = cellAt(row, column);
    if (!next || column < 1) return false;
    stand(row, column);
    next.focus();
    next.scrollIntoView({ block: "nearest", inline: "nearest" });
    return true;
  };

  const close = (keep) => {
    if (!editor) return;
    const { cell, input, before } = editor;
    editor = null;
    const text = input.value;
    input.remove();
    if (keep && text !== before) send([[Number(cell.dataset.row), Number(cell.dataset.column), text]]);
    fill();
  };

  const open = (cell, text) => {
    const row = Number(cell.dataset.row);
    const column = Number(cell.dataset.column);
    if (!column || !isOpen(column)) return;
    close(true);
    const { label, kind, options } = model.get("columns")[column];
    const before = model.get("rows")[row][column].text;
    const isListed = kind === "choice" && text === undefined; // a word that is typed is read like any other
    const input = made(isListed ? "select" : "input");
    if (isListed) input.append(...options.map((one) => new Option(one, one)));
    else input.type = "text";
    if (kind === "number") input.inputMode = "decimal";
    input.setAttribute("aria-label", `${label}, ${model.get("rows")[row][0].shown}`);
    input.value = text ?? before;
    cell.replaceChildren(input);
    editor = { cell, input, before };
    input.focus();
    if (text === undefined && input.select) input.select();
    input.addEventListener("blur", () => editor?.input === input && close(true));
  };

  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  let composed = -Infinity;
  grid.addEventListener("compositionend", ({ timeStamp }) => (composed = timeStamp));
  grid.addEventListener("keydown", (event) => {
    const { key } = event;
    const command = event.ctrlKey || event.metaKey;
    const [row, column] = at;
    if (!cellAt(row, column)) return;
    // Keys of an input method belong to it, also the one that has just ended a word.
    const isMethod = event.isComposing || event.keyCode === 229;
    if (isMethod && !editor) {
      open(cellAt(row, column), model.get("rows")[row][column].text);
      editor?.input.select(); // what is composed takes its place
    }
    if (isMethod || event.timeStamp - composed < 50) return;
    if (editor) {
      if (key === "Escape" || key === "Enter" || key === "Tab") {
        close(key !== "Escape");
        const next = key === "Enter" ? [row + 1, column] : key === "Tab" ? [row, column + (event.shiftKey ? -1 : 1)] : at;
        if (move(...next) || key !== "Tab") event.preventDefault();
        if (document.activeElement === document.body) move(row, column);
      }
      event.stopPropagation();
      return;
    }
    if (command && key.toLowerCase() === "c") {
      navigator.clipboard?.writeText(model.get("rows")[row][column].text);
    } else if (command || event.altKey) {
      return;
    } else if (steps[key]) {
      move(row + steps[key][0], column + steps[key][1]);
    } else if (key === "Tab") {
      if (!move(row, column + (event.shiftKey ? -1 : 1))) return;
    } else if (key === "Enter" || key === "F2") {
      act(row, column) || open(cellAt(row, column));
    } else if (key === "Delete" || key === "Backspace") {
      if (isOpen(column)) send([[row, column, ""]]);
      else act(row, column);
    } else if (key.length === 1) {
      open(cellAt(row, column), key);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });

  grid.addEventListener("focusin", ({ target }) => {
    const cell = target.closest("td");
    if (cell && !editor) stand(Number(cell.dataset.row), Number(cell.dataset.column));
  });
  // Tab comes back at a cell to fill in, never at a button; a table drawn anew keeps its cursor.
  const left = (where) => grid.contains(where) || isOpen(at[1]) || stand(at[0], first());
  grid.addEventListener("focusout", ({ relatedTarget: where }) =>
    where ? left(where) : setTimeout(() => left(document.activeElement)),
  );
  grid.addEventListener("click", ({ target }) => {
    const cell = target.closest("td");
    if (!cell || editor?.cell === cell) return;
    move(Number(cell.dataset.row), Number(cell.dataset.column));
    act(...at);
  });
  grid.addEventListener("dblclick", ({ target }) => {
    const cell = target.closest("td");
    if (cell && editor?.cell !== cell) open(cell);
  });

  // A block from Excel: lines by line ends, cells by tabs. It is taken whole or not at all.
  grid.addEventListener("paste", (event) => {
    if (editor) return;
    const text = event.clipboardData.getData("text/plain").replace(/[\r\n\t ]+$/, "");
    const lines = text.split(/\r?\n/).map((line) => line.split("\t"));
    const edits = [];
    const over = [];
    lines.forEach((line, r) =>
      line.forEach((value, c) => {
        const [row, column] = [at[0] + r, at[1] + c];
        if (cellAt(row, column) && isOpen(column)) edits.push([row, column, value]);
        else if (value.trim()) over.push(value.trim());
      }),
    );
    if (over.length) model.send({ over, lines: lines.length, room: model.get("rows").length - at[0] });
    else send(edits);
    event.preventDefault();
  });

  const follow = ({ go, last }) => {
    if (go && grid.contains(document.activeElement)) move(...go);
    if (last) grid.parentElement.scrollTop = grid.offsetHeight;
  };
  model.on("change", fill);
  model.on("msg:custom", follow);
  fill();
  return () => (model.off("change", fill), model.off("msg:custom", follow));
}

export default { initialize, render };
