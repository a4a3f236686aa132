// A text that is typed. Every key goes out as a message of its own, before that of a button pressed
// next: what the box shows is what the button means. (A synced value may wait for a busy kernel,
// and a click would overtake it.)
function render({ model, el }) {
  const input = made("input", { type: "text", id: named("field") });
  const label = made("label", { htmlFor: input.id });
  el.classList.add("kc-field");
  el.append(label, input);

  const update = () => {
    label.textContent = model.get("description");
    input.placeholder = model.get("placeholder");
  };
  const set = ({ text }) => (input.value = text ?? input.value);
  input.value = model.get("text");
  input.addEventListener("input", () => model.send({ text: input.value }));
  model.on("change", update);
  model.on("msg:custom", set);
  update();
  return () => (model.off("change", update), model.off("msg:custom", set));
}

export default { initialize, render };
