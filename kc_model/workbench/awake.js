// Stands before the code of every part. A part that took more than two seconds to come up hears
// nothing from Python any more (anywidget 0.11 gives it up for good): on a slow machine its messages
// are led past anywidget, and Python is asked for what was lost.
function initialize({ model }) {
  const lead = (part) => {
    const given = part._handle_comm_msg;
    let base = part;
    while (base._handle_comm_msg === given) base = Object.getPrototypeOf(base);
    // A message that says nothing tells whether anywidget still passes them on.
    given.call(part, { content: { data: {} } }).catch(() => {
      part.comm.on_msg((message) => base._handle_comm_msg.call(part, message));
      model.send({ again: true });
    });
  };
  model.on("change:kc_awake", lead); // gives the part itself, which anywidget keeps to itself
  model.set("kc_awake", true);
}

// An element with its properties and what is inside; a name that no other part of the page has.
function made(tag, parts = {}, ...inside) {
  const one = Object.assign(document.createElement(tag), parts);
  one.append(...inside);
  return one;
}
const named = (kind) => `kc-${kind}-${Math.random().toString(36).slice(2)}`;

// What one part brings to the page and others wait for.
const shared = (name) => {
  const all = (globalThis.kcShared ??= {});
  if (!all[name]) {
    let bring;
    const brought = new Promise((resolve) => (bring = resolve));
    all[name] = { brought, bring, isBegun: false };
  }
  return all[name];
};

// For the keyboard, once a page. JupyterLab would take arrow keys, Enter and letters for the
// notebook: not inside a desk. Folds are opened by a click alone: they become buttons.
if (!globalThis.kcKeys) {
  globalThis.kcKeys = true;
  const folds = ".kc-desk .jupyter-widget-Collapse-header";
  const name = () =>
    document.querySelectorAll(folds).forEach((fold) => {
      fold.tabIndex = 0;
      fold.setAttribute("role", "button");
      const isOpen = fold.parentElement.classList.contains("jupyter-widget-Collapse-open");
      fold.setAttribute("aria-expanded", isOpen);
    });
  document.addEventListener("focusin", ({ target }) => {
    name();
    if (target.closest(".kc-desk")) target.dataset.lmSuppressShortcuts = "true";
  });
  document.addEventListener("click", name);
  document.addEventListener(
    "keydown",
    (event) => {
      name();
      const isPressed = event.key === "Enter" || event.key === " ";
      if (!isPressed || !event.target.matches?.(folds)) return;
      event.preventDefault();
      event.target.click();
    },
    true,
  );
}
