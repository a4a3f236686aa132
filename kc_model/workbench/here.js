// Tells Python that the page has come up: what changed while it was loading has to be sent again.
function render({ model, el }) {
  el.style.display = "none";
  model.send({ here: true });
}

export default { render };
