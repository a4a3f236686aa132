// Brings the code that draws charts, once a page. It is not waited for: a part has to come up at once.
function bring({ model }) {
  const place = shared(model.get("name"));
  if (place.isBegun) return;
  place.isBegun = true;
  const address = URL.createObjectURL(new Blob([model.get("code")], { type: "text/javascript" }));
  place.bring(import(address).then((made) => made.default));
}

export default { initialize: bring };
