// Tells Python that the page has come up: what changed while it was loading has to be sent again.
// Closing it asks first while something is not saved; loaded again, it comes back to what it showed.
// Python is asked every other second whether it is still there: silent it may be busy, which the
// server knows; else the page says what has ended.
const BEAT = 2000;
const SILENT = 2; // beats

const ended = async ({ baseUrl, kernelId }) => {
  try {
    const answer = await fetch(`${baseUrl}api/kernels/${kernelId}${location.search}`);
    const { execution_state: state } = answer.ok ? await answer.json() : {};
    return state === "busy" ? "" : "kernel";
  } catch {
    return "server";
  }
};

function watch(model) {
  const known = JSON.parse(document.getElementById("jupyter-config-data")?.textContent ?? "{}");
  if (!known.kernelId) return () => {}; // JupyterLab tells it itself
  const banner = made("div", { className: "kc-say kc-stop kc-gone" });
  banner.setAttribute("role", "alert");
  let silent = -1; // beats without an answer; before the first one nothing is missed
  const hear = ({ here }) => {
    if (here) silent = 0;
    banner.remove();
  };
  const beat = async () => {
    const why = silent >= SILENT ? await ended(known) : "";
    const texts = model.get("gone");
    if (why && silent >= SILENT) {
      banner.textContent = `${texts[why]} ${model.get("unsaved") ? texts.unsaved : ""}`;
      document.body.append(banner);
    }
    if (silent >= 0) silent += 1;
    model.send({ beat: true });
  };
  const timer = setInterval(() => beat().catch(() => {}), BEAT);
  model.on("msg:custom", hear);
  return () => (clearInterval(timer), banner.remove());
}

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
  const rest = watch(model);
  model.send({ here: true, shown: JSON.parse(shown ?? "{}") });
  return () => (rest(), window.removeEventListener("beforeunload", ask));
}

export default { initialize, render };
