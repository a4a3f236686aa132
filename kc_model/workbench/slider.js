// A labelled slider over a list of texts: what it stands at is read out, dragging asks once.
function render({ model, el }) {
  const id = named("slider");
  const input = made("input", { id, type: "range", min: 0, step: 1 });
  const [label, output] = [made("label", { htmlFor: id }), made("output")];
  output.htmlFor = id;
  output.setAttribute("aria-live", "off"); // the slider itself says where it stands
  el.classList.add("kc-slider");
  el.append(label, input, output);

  const tell = () => {
    const text = model.get("texts")[input.value] ?? "";
    output.value = text;
    input.setAttribute("aria-valuetext", text);
  };
  const update = () => {
    label.textContent = model.get("label");
    input.max = model.get("texts").length - 1;
    input.value = model.get("index");
    tell();
  };
  const moved = () => {
    model.set("index", Number(input.value));
    model.save_changes();
  };

  input.addEventListener("input", tell);
  input.addEventListener("change", moved);
  model.on("change", update);
  update();
  return () => model.off("change", update);
}

export default { initialize, render };
