// Tells Python that the page has come up: what changed while it was loading has to be sent again.
// Closing it asks first while something is not saved; loaded again, it comes back to what it showed.
function render({ model, el }) {
  const ask = (event) => {
    if (model.get("unsaved")) event.preventDefault();
  };
  const speak = () => (document.documentElement.lang = model.get("language"));
  const keep = () => sessionStorage.setItem("kc-shown", JSON.stringify(model.get("shown")));
  const [{ type }] = performance.getEntriesByType("navigation");
  const shown = type === "navigate" ? null : sessionStorage.getItem("kc-shown");
  el.style.display = "none";
  model.on("change:shown", keep);
  model.on("change:language", speak);
  speak();
  window.addEventListener("beforeunload", ask);
  model.send({ here: true, shown: JSON.parse(shown ?? "{}") });
  return () => window.removeEventListener("beforeunload", ask);
}

export default { initialize, render };
