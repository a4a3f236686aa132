// Tells Python that the page has come up: what changed while it was loading has to be sent again.
// Closing it asks first while something is not saved.
function render({ model, el }) {
  const ask = (event) => {
    if (model.get("unsaved")) event.preventDefault();
  };
  const speak = () => (document.documentElement.lang = model.get("language"));
  el.style.display = "none";
  model.on("change:language", speak);
  speak();
  window.addEventListener("beforeunload", ask);
  model.send({ here: true });
  return () => window.removeEventListener("beforeunload", ask);
}

export default { initialize, render };
