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

// For ears, once a page: what boxes say is read out when it has come to rest, each line once, however
// often a box is drawn anew. The text is out of sight, and of searches in the page.
if (!globalThis.kcVoice) {
  const place = (globalThis.kcVoice = made("div", { className: "kc-voice" }));
  const voice = made("div");
  voice.setAttribute("role", "status");
  place.attachShadow({ mode: "closed" }).append(voice);
  document.body.append(place);
  const text = (line) => line.querySelector?.("summary")?.textContent ?? line.textContent;
  const lines = () =>
    [...document.querySelectorAll(".kc-say:not([role=alert])")]
      .filter((box) => box.offsetParent)
      .flatMap((box) => [...box.childNodes].map(text));
  let known = [];
  let timer = 0;
  const tell = () => {
    const now = lines();
    const news = now.filter((line) => !known.includes(line));
    known = now;
    if (news.length) voice.textContent = news.join(" ");
  };
  const look = () => {
    clearTimeout(timer);
    timer = setTimeout(tell, 1000);
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
}
