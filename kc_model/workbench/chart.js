// Draws one chart and keeps it: as long as its structure stays, only data and heading are exchanged.
// What draws it is brought by engine.js; nothing is fetched.
function render({ model, el }) {
  el.classList.add("kc-chart");
  let shown = null;
  let last = Promise.resolve();

  const embed = async (vegaEmbed, picture, key) => {
    const stage = document.createElement("div");
    stage.style.display = shown ? "none" : "";
    el.append(stage);
    const { structure, rows, heading } = structuredClone(picture);
    const spec = {
      ...structure,
      description: described(picture),
      params: [{ name: "heading", value: heading }],
      datasets: { rows },
    };
    const menu = model.get("menu");
    const { view, finalize } = await vegaEmbed(stage, spec, {
      mode: "vega-lite",
      renderer: "svg",
      actions: { export: { svg: true, png: true }, source: false, compiled: false, editor: false },
      i18n: { CLICK_TO_VIEW_ACTIONS: menu.open, SVG_ACTION: menu.svg, PNG_ACTION: menu.png },
      downloadFileName: "bieu-do",
    });
    const old = shown;
    stage.style.display = "";
    // For ears a chart is what its heading and description say; its figures stand in a table.
    stage.querySelector(".chart-wrapper").setAttribute("role", "img");
    stage.querySelector("svg.marks").setAttribute("aria-hidden", true);
    const summary = stage.querySelector("summary");
    summary?.setAttribute("aria-label", menu.open);
    summary?.parentElement.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      summary.parentElement.open = false;
      summary.focus();
    });
    shown = { key, stage, view, finalize, order: order(picture) };
    if (old) {
      old.stage.remove();
      old.finalize();
    }
  };

  // A scale keeps the names it knows in the order it met them: in another order they are met anew.
  const order = ({ rows }) => JSON.stringify([...new Set(rows.map((row) => row.name))]);

  const described = ({ heading, description }) => `${heading}. ${description}`;

  const exchange = async (picture) => {
    if (order(picture) !== shown.order) await shown.view.data("rows", []).runAsync();
    shown.order = order(picture);
    shown.view
      .description(described(picture))
      .signal("heading", picture.heading)
      .data("rows", structuredClone(picture.rows));
    await shown.view.runAsync();
  };

  const draw = async () => {
    const vegaEmbed = await shared(model.get("engine")).brought;
    const picture = model.get("picture");
    if (!picture?.structure || shown?.picture === picture) return;
    const key = JSON.stringify([picture.structure, model.get("menu")]);
    await (shown?.key === key ? exchange(picture) : embed(vegaEmbed, picture, key));
    shown.picture = picture;
  };

  const update = () => {
    last = last.then(draw).catch((error) => {
      console.error(error);
      el.textContent = model.get("menu").failed;
      shown = null;
    });
  };

  const grey = () => el.classList.toggle("kc-grey", model.get("greyed"));

  model.on("change:picture", update);
  model.on("change:greyed", grey);
  grey();
  update();
  return () => {
    model.off("change:picture", update);
    model.off("change:greyed", grey);
    if (shown) shown.finalize();
  };
}

export default { initialize, render };
