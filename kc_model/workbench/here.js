// Tells Python that the page has come up: what changed while it was loading has to be sent again.
// Closing it asks first while something is not saved.
function render({ model, el }) {
  const ask = (event) => {
    if (model.get("unsaved")) event.preventDefault();
  };
  el.style.display = "none";
  window.addEventListener("beforeunload", ask);
  model.send({ here: true });
  return () => window.removeEventListener("beforeunload", ask);
}

export default { initialize, render };
